export { GRUCell, initializeParams, LSTMCell, RecurrentCell, SimpleRNNCell, StackedRNNCells } from '@recurra/cells';
export { type Registrable, registerSerializable } from '@recurra/tensor';
export { describeLayer as serializeLayer, type SerializedLayer } from './base/describe.js';
export { type AnyLayer, type CallOptions, type Context, Layer, type LayerConfig } from './base/layer.js';
export { Model, type ModelOptions } from './base/model.js';
export type {
  EvaluateOptions,
  FitOptions,
  PredictOptions,
  Targets,
  ValidationData,
  Weights,
} from './base/model-options.js';
export { resetNames as clearSession } from './base/naming.js';
export type { DTypePolicy, LayerOptions } from './base/options.js';
export { Sequential } from './base/sequential.js';
export { SymbolicTensor } from './base/symbolic.js';
export { Variable, type VariableOptions, type VariableRole } from './base/variable.js';
export * from './layers/index.js';
export * from './losses/index.js';
export * from './metrics/index.js';
export { type PlotOptions, plotModel } from './plot.js';
export type { Asset, PlainData } from './saving/assets.js';
export {
  decodeModel,
  type EncodeModelOptions,
  encodeModel,
  type LoadModelOptions,
  loadAssets,
  loadModel,
} from './saving/files.js';
export type { FileSource, LoadWeightsOptions, SaveOptions, StorageOptions } from './saving/options.js';
export {
  type CellClass,
  type DeserializeOptions,
  deserializeLayer,
  type LayerClass,
  modelFromConfig,
} from './serialize.js';
export type { SummaryOptions } from './summary.js';
export type { Batch, BatchSource } from './training/batches.js';
export {
  Callback,
  type CallbackModel,
  type CallbackState,
  type EpochLogs,
  type TrainInfo,
} from './training/callback.js';
export * from './training/callbacks/index.js';
export { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './training/checkpoint/checkpoint-file.js';
export {
  loadCheckpoint,
  modelFromCheckpoint,
  type SaveCheckpointOptions,
  saveCheckpoint,
} from './training/checkpoint/model-checkpoint.js';
export { downloadStorage } from './training/download-storage.js';
export { fetchStorage } from './training/fetch-storage.js';
export { fileStorage } from './training/file-storage.js';
export { indexedDbStorage } from './training/indexed-db-storage.js';
export type { Logs } from './training/logs.js';
export type { MonitorMode } from './training/monitor.js';
export { memoryStorage, nodeStorage, type Storage } from './training/storage.js';
export type { CompileOptions } from './training/trainer.js';
