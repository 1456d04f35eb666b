export { description, endThreads, protocol, run, runNow, size, slower } from './engine.js';
