export { WorkerError } from './executor.js';
export { type JitOptions, jit, type Profile, type Step } from './jit.js';
export { MemoryError } from './memory.js';
export type { KernelTime, MemoryUse } from './plan/plan.js';
export { type ScanOptions, scan } from './scan.js';
export { setThreadedWork, setThreads, type Threads, threads } from './scheduler.js';
export { isCompiling } from './tracers.js';
export { Variable } from './variable.js';
