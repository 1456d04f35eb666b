export { type AttentionOptions, dotProductAttention } from './attention.js';
export {
  type AnyCell,
  BaseCell,
  CELL_OPTIONS,
  type Cell,
  type CellOptions,
  type CellParams,
  type CellStep,
  type Constants,
  type DropoutMasks,
  describeActivation,
  describeCell,
  describeConstraint,
  describeInitializer,
  describeRegularizer,
  expectCell,
  type SequenceKind,
  type WeightRules,
} from './cell.js';
export * from './constraints.js';
export { computeDType } from './dtype.js';
export { GATED_CELL_OPTIONS, GatedCell, type GatedCellOptions } from './gated.js';
export { GRU_CELL_OPTIONS, GRUCell, type GRUCellOptions } from './gru.js';
export * from './initializers.js';
export { LSTM_CELL_OPTIONS, LSTMCell, type LSTMCellOptions, type LSTMState } from './lstm.js';
export { initializeParams, type ParamSpec, RecurrentCell, type StateSize } from './recurrent-cell.js';
export * from './regularizers.js';
export { type RunSequenceOptions, runSequence, type SequenceResult } from './run-sequence.js';
export { isSerialized, resolveSerialized, type Serialized } from './serialized.js';
export { SimpleRNNCell } from './simple-rnn.js';
export { StackedRNNCells } from './stacked.js';
