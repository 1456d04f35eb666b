/**
 * The layers, a line each: what stands here is exported, read from configurations by the name of its class
 * (`deserializeLayer`), and replayed against Keras.
 */

export { Activation } from './activation.js';
export { ActivityRegularization, type ActivityRegularizationOptions } from './activity-regularization.js';
export { AlphaDropout, type AlphaDropoutOptions } from './alpha-dropout.js';
export { AdditiveAttention, type AdditiveAttentionOptions } from './attention/additive-attention.js';
export type { AttentionArguments, AttentionOutput } from './attention/arguments.js';
export { Attention, type AttentionInputs, type AttentionOptions } from './attention/attention.js';
export {
  GroupedQueryAttention,
  // What Keras exports the class as.
  GroupedQueryAttention as GroupQueryAttention,
  type GroupedQueryAttentionOptions,
} from './attention/grouped-query-attention.js';
export type { HeadedArguments, HeadedInputs } from './attention/headed-attention.js';
export { MultiHeadAttention, type MultiHeadAttentionOptions } from './attention/multi-head-attention.js';
export { PositionEmbedding, type PositionEmbeddingOptions } from './attention/position-embedding.js';
export type { PositionArguments } from './attention/positions.js';
export { SinePositionEncoding, type SinePositionEncodingOptions } from './attention/sine-position-encoding.js';
export { Bidirectional, type BidirectionalOptions, type MergeMode } from './bidirectional.js';
export { ConvLSTM1D, type ConvLSTM1DOptions } from './convolution/conv-lstm1d.js';
export { Conv1D, type Conv1DOptions } from './convolution/conv1d.js';
export { Conv1DTranspose, type Conv1DTransposeOptions } from './convolution/conv1d-transpose.js';
export { DepthwiseConv1D, type DepthwiseConv1DOptions } from './convolution/depthwise-conv1d.js';
export { SeparableConv1D, type SeparableConv1DOptions } from './convolution/separable-conv1d.js';
export type { DataFormat } from './convolution/time-axis.js';
export { CRF, type CRFMask, type CRFOptions } from './crf.js';
export { Dense, type DenseOptions } from './dense.js';
export { Dropout, type DropoutOptions } from './dropout.js';
export { EinsumDense, type EinsumDenseOptions } from './einsum-dense.js';
export { ELU, type ELUOptions } from './elu.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { Flatten, type FlattenOptions } from './flatten.js';
export { GaussianDropout, type GaussianDropoutOptions } from './gaussian-dropout.js';
export { GaussianNoise, type GaussianNoiseOptions } from './gaussian-noise.js';
export { GRU, type GRUOptions } from './gru.js';
export { Identity } from './identity.js';
export { Input, InputLayer, type InputOptions } from './input.js';
export { Lambda, type LambdaOptions } from './lambda.js';
export { LeakyReLU, type LeakyReLUOptions } from './leaky-relu.js';
export { LSTM, type LSTMOptions } from './lstm.js';
export { Masking, type MaskingOptions } from './masking.js';
export { Add } from './merging/add.js';
export { Average } from './merging/average.js';
export { Concatenate, type ConcatenateOptions } from './merging/concatenate.js';
export { Dot, type DotOptions } from './merging/dot.js';
export { Maximum } from './merging/maximum.js';
export { Minimum } from './merging/minimum.js';
export { Multiply } from './merging/multiply.js';
export { Subtract } from './merging/subtract.js';
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
export { Permute } from './permute.js';
export { AveragePooling1D } from './pooling/average-pooling1d.js';
export { GlobalAveragePooling1D } from './pooling/global-average-pooling1d.js';
export { GlobalMaxPooling1D } from './pooling/global-max-pooling1d.js';
export type { GlobalPooling1DOptions } from './pooling/global-pooling1d.js';
export { MaxPooling1D } from './pooling/max-pooling1d.js';
export type { Pooling1DOptions } from './pooling/pooling1d.js';
export { PReLU, type PReLUOptions } from './prelu.js';
export * from './preprocessing/index.js';
export { ReLU, type ReLUOptions } from './relu.js';
export { RepeatVector } from './repeat-vector.js';
export { Reshape } from './reshape.js';
export {
  type AnyRecurrent,
  type OutputAndStates,
  type RecurrentArguments,
  type RecurrentOptions,
  RNN,
} from './rnn.js';
export { SequenceMask } from './sequence-mask.js';
export { SimpleRNN, type SimpleRNNOptions } from './simple-rnn.js';
export { Softmax, type SoftmaxOptions } from './softmax.js';
export { SpatialDropout1D, type SpatialDropout1DOptions } from './spatial-dropout1d.js';
export { Cropping1D } from './time/cropping1d.js';
export { UpSampling1D } from './time/up-sampling1d.js';
export { ZeroPadding1D, type ZeroPadding1DOptions } from './time/zero-padding1d.js';
export { TimeDistributed } from './time-distributed.js';
