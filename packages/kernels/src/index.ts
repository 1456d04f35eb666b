export {
  Activation,
  BOOLEAN_ONLY,
  Cast,
  ChainLayout,
  Command,
  Control,
  DataType,
  ErrorKind,
  F32,
  FLOAT_ONLY,
  FUNCTIONS,
  I32,
  Pooling,
  PROTOCOL,
  Record,
  Recurrent,
  Reduction,
  Rows,
  SELECT,
  SERIAL,
} from './generated/commands.js';
export { formatBytes, type Heap, HeapError, type Holder } from './heap.js';
export {
  CONTROL_BYTES,
  instantiate,
  type KernelExports,
  type Kernels,
  loadKernels,
  SCRATCH_BYTES,
} from './kernels.js';
export { type Fields, type FieldsOf, type Layout, wordsOf } from './layout.js';
