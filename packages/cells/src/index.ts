export { type DotProductAttentionOptions, dotProductAttention } from './attention.js';
export {
  type AnyCell,
  BaseCell,
  type Cell,
  type CellOptions,
  type CellParams,
  type CellStep,
  type Constants,
  type DropoutMasks,
} from './cell.js';
export {
  type Constraint,
  type ConstraintIdentifier,
  type ConstraintName,
  constraints,
  maxNorm,
  minMaxNorm,
  type NormOptions,
  nonNeg,
  unitNorm,
} from './constraints.js';
export { GRUCell, type GRUCellOptions } from './gru.js';
export {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type InitializeOptions,
  type Initializer,
  type InitializerIdentifier,
  type InitializerName,
  identity,
  initializers,
  lecunNormal,
  lecunUniform,
  ones,
  orthogonal,
  randomNormalInitializer,
  randomUniformInitializer,
  type SeedOption,
  truncatedNormalInitializer,
  type VarianceScalingOptions,
  varianceScaling,
  zeros,
} from './initializers.js';
export { LSTMCell, type LSTMCellOptions, type LSTMState } from './lstm.js';
export { initializeParams, type ParamSpec, RecurrentCell, type StateSize } from './recurrent-cell.js';
export {
  l1,
  l1L2,
  l2,
  orthogonalRegularizer,
  type Regularizer,
  type RegularizerIdentifier,
  type RegularizerName,
  regularizers,
} from './regularizers.js';
export { type RunSequenceOptions, runSequence, type SequenceResult } from './run-sequence.js';
export { SimpleRNNCell } from './simple-rnn.js';
export { StackedRNNCells } from './stacked.js';
