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
export { type OptimizerIdentifier, type OptimizerName, optimizers, resolveOptimizer } from './resolve.js';
export * from './schedule.js';
export { SGD, type SGDOptions } from './sgd.js';
export type { Slots } from './slots.js';
