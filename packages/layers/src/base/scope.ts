import type { Tensor } from '@recurra/tensor';

/** What calls of layers share while they run inside of each other. */
export interface CallScope {
  /** Training or inference, unless a call says otherwise. */
  readonly training: boolean;
  /** Losses that layers add (`addLoss`, regularizers of activities). */
  readonly losses: Tensor[];
  /** Which run of the outermost call it is. */
  readonly run: number;
}

let current: CallScope | null = null;
let runs = 0;

/** The call that is in progress around this place, if any. */
export function callScope(): CallScope | null {
  return current;
}

/** Runs `f` inside of a call: a new one, or the one in progress with other settings. */
export function withinCall<R>(training: boolean, f: (scope: CallScope) => R): R {
  const outer = current;
  current = outer ? { ...outer, training } : { training, losses: [], run: ++runs };
  try {
    return f(current);
  } finally {
    current = outer;
  }
}

/** Runs `f` as an outermost call, and gives the losses that layers added in it. */
export function collectLosses<R>(training: boolean, f: () => R): { result: R; losses: Tensor[] } {
  const outer = current;
  current = null;
  try {
    return withinCall(training, (scope) => ({ result: f(), losses: scope.losses }));
  } finally {
    current = outer;
  }
}
