import { randomKey, randomNormal } from '@recurra/tensor';
import { Sequential } from '../../base/sequential.js';
import { Dense } from '../../layers/dense.js';
import { formatDuration, type Verbosity } from './progress.js';

/** What a short training writes to standard output. */
async function written(verbose: Verbosity): Promise<string> {
  let out = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  try {
    const model = new Sequential([new Dense(1)]);
    model.compile({ loss: 'mse', metrics: ['mae'] });
    const x = randomNormal([8, 2], { key: randomKey(1) });
    await model.fit(x, x.sum(1), { epochs: 2, batchSize: 4, verbose });
  } finally {
    spy.mockRestore();
  }
  return out.replaceAll('\x1b[K', '<clear>');
}

test('plain lines: one an epoch, with the time left', async () => {
  const lines = (await written(2)).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^Epoch 1\/2 - [\d.]+m?s, [\d.]+m?s left - loss: \d+\.\d{4} - mae: \d+\.\d{4}$/);
  expect(lines[1]).toMatch(/^Epoch 2\/2 - [\d.]+m?s - loss: /);
});

test('the bar of a terminal is redrawn in place, and ends full', async () => {
  const out = await written(1);
  expect(out).toContain('Epoch 1/2\n');
  expect(out).toMatch(/\r<clear>\d\/2 ━*─* [\d.]+m?s left - loss: /);
  expect(out).toMatch(/\r<clear>2\/2 ━{20} [\d.]+m?s [\d.]+m?s\/step - loss: \d+\.\d{4} - mae: \d+\.\d{4}\n/);
});

test('the bar does not reach over the edge of the terminal, whose lines could not be drawn over', async () => {
  const before = Object.getOwnPropertyDescriptor(process.stdout, 'columns');
  Object.defineProperty(process.stdout, 'columns', { value: 30, configurable: true, writable: true });
  try {
    const drawn = (await written(1)).split('\r<clear>').filter((line) => !line.includes('\n'));
    expect(drawn.length).toBeGreaterThan(0);
    for (const line of drawn) expect(line).toHaveLength(29);
  } finally {
    if (before) Object.defineProperty(process.stdout, 'columns', before);
    else delete (process.stdout as { columns?: number }).columns;
  }
});

test('silence on request', async () => {
  expect(await written(0)).toBe('');
});

test('durations', () => {
  expect([0.0123, 1.25, 59.94, 61, 3600].map(formatDuration)).toEqual(['12ms', '1.3s', '59.9s', '1m01s', '60m00s']);
  expect([0.9996, 59.97, 119.6, 3599.7].map(formatDuration)).toEqual(['1.0s', '1m00s', '2m00s', '60m00s']);
});
