/**
 * The layers, a line each: what stands here is exported, read from configurations by the name of its class
 * (`deserializeLayer`), and replayed against Keras.
 */
export { Activation } from './activation.js';
export { Bidirectional, type BidirectionalOptions, type MergeMode } from './bidirectional.js';
export { Dense, type DenseOptions } from './dense.js';
export { Dropout, type DropoutOptions } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { GRU, type GRUOptions } from './gru.js';
export { Input, InputLayer, type InputOptions } from './input.js';
export { LSTM, type LSTMOptions } from './lstm.js';
export { Masking, type MaskingOptions } from './masking.js';
export {
  BatchNormalization,
  type BatchNormalizationOptions,
  type RenormClipping,
} from './normalization/batch-normalization.js';
export { GroupNormalization, type GroupNormalizationOptions } from './normalization/group-normalization.js';
export { LayerNormalization, type LayerNormalizationOptions } from './normalization/layer-normalization.js';
export { RMSNormalization, type RMSNormalizationOptions } from './normalization/rms-normalization.js';
export type { ScaleOffsetOptions } from './normalization/scale-offset.js';
export { SpectralNormalization, type SpectralNormalizationOptions } from './normalization/spectral-normalization.js';
export { UnitNormalization, type UnitNormalizationOptions } from './normalization/unit-normalization.js';
export { type RecurrentArguments, type RecurrentOptions, RNN } from './rnn.js';
export { SimpleRNN, type SimpleRNNOptions } from './simple-rnn.js';
