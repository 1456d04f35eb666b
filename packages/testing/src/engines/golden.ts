import assert from 'node:assert/strict';
import { replayArea } from '../golden/replay.js';
import type { EngineCase } from './case.js';

/** Areas whose replay runs through `jit`; the others compute no tensors in steps. */
const AREAS = ['ops', 'activations', 'optimizers', 'losses', 'metrics', 'layers', 'training', 'files'];

/** The golden cases of a folder, in compiled steps. */
export function goldenCases(dir: string): readonly EngineCase[] {
  return AREAS.map((area) => ({
    name: `golden ${area}, compiled: as Keras`,
    run: async () => {
      const report = await replayArea(dir, area, { compiled: true });
      assert.deepEqual(report.failed, []);
      assert.deepEqual(report.skipped, []);
      assert.ok(report.passed.length > 0);
    },
  }));
}
