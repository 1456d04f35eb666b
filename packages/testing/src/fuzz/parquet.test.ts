import { outcomes, parquet } from './parquet.js';

test('some seconds of mutated Parquet files end with all rows or a ReadError', async () => {
  const { passed, failures } = await parquet.run({ seconds: 5, seed: 33 });
  expect(failures).toEqual([]);
  expect(outcomes.read + outcomes.refused).toBe(passed);
  expect(outcomes.refused).toBeGreaterThan(0);
  expect(outcomes.read).toBeGreaterThan(0);
}, 60_000);
