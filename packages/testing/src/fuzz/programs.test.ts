import fc from 'fast-check';
import { programs } from './programs.js';
import { propertyTarget } from './target.js';

test('some seconds of random programs hold', async () => {
  const { passed, failures } = await programs.run({ seconds: 3, seed: 20 });
  expect(failures).toEqual([]);
  expect(passed).toBeGreaterThan(0);
}, 60_000);

test('a failure is made small, and its arguments repeat it alone', async () => {
  const target = propertyTarget('numbers', fc.nat(1000), async (n) => {
    if (n >= 100) throw new Error(`too large: ${n}`);
  });
  const { failures } = await target.run({ seconds: 0.05, seed: 7 });
  const [{ repeat, message }] = failures as [{ repeat: string; message: string }];
  expect(message).toMatch(/too large: 100\b/);
  const [, seed, path] = /^--seed (-?\d+) --path ([\d:]+)$/.exec(repeat)!;
  const again = await target.run({ seconds: 0, seed: Number(seed), path: path! });
  expect(again.failures).toEqual([{ repeat: expect.any(String), message }]);
});
