/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/autograd`). */
export { barrier } from './grad.js';
export { expectTensors, treeLeavesLike, treePaths } from './tree.js';
