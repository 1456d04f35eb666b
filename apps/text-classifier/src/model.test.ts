import { buildModel, CELLS, countWeights, weightShapes } from './model.js';

test.each(CELLS.flatMap((cell) => [false, true].map((both) => [cell, both] as const)))(
  'the shapes of weights are known without building: %s, bidirectional %s',
  (cell, bidirectional) => {
    const architecture = { cell, units: 3, layers: 2, bidirectional, embedding: 5, dropout: 0.1 };
    const sizes = { vocabulary: 7, maxLength: 4, classes: 2 };
    const model = buildModel(architecture, sizes);
    expect(weightShapes(architecture, sizes)).toEqual(model.weights.map((w) => [...w.value.shape]));
    expect(countWeights(architecture, sizes)).toBe(model.countParams());
    const paths = model.weights.map((w) => w.path);
    expect(new Set(paths).size).toBe(paths.length);
    // Names do not depend on what else was made in the process.
    expect(buildModel(architecture, sizes).weights.map((w) => w.path)).toEqual(paths);
  },
);
