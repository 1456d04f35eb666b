import { main } from './cli.js';
import { coresTable } from './cores.js';
import { instructionSets, processor } from './machine.js';
import { absent, peerNames } from './peer.js';
import { format, report, table } from './report.js';
import { cliffs, doubtful, sequenceGigaflop, weightsGigabyte } from './shapes.js';
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

test('what threads gain stands beside what as many processes gain', () => {
  // Two processes make 1.6 times the steps of one; two threads 1.2 times, which is three quarters of that.
  const text = coresTable(2, [{ name: 'W2 train', alone: 10, threaded: 12, copies: 16 }]);
  expect(text.split('\n').at(-1)).toBe('| W2 train | 100 | 83.3 | 1.20 | 1.60 | 0.75 |');
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

test('models are compared with the best sgemm of any peer, on one thread by CPU time, on several by wall', () => {
  const sgemm = (peer: string, threads: number, gops: number, cpu: number) => ({
    ...{
      peer,
      threads,
      workload: 'M1_512',
      phase: 'op',
      gops,
      steps_per_s: (gops * 1e9) / (2 * 512 ** 3),
      cpu_ms: cpu,
    },
  });
  const work = gigaflop('W2').train;
  const train = (peer: string, threads: number, wall: number, cpu: number) => ({
    ...{ peer, threads, workload: 'W2', phase: 'train', steps_per_s: 1000 / wall, cpu_ms: cpu },
  });
  const alone = (2 * 512 ** 3) / 1e9;
  const text = report([
    // 40 GFLOP a CPU second, 80 by two threads; ours less.
    ...[sgemm('torch', 1, 30, (alone / 40) * 1000), sgemm('torch', 2, 80, 9), sgemm('ours-native', 1, 20, 20)],
    train('ours-native', 1, (work / 15) * 1000, (work / 20) * 1000),
    train('ours-native', 2, (work / 40) * 1000, (work / 18) * 1000),
    train('torch', 1, (work / 25) * 1000, (work / 30) * 1000),
  ]);
  expect(text).toContain(
    '@1: 40.0 GFLOP/s, torch@1, M1_512; @2: 80.0 GFLOP/s, torch@2, M1_512\n\n|  | W2 |\n| --- | ---: |\n| torch@1 | 0.75 |\n| ours-native@1 | 0.50 |\n| ours-native@2 | 0.50 |',
  );
  // CPU of one thread beside peers on one; wall of two beside torch on one.
  expect(text).toContain(
    'beside peers on any number\n\n|  | W2 |\n| --- | ---: |\n| ours-native@1 | 0.67 |\n| ours-native@2 | 1.60 |',
  );
  expect(text).toContain('of the same peer\n\n|  | W2 |\n| --- | ---: |\n| ours-native@2 | 2.67 |');
});

test('a machine is named as lscpu names it', () => {
  const lscpu = 'CPU(s):              4\nModel name:          Some CPU\nFlags:               sse2 avx2 fma avx512f\n';
  expect(processor(lscpu)).toBe('Some CPU, AVX-512 and AVX2, 4 processors');
  expect(instructionSets(lscpu)).toEqual(['avx512', 'avx2']);
  expect(processor('Model name: Old\nCPU(s): 1\nFlags: sse2\n')).toBe('Old, 1 processor');
  expect(processor('')).toMatch(/\d processors?$/);
  // A forced instruction set is a peer only where another one runs otherwise.
  if (instructionSets()[0] === 'avx2') expect(absent('ours-native-avx2')).toContain('what ours-native runs on');
});

test('cliffs are cells with less than half of a neighbour', () => {
  expect(
    cliffs([
      [4, 9, 10],
      [5, 4.9, 2.4],
      [5, 3, 11],
    ]),
  ).toEqual([
    [true, false, false],
    [false, false, true],
    [false, true, false],
  ]);
  // Measured again with its neighbours, which other marks may share.
  expect(
    doubtful([
      [false, true, false],
      [true, false, false],
      [false, false, false],
    ]),
  ).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [2, 0],
  ]);
  // 16 MiB of a state's weights in each of 8 steps, as many of the inputs' once.
  expect(weightsGigabyte('lstm', 'predict', 1024, 8)).toBeCloseTo((9 * 2 ** 24) / 1e9, 12);
  // The workload W2 has as many units as inputs.
  expect(sequenceGigaflop('lstm', 128, 32, 200)).toBeCloseTo(gigaflop('W2').forward, 12);
});

test.each([
  [['shapes', '--layer', 'dense'], 'lstm, gru, rnn'],
  [['shapes', '--units', '8,x'], 'positive integers'],
  [['cores', '--threads', '1'], '2 threads or more'],
  [['cores', '--peers', 'ours,torch'], 'one known peer'],
  [['commands', '--workloads', 'W99'], 'known workloads'],
  [['nonsense'], 'shapes, commands'],
])('%j is refused', async (args, said) => {
  const print = jest.spyOn(console, 'error').mockImplementation(() => {});
  expect(await main(args)).toBe(2);
  expect(print.mock.calls.join()).toContain(said);
  print.mockRestore();
});

test('a table of shapes ends with how many cells fall off', async () => {
  const print = jest.spyOn(console, 'log').mockImplementation(() => {});
  const quiet = jest.spyOn(console, 'error').mockImplementation(() => {});
  const args = ['shapes', '--layer', 'gru', '--engine', 'wasm', '--units', '4,5', '--batches', '1,2', '--steps', '3'];
  expect(await main([...args, '--rounds', '1'])).toBe(0);
  const text = print.mock.calls.flat();
  print.mockRestore();
  quiet.mockRestore();
  expect(text[0]).toMatch(
    /^### gru, train: GFLOP.*\n\n\| {2}\| 1 \| 2 \|\n.*\n\| 4 \| [\d.]+( \*)? \| [\d.]+( \*)? \|\n\| 5 \|/,
  );
  expect(text.at(-1)).toMatch(
    /^8 cells, \d under half of a neighbour \(\d before those and their neighbours were measured \d+ times more\)$/,
  );
});

test('bench cores measures one process on all threads beside several', async () => {
  const print = jest.spyOn(console, 'log').mockImplementation(() => {});
  const quiet = jest.spyOn(console, 'error').mockImplementation(() => {});
  const args = ['cores', '--peers', 'ours', '--workloads', 'W8', '--seconds', '0.05', '--rounds', '1'];
  expect(await main(args)).toBe(0);
  const text = print.mock.calls.join('\n');
  print.mockRestore();
  quiet.mockRestore();
  expect(text).toMatch(/\| W8 predict \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|/);
});
