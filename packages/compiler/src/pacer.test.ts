import { setTimeout as sleep } from 'node:timers/promises';
import { tensor } from '@recurra/tensor';
import { breathe } from './extend.js';
import { jit, Variable } from './index.js';

test('awaiting a small step in a loop lets timers run, about as often as a page is drawn', async () => {
  const v = new Variable(tensor([0]), 'v');
  const step = jit(() => {
    v.assign(v.value.add(1));
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  let immediates = 0;
  setImmediate(() => immediates++);
  const begin = performance.now();
  let steps = 0;
  while (performance.now() - begin < 600) {
    await step();
    steps++;
  }
  clearInterval(timer);
  expect(v.value.item()).toBe(steps);
  expect(immediates).toBe(1);
  // 600 ms / 16 ms is 37; on a busy machine fewer.
  expect(ticks).toBeGreaterThanOrEqual(5);
  // Turns are taken now and then, not after every step.
  expect(ticks).toBeLessThan(steps / 5);
});

test('breathe() asks for a turn only where one is due', async () => {
  await (breathe() ?? null);
  expect(breathe()).toBeNull();
  await sleep(20);
  const turn = breathe();
  expect(turn).toBeInstanceOf(Promise);
  // Those who ask meanwhile wait for the same turn.
  expect(breathe()).toBe(turn);
  let ran = false;
  setImmediate(() => {
    ran = true;
  });
  await turn;
  await (breathe() ?? null);
  expect(breathe()).toBeNull();
  await sleep(1);
  expect(ran).toBe(true);
});
