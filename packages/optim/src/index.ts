export {
  Adam,
  Adamax,
  type AdamOptions,
  AdamW,
  type AmsgradOptions,
  Lamb,
  Nadam,
  ScheduleFreeAdamW,
  type ScheduleFreeOptions,
} from './adam.js';
export * from './adaptive.js';
export * from './clip.js';
export { Muon, type MuonOptions } from './muon.js';
export { Optimizer, type OptimizerOptions, type OptimizerState, type StepContext } from './optimizer.js';
export { type OptimizerIdentifier, type OptimizerName, optimizers } from './resolve.js';
export {
  type CosineDecayOptions,
  type CosineDecayRestartsOptions,
  cosineDecay,
  cosineDecayRestarts,
  type DecayOptions,
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
} from './schedule.js';
export { SGD, type SGDOptions } from './sgd.js';
