export type { ClassWeights } from './alignment.js';
export * from './classes.js';
export { Loss, type LossConfig, type LossOptions, type LossWeights, type Reduction } from './loss.js';
export { type LossIdentifier, type LossName, losses, type SerializedLoss } from './resolve.js';
