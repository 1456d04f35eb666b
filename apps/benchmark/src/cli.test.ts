import { peerNames } from './peer.js';
import { format, report, table } from './report.js';
import { batch, gigaflop, uniform, WORKLOADS, weights } from './workloads.js';

test('weights and batches have the sizes of their workload, and follow their seed', () => {
  const parameters = (name: string): number => weights(name).reduce((sum, w) => sum + w.data.length, 0);
  // As every peer counts them.
  expect(['W1', 'W2', 'W3', 'W4', 'W5', 'W8', 'W9', 'W10'].map(parameters)).toEqual([
    328353, 2691713, 2659201, 322113, 804993, 8320, 2708993, 2642177,
  ]);
  for (const name of Object.keys(WORKLOADS)) {
    const { x, xShape, y, yShape } = batch(name);
    expect([x.length, y.length]).toEqual([xShape.reduce((a, b) => a * b), yShape.reduce((a, b) => a * b)]);
  }
  expect([...uniform(7, 3)]).toEqual([...uniform(7, 3)]);
  expect(Math.max(...uniform(7, 1000))).toBeLessThan(1);
});

test('the work of a workload is that of its matrix products', () => {
  // LSTM(128), 200 steps, batch 32: two products of 4 x 128 columns with 128 rows, a multiplication and an addition each.
  expect(gigaflop('W2').forward).toBeCloseTo((2 * 32 * 200 * 4 * 128 * 256) / 1e9, 9);
  expect(gigaflop('W2').train).toBeCloseTo(3 * gigaflop('W2').forward, 9);
});

test('a report has medians, lowest CPU times and ratios to ours', () => {
  const answer = (peer: string, speed: number, cpu: number) => ({
    ...{ peer, threads: 1, workload: 'W1', phase: 'train', steps_per_s: speed, cpu_ms: cpu },
  });
  const text = report([
    answer('ours', 100, 9),
    answer('ours', 200, 5),
    answer('ours', 250, 6),
    answer('torch', 50, 10),
  ]);
  expect(text).toContain('| ours@1 | 5.00 |');
  expect(text).toContain(
    'CPU time over that of ours@1 (more than 1: ours is faster)\n\n|  | W1 |\n| --- | ---: |\n| torch@1 | 2.00 |',
  );
  expect(table(['a'], [['b']])).toBe('| a |\n| --- |\n| b |');
  expect([format(1234), format(12.34), format(1.234), format(0.01234), format(undefined)]).toEqual([
    ...['1234', '12.3', '1.23', '0.012', '-'],
  ]);
  expect(peerNames).toContain('ours');
});

test('products of models and of sgemm are compared by one clock: CPU seconds', () => {
  const base = { peer: 'ours', threads: 2, steps_per_s: 100 };
  // 0.268435456 GFLOP a call in 10 ms of two threads: 26.8 GFLOP/s of wall, 13.4 a CPU second; the second round was disturbed.
  const gops = (2 * 512 ** 3 * 100) / 1e9;
  const text = report([
    { ...base, workload: 'W2', phase: 'train', cpu_ms: (gigaflop('W2').train / 12) * 1000 },
    { ...base, workload: 'M1_512', phase: 'op', gops, cpu_ms: 20 },
    { ...base, workload: 'M1_512', phase: 'op', gops: gops / 2, steps_per_s: 50, cpu_ms: 25 },
  ]);
  expect(text).toContain(
    'train: GFLOP of matrix products a CPU second\n\n|  | W2 |\n| --- | ---: |\n| ours@2 | 12.0 |',
  );
  expect(text).toContain('(wall, best round)\n\n|  | M1_512 |\n| --- | ---: |\n| ours@2 | 26.8 |');
  expect(text).toContain('a CPU second, all threads (best round)\n\n|  | M1_512 |\n| --- | ---: |\n| ours@2 | 13.4 |');
  expect(text).toContain('over the same of sgemm alone (M1_512)\n\n|  | W2 |\n| --- | ---: |\n| ours@2 | 0.89 |');
});
