export type { EngineName, KernelTime, MemoryUse, Threads } from './engines/engine.js';
export {
  type EngineChoice,
  EngineError,
  type EngineInfo,
  engine,
  setEngine,
} from './engines/engines.js';
export { setThreadedWork } from './engines/threads.js';
export { WorkerError } from './engines/wasm/executor.js';
export { type JitOptions, jit, type Profile, type Step } from './jit.js';
export { MemoryError } from './memory.js';
export { type ScanOptions, scan } from './scan.js';
export { setThreads, threads } from './scheduler.js';
export { isCompiling } from './tracers.js';
export { Variable } from './variable.js';
