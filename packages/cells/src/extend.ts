/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/cells`). */
export { allowedKeys, MASKED } from './attention.js';
export {
  CELL_OPTIONS,
  describeCell,
  describeConstraint,
  describeInitializer,
  describeRegularizer,
  dropoutMask,
  expectCell,
  outputShapeOf,
  type SequenceKernel,
  stepAxesOf,
  type WeightRules,
} from './cell.js';
export { resolveConstraint } from './constraints.js';
export { computeDType } from './dtype.js';
export { GATED_CELL_OPTIONS, GatedCell, type GatedCellOptions } from './gated.js';
export { GRU_CELL_OPTIONS } from './gru.js';
export { fans, resolveInitializer, withoutInitialValues } from './initializers.js';
export { LSTM_CELL_OPTIONS } from './lstm.js';
export { resolveRegularizer } from './regularizers.js';
export { resolveSerialized } from './serialized.js';
export { startsAtZero } from './starts.js';
