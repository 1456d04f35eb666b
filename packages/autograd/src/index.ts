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
export { type Tree, treeLeaves, treeMap, treePaths, treeUnflatten } from './tree.js';
