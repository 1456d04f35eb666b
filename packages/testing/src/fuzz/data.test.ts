import { spawnSync } from 'node:child_process';
import { data } from './data.js';
import { WATCHDOG } from './watchdog.js';

test('some seconds of damaged files hold', async () => {
  const { passed, failures } = await data.run({ seconds: 3, seed: 20 });
  expect(failures).toEqual([]);
  expect(passed).toBeGreaterThan(0);
}, 60_000);

test('a case that hangs is told by its seed, and ends the run', () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const cases = new Int32Array(new SharedArrayBuffer(8));
    cases[1] = 77;
    new Worker(${JSON.stringify(WATCHDOG)}, { eval: true, workerData: { cases, seconds: 0.2 } }).on('online', () => {
      for (;;);
    });`;
  const { stdout, signal } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 });
  expect(signal).toBe('SIGKILL');
  expect(stdout).toMatch(/^FAILED: --seed 77\n.*more than 0\.2 s\n\n0 passed, 1 failed\n$/);
}, 60_000);
