import { type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { camelCase, describeValue, didYouMean } from '@recurra/tensor/extend';
import type { LayerConfig } from '../base/layer.js';
import type { Variable } from '../base/variable.js';
import type { Logs } from './logs.js';
import type { ModelOptimizer } from './model-optimizer.js';
import type { TrainState } from './state.js';

/** What callbacks see of the model that is trained. */
export interface CallbackModel {
  readonly name: string;
  /** Set to true to end training after the current batch. */
  stopTraining: boolean;
  /** Has it an optimizer and a loss? */
  readonly compiled: boolean;
  readonly optimizer: ModelOptimizer;
  readonly className: string;
  readonly layers: readonly { readonly weights: readonly Variable[] }[];
  readonly weights: readonly Variable[];
  readonly trainableWeights: readonly Variable[];
  getWeights(): Tensor[];
  setWeights(values: readonly TensorLike[]): void;
  getConfig(): LayerConfig;
  /** The shape that it was built for; `null` before that, and where its inputs say it. */
  getBuildConfig(): object | null;
  /** Is more of a value of the logs better, or less? Throws `ValueError`, asking for a mode, where that cannot be known. */
  directionOf(monitor: string, what?: string): 'up' | 'down';
  summary(options?: { readonly print?: boolean }): string;
}

/** The logs of an epoch: what a callback adds to them, those after it and the history see. */
export type EpochLogs = Record<string, number>;

/** What a backup keeps of a callback. */
export interface CallbackState {
  /** Plain data, as JSON takes it. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly tensors?: readonly Tensor[];
}

/** What a training run will do. */
export interface TrainInfo {
  readonly epochs: number;
  /** Batches an epoch; `null` where a source does not say. */
  readonly steps: number | null;
  /** The first epoch, from 0. */
  readonly initialEpoch: number;
  /** The run, to capture and to restore. */
  readonly state: TrainState;
}

/**
 * Hooks into training, validation and prediction; a subclass overrides what it needs. They may be asynchronous: the run waits for them.
 * Epochs and batches count from 0. Keras `Callback`.
 */
export abstract class Callback {
  /** The model; set before the first hook. */
  model!: CallbackModel;
  onTrainBegin(_info: TrainInfo): void | Promise<void> {}
  onTrainEnd(_logs: Logs): void | Promise<void> {}
  /** Training was left by an error or an abort; `onTrainEnd` is not called then. */
  onTrainError(_error: unknown): void | Promise<void> {}
  onEpochBegin(_epoch: number): void | Promise<void> {}
  /** Values that it adds to the logs are seen by the callbacks after it, and by the history. */
  onEpochEnd(_epoch: number, _logs: EpochLogs): void | Promise<void> {}
  onTrainBatchBegin(_batch: number): void | Promise<void> {}
  onTrainBatchEnd(_batch: number, _logs: Logs): void | Promise<void> {}
  onTestBegin(): void | Promise<void> {}
  onTestEnd(_logs: Logs): void | Promise<void> {}
  onTestBatchBegin(_batch: number): void | Promise<void> {}
  onTestBatchEnd(_batch: number, _logs: Logs): void | Promise<void> {}
  onPredictBegin(): void | Promise<void> {}
  onPredictEnd(): void | Promise<void> {}
  onPredictBatchBegin(_batch: number): void | Promise<void> {}
  onPredictBatchEnd(_batch: number): void | Promise<void> {}

  /** What a backup of the run keeps of this callback, so that a resumed run goes on as it would have; `null` for nothing. */
  captureState(): CallbackState | null {
    return null;
  }

  /** Goes on from what {@link captureState} gave, in this process or another: after `onTrainBegin`, before the first batch. */
  restoreState(_state: CallbackState): void {}
}

/** The hooks of a callback. */
export type Hook = Exclude<keyof Callback, 'model' | 'captureState' | 'restoreState'>;

/** All hooks, in the order in which a run with one batch calls them. */
export const HOOKS: readonly Hook[] = [
  'onTrainBegin',
  'onEpochBegin',
  'onTrainBatchBegin',
  'onTrainBatchEnd',
  'onTestBegin',
  'onTestBatchBegin',
  'onTestBatchEnd',
  'onTestEnd',
  'onEpochEnd',
  'onTrainEnd',
  'onTrainError',
  'onPredictBegin',
  'onPredictBatchBegin',
  'onPredictBatchEnd',
  'onPredictEnd',
];

/** Names that speak of what hooks tell: a method of such a name that is no hook was meant to be one. */
const LIKE_A_HOOK = /^on_?(train|epoch|batch|test|predict)/i;
/** Hooks as other libraries, and Keras before, call them. */
const OTHER_NAMES: Readonly<Record<string, Hook>> = {
  onBatchBegin: 'onTrainBatchBegin',
  onBatchEnd: 'onTrainBatchEnd',
};

/** Throws `ValueError` for methods of a callback that nothing would call: `on_epoch_end`, `onEpochEnds`. */
function expectHooks(callback: Callback): void {
  for (let at: object = callback; at !== Callback.prototype; at = Object.getPrototypeOf(at) as object)
    for (const name of Object.getOwnPropertyNames(at)) {
      if (!LIKE_A_HOOK.test(name) || (HOOKS as readonly string[]).includes(name)) continue;
      if (typeof (callback as unknown as Record<string, unknown>)[name] !== 'function') continue;
      const hint = OTHER_NAMES[camelCase(name)];
      throw new ValueError(
        `callbacks: expected hooks of ${callback.constructor.name} to be among ${HOOKS.join(', ')}, received "${name}".${hint ? ` Did you mean "${hint}"?` : didYouMean(name, HOOKS)}`,
      );
    }
}

/** Throws `ValueError` for what is no list of callbacks, and for methods of theirs that nothing would call. */
export function expectCallbacks(given: readonly Callback[]): void {
  if (!Array.isArray(given))
    throw new ValueError(`callbacks: expected a list of Callbacks, received ${describeValue(given)}`);
  for (const callback of given) {
    if (!(callback instanceof Callback))
      throw new ValueError(
        `callbacks: expected Callbacks, received ${describeValue(callback)}. ${typeof callback === 'function' ? 'Make one with new, or use new LambdaCallback({ onEpochEnd })' : 'Use new LambdaCallback({ onEpochEnd })'}.`,
      );
    expectHooks(callback);
  }
}

/** Callbacks called together, in their order; hooks that nobody overrides cost nothing. */
export class Callbacks {
  private readonly by = new Map<Hook, Callback[]>();
  private readonly around: <T>(f: () => T) => T;

  /** @param around what hooks are called in */
  constructor(callbacks: readonly Callback[], around: <T>(f: () => T) => T = (f) => f()) {
    this.around = around;
    for (const hook of HOOKS) {
      const own = callbacks.filter((c) => c[hook] !== Callback.prototype[hook]);
      if (own.length > 0) this.by.set(hook, own);
    }
  }

  /** Calls a hook of all; a promise only where one of them is asynchronous. */
  call<H extends Hook>(hook: H, ...args: Parameters<Callback[H]>): void | Promise<void> {
    const all = this.by.get(hook);
    if (!all) return;
    return this.around(() => this.callAll(all, hook, args));
  }

  private callAll(all: readonly Callback[], hook: Hook, args: unknown[]): void | Promise<void> {
    for (let i = 0; i < all.length; i++) {
      const result = (all[i]![hook] as (...args: unknown[]) => void | Promise<void>)(...args);
      if (result instanceof Promise) return this.goOn(result, all.slice(i + 1), hook, args);
    }
  }

  private async goOn(first: Promise<void>, rest: Callback[], hook: Hook, args: unknown[]): Promise<void> {
    await first;
    for (const callback of rest) await (callback[hook] as (...args: unknown[]) => void | Promise<void>)(...args);
  }
}
