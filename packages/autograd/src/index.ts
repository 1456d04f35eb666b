export {
  barrier,
  checkpoint,
  customGradient,
  type GradOptions,
  grad,
  stopGradient,
  valueAndGrad,
  vjp,
} from './grad.js';
export { expectTensors, type Tree, treeLeaves, treeLeavesLike, treeMap, treePaths, treeUnflatten } from './tree.js';
