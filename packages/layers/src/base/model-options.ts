import type { TensorLike } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import type { BatchSource } from '../training/batches.js';
import type { Callback } from '../training/callback.js';
import type { Verbosity } from '../training/callbacks/progress.js';
import { CLASS_WEIGHT, FREQUENCY, LOSS_WEIGHTS, LOSSES, OPTIMIZER, SIGNAL, VERBOSE } from '../training/rules.js';
import type { CompileOptions } from '../training/trainer.js';
import type { SymbolicTensor } from './symbolic.js';

/**
 * Targets for outputs `O`: in their structure, `null` for an output that is not trained; those of a tensor or a list also by the names of their layers.
 */
export type Targets<O = unknown> = unknown extends O
  ? AnyTargets
  : O extends SymbolicTensor
    ? AnyTargets
    : O extends readonly unknown[]
      ? { readonly [K in keyof O]: Targets<O[K]> | null } | { readonly [output: string]: TensorLike | null }
      : { readonly [K in keyof O]: Targets<O[K]> | null };
type AnyTargets = TensorLike | readonly (TensorLike | null)[] | { readonly [output: string]: TensorLike | null };
/** Weights of samples: of all outputs, or by output. */
export type Weights = TensorLike | { readonly [output: string]: TensorLike } | null;

/** Samples, targets and (optionally) weights to validate on. */
export type ValidationData<X = unknown, O = unknown> =
  | readonly [X, Targets<O>]
  | readonly [X, Targets<O>, Weights]
  | { readonly x: X; readonly y: Targets<O>; readonly sampleWeight?: Weights }
  | BatchSource;

/** Options of `fit`; names and defaults of Keras. */
export interface FitOptions<X = unknown, O = unknown> {
  /** 32 */
  readonly batchSize?: number;
  /** The number of the last epoch (from 1): with `initialEpoch`, not the number of epochs to run; 1. */
  readonly epochs?: number;
  readonly verbose?: Verbosity;
  readonly callbacks?: readonly Callback[];
  /** Hold out the last share of the samples (before shuffling) for validation. */
  readonly validationSplit?: number;
  /** Samples, targets and (optionally) weights to validate on after each epoch; or a source of batches. */
  readonly validationData?: ValidationData<X, O> | null;
  /** Draw the batches of each epoch in a new order; true. */
  readonly shuffle?: boolean;
  /** Weight of every class in the loss, by index; 1 where absent. */
  readonly classWeight?: Readonly<Record<number, number>> | null;
  /** Weight of every sample [samples], or of every step [samples, time]; for several outputs also by output. */
  readonly sampleWeight?: Weights;
  /** The first epoch's number, to resume a run; 0. */
  readonly initialEpoch?: number;
  readonly validationBatchSize?: number | null;
  /** Validate every so many epochs, or in these epochs (from 1); 1. */
  readonly validationFreq?: number | readonly number[];
  /** With a source of batches: batches of an epoch. `null` (default): one pass over the source. */
  readonly stepsPerEpoch?: number | null;
  /** With a source of batches to validate on: how many of them; all by default. */
  readonly validationSteps?: number | null;
  /** Ends training before the next batch, with the signal's reason; the model stays usable. */
  readonly signal?: AbortSignal | null;
}

/** What `fit`, `evaluate` and `predict` have in common. */
const RUN = { batchSize: rules.count, verbose: VERBOSE, callbacks: rules.anything, signal: SIGNAL };

export const FIT_OPTIONS: Rules<FitOptions> = {
  ...RUN,
  epochs: rules.count,
  validationSplit: rules.decay,
  validationData: rules.anything,
  shuffle: rules.flag,
  classWeight: CLASS_WEIGHT,
  sampleWeight: rules.anything,
  initialEpoch: rules.countOrZero,
  validationBatchSize: rules.orNull(rules.count),
  validationFreq: FREQUENCY,
  stepsPerEpoch: rules.orNull(rules.count),
  validationSteps: rules.orNull(rules.count),
};

/** Of `trainOnBatch` and `testOnBatch`. */
export const TEST_BATCH_OPTIONS: Rules<Pick<FitOptions, 'sampleWeight'>> = { sampleWeight: rules.anything };
export const TRAIN_BATCH_OPTIONS: Rules<Pick<FitOptions, 'sampleWeight' | 'classWeight'>> = {
  ...TEST_BATCH_OPTIONS,
  classWeight: CLASS_WEIGHT,
};

export const COMPILE_OPTIONS: Rules<CompileOptions> = {
  optimizer: OPTIMIZER,
  loss: LOSSES,
  lossWeights: LOSS_WEIGHTS,
  // Lists within lists, by output: `Trainer` looks at them.
  metrics: rules.anything,
  weightedMetrics: rules.anything,
  runEagerly: rules.flag,
};

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** 32 */
  readonly batchSize?: number;
  readonly sampleWeight?: Weights;
  /** With a source of batches: how many of them; all by default. */
  readonly steps?: number | null;
  readonly verbose?: Verbosity;
  readonly callbacks?: readonly Callback[];
  readonly signal?: AbortSignal | null;
}

export const EVALUATE_OPTIONS: Rules<EvaluateOptions> = {
  ...RUN,
  sampleWeight: rules.anything,
  steps: rules.orNull(rules.count),
};

/** Options of `predict`. */
export interface PredictOptions {
  /** 32 */
  readonly batchSize?: number;
  /** With a source of batches: how many of them; all by default. */
  readonly steps?: number | null;
  readonly verbose?: Verbosity;
  readonly callbacks?: readonly Callback[];
  readonly signal?: AbortSignal | null;
}

export const PREDICT_OPTIONS: Rules<PredictOptions> = { ...RUN, steps: rules.orNull(rules.count) };
