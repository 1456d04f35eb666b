import assert from 'node:assert/strict';
import { readArea } from '../golden/format.js';
import { replayCase } from '../golden/replay.js';
import type { EngineCase } from './case.js';

/** Areas whose replay runs through `jit`; the others compute no tensors in steps. */
const AREAS = ['ops', 'activations', 'optimizers', 'losses', 'metrics', 'layers', 'training', 'files'];

/** The golden cases of a folder, in compiled steps, by areas. */
export function goldenFamilies(dir: string): ReadonlyMap<string, readonly EngineCase[]> {
  return new Map(
    AREAS.map((area) => [
      `golden ${area}`,
      readArea(dir, area).flatMap(({ file, cases }) =>
        cases.map((c) => ({
          name: `golden ${area}/${file.replace(/\.json$/, '')}/${c.name}, compiled: as Keras`,
          run: async () => {
            const { outcome, messages } = await replayCase(dir, area, file, c, { compiled: true });
            assert.deepEqual(messages, []);
            assert.equal(outcome, 'passed');
          },
        })),
      ),
    ]),
  );
}
