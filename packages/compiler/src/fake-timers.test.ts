import { tensor } from '@recurra/tensor';
import { breathe } from './extend.js';
import { jit } from './index.js';

// A file of its own: turns are first asked for while clocks stand still.
test.each([
  ['all but what this test waits by', { doNotFake: ['hrtime' as const] }],
  ['but the clock', { doNotFake: ['hrtime' as const, 'performance' as const] }],
])('steps come back where a test has stopped time, %s, and after it', async (_, options) => {
  jest.useFakeTimers(options);
  const step = jit((x: ReturnType<typeof tensor>) => x.mul(2));
  for (let i = 0; i < 50; i++) expect((await step(tensor([i]))).toArray()).toEqual([2 * i]);
  const end = process.hrtime.bigint() + 30_000_000n;
  while (process.hrtime.bigint() < end);
  await breathe();
  expect((await step(tensor([7]))).toArray()).toEqual([14]);
  jest.useRealTimers();
  while (process.hrtime.bigint() < end + 30_000_000n);
  await breathe();
  expect((await step(tensor([8]))).toArray()).toEqual([16]);
});
