export * from './checks/gradients.js';
export { checkLayer, type LayerSample } from './checks/layer.js';
export { type Example, examplesIn, runExample } from './examples.js';
export { type FormatsMatrix, formatsPage, type MatrixCell } from './formats/page.js';
export { Comparison, TOLERANCES, type Tolerance } from './golden/compare.js';
export { type AreaReport, areasIn, replayArea } from './golden/replay.js';
export { type Coverage, type KerasNames, kerasCoverage, kerasPage } from './keras/coverage.js';
