export { type Format, formats, readModelFile } from './formats.js';
export type { Limits } from './limits.js';
export type {
  Json,
  JsonObject,
  KerasObject,
  LayerWeights,
  ModelFile,
  NamedTensor,
  OptimizerWeights,
  PlacedTensor,
  WeightGroup,
} from './model-file.js';
