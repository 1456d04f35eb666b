export { Cast, Command, F32, I32, SELECT } from './generated/module.js';
export { formatBytes, type Heap, HeapError, type Holder } from './heap.js';
export {
  CONTROL_BYTES,
  instantiate,
  type KernelExports,
  type Kernels,
  loadKernels,
  SCRATCH_BYTES,
} from './kernels.js';
