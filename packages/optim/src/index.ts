export type { Serialized } from '@recurra/tensor/extend';
export type { AdamOptions } from './adam-family.js';
export * from './classes.js';
export * from './clip.js';
export { LossScaleOptimizer, type LossScaleOptions } from './loss-scale.js';
export { Optimizer, type OptimizerOptions, type OptimizerState, type StepContext } from './optimizer.js';
export {
  type DeserializeOptimizerOptions,
  deserializeOptimizer,
  type OptimizerClass,
  type OptimizerIdentifier,
  type OptimizerName,
  optimizers,
} from './resolve.js';
export {
  type CosineDecayOptions,
  type CosineDecayRestartsOptions,
  cosineDecay,
  cosineDecayRestarts,
  type DecayOptions,
  deserializeSchedule,
  exponentialDecay,
  inverseTimeDecay,
  type LearningRate,
  type PiecewiseConstantDecayOptions,
  type PolynomialDecayOptions,
  piecewiseConstantDecay,
  polynomialDecay,
  RATE,
  type Schedule,
  type ScheduleOptions,
  type SerializedSchedule,
  serializeSchedule,
} from './schedule.js';
export { type SerializedOptimizer, serializeOptimizer } from './serialize.js';
