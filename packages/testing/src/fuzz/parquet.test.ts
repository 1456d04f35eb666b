import { outcomes, parquet } from './parquet.js';

test('a thousand mutated Parquet files end with all rows or a ReadError', async () => {
  const { passed, failures } = await parquet.run({ rounds: 40, seed: 33 });
  expect(failures).toEqual([]);
  expect(outcomes.read + outcomes.refused).toBe(passed);
  expect(outcomes.refused).toBeGreaterThan(0);
  expect(outcomes.read).toBeGreaterThan(0);
}, 60_000);
