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
