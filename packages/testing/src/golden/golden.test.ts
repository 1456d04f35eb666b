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

/** Areas whose replay runs through `jit` too; the others compute no tensors in steps. */
const COMPILED = ['ops', 'activations', 'optimizers', 'losses', 'metrics', 'layers', 'training', 'files'];

test.each([...AREAS.map((area) => [area, 'eager'] as const), ...COMPILED.map((area) => [area, 'compiled'] as const)])(
  '%s agrees with Keras, %s',
  async (area, mode) => {
    const report = await replayArea(dir, area, { compiled: mode === 'compiled' });
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(0);
    expect(report.skipped).toEqual([]);
  },
);
