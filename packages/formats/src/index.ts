export {
  type Format,
  type FormatKind,
  formats,
  type ModelPart,
  type ReadContext,
  type WrittenFiles,
} from './formats.js';
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
export { decodeOnnx } from './onnx/decode.js';
export { encodeOnnx, type OnnxOptions } from './onnx/encode.js';
export { pytorchStateDict } from './pytorch/export.js';
export type { PytorchModules, WeightedLayer, WeightedModel } from './pytorch/layers.js';
export { type LoadPytorchOptions, loadPytorchWeights, type PytorchReport } from './pytorch/load.js';
export {
  type PytorchKind,
  type PytorchLayer,
  type PytorchWeightsOptions,
  pytorchWeights,
  type StateDict,
} from './pytorch/state-dict.js';
export { type ReadModelFileOptions, readModelFile } from './read-model-file.js';
export {
  type ReadSafetensorsOptions,
  readSafetensors,
  type Safetensors,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsHeader,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.js';
export { readSafetensorsWeights, writeSafetensorsWeights } from './safetensors-weights.js';
export { type FileFormat, sniffFormat } from './sniff.js';
export type { Quantization } from './tfjs/quantization.js';
export {
  type Beside,
  readTfjs,
  readTfjsArtifacts,
  type TfjsArtifacts,
  type WriteTfjsOptions,
  writeTfjs,
} from './tfjs/tfjs.js';
