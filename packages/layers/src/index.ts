export { resetNames as clearSession } from './internal/naming.js';
export { type CallOptions, Layer, type LayerConfig, type LayerOptions, type PartialShape } from './layer.js';
export { Bidirectional, type BidirectionalOptions, type MergeMode } from './layers/bidirectional.js';
export {
  Activation,
  Dense,
  type DenseOptions,
  Dropout,
  Embedding,
  type EmbeddingOptions,
  Input,
  InputLayer,
  type InputOptions,
  Masking,
} from './layers/core.js';
export {
  GRU,
  type GRUOptions,
  LSTM,
  type LSTMOptions,
  RecurrentLayer,
  type RecurrentOptions,
  SimpleRNN,
  type SimpleRNNOptions,
} from './layers/recurrent.js';
export * from './losses/index.js';
export * from './metrics/index.js';
export { type EvaluateOptions, type FitOptions, Sequential } from './sequential.js';
export { deserializeLayer, type SerializedLayer, serializeLayer } from './serialize.js';
export type { Batch, BatchSource } from './training/batches.js';
export {
  Callback,
  EarlyStopping,
  type EarlyStoppingOptions,
  History,
  LambdaCallback,
  type Logs,
  TerminateOnNaN,
  type TrainInfo,
} from './training/callbacks.js';
export { formatDuration, ProgressLogger, type Verbosity } from './training/progress.js';
export type { CompileOptions } from './training/trainer.js';
export { Variable, withValues } from './variable.js';
