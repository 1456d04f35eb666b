export { type AttentionOptions, dotProductAttention } from './attention.js';
export {
  BaseCell,
  type Cell,
  type CellOptions,
  type CellParams,
  type DropoutMasks,
  type SequenceKind,
} from './cell.js';
export { GRUCell, type GRUCellOptions } from './gru.js';
export * from './initializers.js';
export { LSTMCell, type LSTMCellOptions, type LSTMState } from './lstm.js';
export { type RunSequenceOptions, runSequence, type SequenceResult } from './run-sequence.js';
export { SimpleRNNCell } from './simple-rnn.js';
export { StackedCells } from './stacked.js';
