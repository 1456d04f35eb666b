import { join } from 'node:path';
import { areasIn, replayArea } from './replay.js';

const dir = join(__dirname, '../../golden');

/**
 * What is not built yet, by area: cases whose names hold one of these texts are skipped, and no others. A text that no skipped case holds is
 * stale, and fails.
 */
const NOT_YET: Record<string, readonly (string | RegExp)[]> = {
  ops: [],
  activations: [],
  initializers: [],
  optimizers: [],
  losses: [],
  metrics: [],
  layers: [],
  training: [],
  preprocessing: [],
};

const holds = (name: string, text: string | RegExp): boolean =>
  typeof text === 'string' ? name.includes(text) : text.test(name);

test('the golden folder holds every area that is replayed', () => {
  expect(areasIn(dir)).toEqual(Object.keys(NOT_YET));
});

/** Areas whose replay runs through `jit` too; the others compute no tensors in steps. */
const COMPILED = ['ops', 'activations', 'optimizers', 'losses', 'metrics', 'layers', 'training'];

test.each([
  ...Object.keys(NOT_YET).map((area) => [area, 'eager'] as const),
  ...COMPILED.map((area) => [area, 'compiled'] as const),
])('%s agrees with Keras, %s', async (area, mode) => {
  const report = await replayArea(dir, area, { compiled: mode === 'compiled' });
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(0);
  const notYet = NOT_YET[area]!;
  expect(report.skipped.filter((name) => !notYet.some((text) => holds(name, text)))).toEqual([]);
  expect(notYet.filter((text) => !report.skipped.some((name) => holds(name, text)))).toEqual([]);
});
