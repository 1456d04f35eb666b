export {
  alignRanks,
  alignTargets,
  alignWeights,
  asTargets,
  classIndices,
  classWeights,
  joinWeights,
  type Weighing,
} from './alignment.js';
export { resolveLoss, serializeLoss } from './resolve.js';
