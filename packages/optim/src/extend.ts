/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/optim`). */
export { resolveOptimizer } from './resolve.js';
export { isSchedule, learningRateAt } from './schedule.js';
export type { Slots } from './slots.js';
