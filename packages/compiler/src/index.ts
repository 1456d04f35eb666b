export { WorkerError } from './executor.js';
export { guard } from './guard.js';
export { type JitOptions, jit, type Profile, type Step } from './jit.js';
export type { KernelTime, MemoryUse } from './plan/plan.js';
export { type ScanOptions, scan } from './scan.js';
export { setThreadedWork, setThreads, type Threads, threads } from './scheduler.js';
export { isZero } from './tracer.js';
export { isCompiling } from './tracers.js';
export { Variable, withValues } from './variable.js';
