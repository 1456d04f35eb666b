export { checkpoint, customGradient, type GradOptions, grad, stopGradient, valueAndGrad, vjp } from './grad.js';
export { type Tree, treeLeaves, treeMap, treeUnflatten } from './tree.js';
