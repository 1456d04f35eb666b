import type { Tensor } from '@recurra/tensor';

/** What calls of layers share while they run inside of each other. */
export interface CallScope {
  /** Training or inference, unless a call says otherwise. */
  readonly training: boolean;
  /** Losses that layers add (`addLoss`, regularizers of activities). */
  readonly losses: Tensor[];
  /** The layer that is called, and the call around it. */
  readonly layer: unknown;
  readonly outer: CallScope | null;
  /** Which run of the outermost call it is. */
  readonly run: number;
}

let current: CallScope | null = null;
let runs = 0;

/** The call that is in progress around this place, if any. */
export function callScope(): CallScope | null {
  return current;
}

/** Runs `f` inside of a call of `layer`: a new one, or one inside of that in progress. */
export function withinCall<R>(layer: unknown, training: boolean, f: (scope: CallScope) => R): R {
  const outer = current;
  current = { layer, outer, training, losses: outer?.losses ?? [], run: outer?.run ?? ++runs };
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
    return withinCall(null, training, (scope) => ({ result: f(), losses: scope.losses }));
  } finally {
    current = outer;
  }
}
