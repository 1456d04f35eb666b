/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/compiler`). */
export { evalShape, untraced } from './abstract.js';
export { availableEngines, wasmEngine } from './engines/engines.js';
export { guard } from './guard.js';
export { breathe } from './pacer.js';
export type { Supports } from './schedule/supports.js';
export { isZero } from './tracer.js';
export { withValues } from './variable.js';
