import { join } from 'node:path';
import { areasIn, replayArea } from './replay.js';

const dir = join(__dirname, '../../golden');

/** Everything in them is built: a case that is skipped is a fault. */
const AREAS = [
  'ops',
  'activations',
  'initializers',
  'optimizers',
  'losses',
  'metrics',
  'layers',
  'training',
  'preprocessing',
  'files',
];

test('the golden folder holds every area that is replayed', () => {
  expect(areasIn(dir).sort()).toEqual([...AREAS].sort());
});

// Compiled they are replayed on each engine: engines/golden.ts.
test.each(AREAS)('%s agrees with Keras, eager', async (area) => {
  const report = await replayArea(dir, area);
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(0);
  expect(report.skipped).toEqual([]);
});
