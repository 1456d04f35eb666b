import { join } from 'node:path';
import { formats } from './formats.js';

test('a thousand damaged files of models end with what they hold or a FormatError', async () => {
  const target = formats(join(__dirname, '../../golden/files'));
  const { passed, failures } = await target.run({ rounds: 40, seed: 13 });
  expect(failures).toEqual([]);
  const counts = [...target.outcomes.values()];
  expect(counts.reduce((n, { read, refused }) => n + read + refused, 0)).toBe(passed);
  // Each reader met both.
  expect(counts.filter(({ read, refused }) => read === 0 || refused === 0)).toEqual([]);
}, 60_000);
