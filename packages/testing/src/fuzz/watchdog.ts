import { Worker } from 'node:worker_threads';
import type { FuzzTarget } from './target.js';

/**
 * What a second thread does while cases run: it ends the process when one takes longer than the limit, since a case that hangs does not let its own
 * thread say so. As text: it runs from sources and from compiled files alike.
 */
export const WATCHDOG = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { cases, seconds } = workerData;
let seen = -1;
let since = Date.now();
setInterval(() => {
  const now = Atomics.load(cases, 0);
  if (now !== seen) {
    seen = now;
    since = Date.now();
  } else if (Date.now() - since > seconds * 1000) {
    writeSync(1, 'FAILED: --seed ' + Atomics.load(cases, 1) + '\\na case of this seed took more than ' + seconds + ' s\\n\\n0 passed, 1 failed\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}, Math.min(500, seconds * 250));
`;

/** A target whose cases may take so many seconds each: one that takes longer is reported by its seed, and ends the process. */
export function limited(seconds: number, target: FuzzTarget): FuzzTarget {
  return {
    description: target.description,
    run: async (options) => {
      // The number of the case, and its seed.
      const cases = new Int32Array(new SharedArrayBuffer(8));
      const worker = new Worker(WATCHDOG, { eval: true, workerData: { cases, seconds } });
      try {
        return await target.run({
          ...options,
          onCase: (seed) => {
            Atomics.store(cases, 1, seed);
            Atomics.add(cases, 0, 1);
            options.onCase?.(seed);
          },
        });
      } finally {
        await worker.terminate();
      }
    },
  };
}
