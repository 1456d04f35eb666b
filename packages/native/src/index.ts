export { description, endThreads, protocol, run, runNow, size } from './engine.js';
