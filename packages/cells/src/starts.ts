import type { AnyCell } from './cell.js';
import { GRUCell } from './gru.js';
import { LSTMCell } from './lstm.js';
import { SimpleRNNCell } from './simple-rnn.js';

const ZERO_STARTS: ReadonlySet<unknown> = new Set(
  [SimpleRNNCell, LSTMCell, GRUCell].map((c) => c.prototype.initialState),
);

/** Does the cell start with zeros, as kernels do by themselves? Not where a class of one's own overrides `initialState`. */
export function startsAtZero({ initialState }: AnyCell): boolean {
  return ZERO_STARTS.has(initialState);
}
