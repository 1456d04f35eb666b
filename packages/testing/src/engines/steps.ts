import assert from 'node:assert/strict';
import { grad, treeLeaves, treeMap, valueAndGrad } from '@recurra/autograd';
import { type Cell, type CellParams, GRUCell, LSTMCell, runSequence, SimpleRNNCell } from '@recurra/cells';
import { engine, jit, MemoryError, scan, setEngine, setThreadedWork, setThreads, Variable } from '@recurra/compiler';
import {
  arange,
  ones,
  randomKey,
  randomNormal,
  randomUniform,
  softmax,
  splitKey,
  type Tensor,
  tensor,
  zeros,
} from '@recurra/tensor';
import { type EngineCase, expectClose } from './case.js';

const draw = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });

// biome-ignore lint/suspicious/noExplicitAny: cells of any state
type AnyCell = Cell<CellParams, any>;

const CELLS: readonly (readonly [string, (units: number) => AnyCell])[] = [
  ['SimpleRNN', (units) => new SimpleRNNCell(units)],
  ['SimpleRNN, relu', (units) => new SimpleRNNCell(units, { activation: 'relu' })],
  ['LSTM', (units) => new LSTMCell(units)],
  ['LSTM without bias', (units) => new LSTMCell(units, { useBias: false })],
  ['GRU', (units) => new GRUCell(units)],
  ['GRU, reset before', (units) => new GRUCell(units, { resetAfter: false })],
  ['LSTM, recurrent dropout', (units) => new LSTMCell(units, { dropout: 0.3, recurrentDropout: 0.4 })],
  ['LSTM, hard sigmoid (a loop)', (units) => new LSTMCell(units, { recurrentActivation: 'hardSigmoid' })],
];
/** Batch, steps, features, units: one of each, odd ones, more rows and units than a register tile, more steps than a chunk. */
const SIZES: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 1, 1],
  [2, 3, 4, 5],
  [5, 7, 3, 17],
  [33, 12, 20, 33],
];

/** A whole sequence with its gradients, compiled and step by step; masks and directions take turns. */
const SEQUENCES: readonly EngineCase[] = CELLS.flatMap(([name, make]) =>
  SIZES.map(([batch, time, features, units], k) => ({
    name: `sequence of ${name}, ${[batch, time, features, units].join(' x ')}: values and gradients as step by step`,
    run: async () => {
      const cell = make(units);
      const [a, b, c, d] = splitKey(randomKey(k + 77), 4) as [Tensor, Tensor, Tensor, Tensor];
      const params = cell.init(features, { key: a });
      const x = randomNormal([batch, time, features], { key: b });
      const mask = k % 2 === 1 ? randomUniform([batch, time], { key: c }).greater(0.3) : null;
      const dropout = cell.drawMasks(batch, features, { key: d });
      const loss = (p: CellParams, v: Tensor): Tensor => {
        const options = { reverse: k > 1, dropout, ...(mask ? { mask } : {}) };
        const { outputs, state } = runSequence(cell, p, v, options);
        const last = treeLeaves(state).map((leaf) => leaf.square().sum());
        return last.reduce((sum, one) => sum.add(one), outputs!.square().mean());
      };
      const f = (p: CellParams, v: Tensor) => {
        const { value, gradient } = valueAndGrad(([own, input]: [CellParams, Tensor]) => loss(own, input))([p, v]);
        return [value, ...treeLeaves(gradient)];
      };
      expectClose(await jit(f)(params, x), f(params, x), 1e-4);
    },
  })),
);

/** Kernels fill vectors with units that are not there: what is infinite must not make NaN of them and so of all. */
const INFINITE: readonly EngineCase[] = CELLS.flatMap(([name, make], k) =>
  [1, 5, 9, 17].map((units) => ({
    name: `sequence of ${name}, ${units} units: infinite inputs saturate gates, as step by step`,
    run: async () => {
      const cell = make(units);
      const params = cell.init(1, { key: randomKey(k) });
      const dropout = cell.drawMasks(3, 1, { key: randomKey(k + 1) });
      const x = tensor(
        [
          [1, Infinity, 2, -Infinity, 3, 4],
          [1, 2, 3, 4, 5, 6],
          [-Infinity, 1, 0.5, 2, 1, 1],
        ],
        { shape: [3, 6, 1] },
      );
      const f = (p: CellParams, v: Tensor): Tensor[] => {
        const { outputs, state } = runSequence(cell, p, v, { dropout });
        return [outputs!, ...treeLeaves(state)];
      };
      expectClose(await jit(f)(params, x), f(params, x), 1e-5);
      const toInput = (p: CellParams, v: Tensor): Tensor => grad((input: Tensor) => f(p, input)[0]!.sum())(v);
      expectClose([await jit(toInput)(params, x)], [toInput(params, x)], 1e-5);
    },
  })),
);

/** Cells that forget what was before within some ten steps: their gradients shrink on the way back until float32 has no more normal numbers. */
const FORGETFUL: readonly (readonly [string, AnyCell])[] = [
  ['SimpleRNN', new SimpleRNNCell(6)],
  ['LSTM', new LSTMCell(6, { unitForgetBias: false })],
  ['GRU', new GRUCell(6)],
  ['GRU, reset before', new GRUCell(6, { resetAfter: false })],
  ['LSTM, recurrent dropout', new LSTMCell(6, { unitForgetBias: false, recurrentDropout: 0.2 })],
];

/** Below this, 2^-126, numbers are subnormal: some processors take a hundred times as long for them. */
const SMALLEST_NORMAL = 2 ** -126;

/** Of engines' own kernels: the host evaluates with subnormals. */
export const VANISHING: readonly EngineCase[] = FORGETFUL.map(([name, cell], k) => ({
  name: `sequence of ${name}: gradients that vanish are 0 before they are subnormal, all others as in float64`,
  run: async () => {
    const [batch, time, features] = [4, 300, 8] as const;
    const keys = splitKey(randomKey(k + 5), 3) as [Tensor, Tensor, Tensor];
    const params = treeMap((t: Tensor) => t.mul(0.5), cell.init(features, { key: keys[0] }));
    const x = randomNormal([batch, time, features], { key: keys[1] });
    const dropout = cell.drawMasks(batch, features, { key: keys[2] });
    const loss = (own: CellParams, v: Tensor, masks: typeof dropout): Tensor =>
      treeLeaves(runSequence(cell, own, v, { dropout: masks }).state)[0]!.sum();
    const gradient = await jit((v: Tensor) => grad((input: Tensor) => loss(params, input, dropout))(v))(x);
    const wide = <T>(tree: T): T => treeMap((t: Tensor) => t.cast('float64'), tree as never) as T;
    const expected = grad((input: Tensor) => loss(wide(params), input, wide(dropout)))(x.cast('float64'));
    // Beside the largest of its step: rounding adds up on the way.
    const scale = expected.abs().max(-1, { keepDims: true }).broadcastTo(expected.shape).data;
    let [tiny, zeros] = [0, 0];
    gradient.data.forEach((v: number, i: number) => {
      const e = expected.data[i]!;
      assert.ok(v === 0 || Math.abs(v) >= SMALLEST_NORMAL, `element ${i} is subnormal: ${v}`);
      assert.ok(Math.abs(v - e) <= 1e-3 * scale[i]! + 2 ** -80, `element ${i}: expected ${e}, received ${v}`);
      if (Math.abs(e) < 1e-45) zeros++;
      else if (Math.abs(e) < SMALLEST_NORMAL) tiny++;
    });
    // Some would be subnormal, and some nothing at all.
    assert.ok(tiny > 20 && zeros > 20, `of the exact gradients ${tiny} are subnormal, ${zeros} below them`);
  },
}));

const SCANS: readonly EngineCase[] = [
  {
    name: 'scan: forward, backward, masked, and its gradient',
    run: async () => {
      const xs = draw([6, 3], 1);
      const mask = tensor([true, false, true, true, false, true]);
      for (const options of [{}, { reverse: true }, { mask }, { mask, reverse: true }]) {
        const f = (v: Tensor, start: Tensor) =>
          treeLeaves(
            valueAndGrad(([input, first]: [Tensor, Tensor]) => {
              const { carry, ys } = scan(
                (sum: Tensor, one: Tensor) => ({ carry: sum.mul(0.5).add(one.tanh()), y: sum.mul(one) }),
                first,
                input,
                options,
              );
              return carry.square().sum().add(ys.sum());
            })([v, start]),
          );
        expectClose(await jit(f)(xs, ones([3])), f(xs, ones([3])), 1e-5);
      }
    },
  },
  {
    name: 'scan within a scan, and integers in the carry',
    run: async () => {
      const f = (v: Tensor): Tensor[] => {
        const outer = scan(
          ({ sum, count }: { sum: Tensor; count: Tensor }, row: Tensor) => {
            const inner = scan((s: Tensor, x: Tensor) => ({ carry: s.add(x), y: s }), sum, row);
            return { carry: { sum: inner.carry, count: count.add(tensor(1, { dtype: 'int32' })) }, y: inner.ys };
          },
          { sum: zeros([]), count: tensor(0, { dtype: 'int32' }) },
          v,
        );
        return [outer.carry.sum, outer.carry.count, outer.ys];
      };
      expectClose(await jit(f)(draw([4, 5], 2)), f(draw([4, 5], 2)), 1e-6);
    },
  },
];

const parameters = { w: draw([96, 200], 1), b: draw([200], 2), u: draw([200, 40], 3) };

const THREADS: readonly EngineCase[] = [
  {
    name: 'threads: results are the same to the bit for 1, 2 and 3',
    run: async () => {
      const loss = (p: typeof parameters, v: Tensor): Tensor =>
        softmax(v.matmul(p.w).add(p.b).tanh().matmul(p.u)).square().sum(-1).add(v.mean()).mean();
      const cells = [new LSTMCell(37), new GRUCell(37), new GRUCell(37, { resetAfter: false }), new SimpleRNNCell(37)];
      const steps = cells.map((cell) =>
        jit(
          valueAndGrad((p: CellParams, v: Tensor) =>
            runSequence(cell as AnyCell, p, v)
              .outputs!.square()
              .sum(),
          ),
        ),
      );
      const step = jit(valueAndGrad(loss));
      const results: number[][] = [];
      try {
        setThreadedWork(0);
        for (const count of [1, 2, 3]) {
          await setThreads(count);
          const found = treeLeaves(await step(parameters, draw([1025, 96], 4)));
          for (const [i, one] of steps.entries())
            found.push(...treeLeaves(await one(cells[i]!.init(5, { key: randomKey(i) }), draw([13, 9, 5], i))));
          results.push(found.flatMap((t) => [...t.data]));
        }
      } finally {
        setThreadedWork(null);
        await setThreads('auto');
      }
      assert.deepEqual(results[1], results[0]);
      assert.deepEqual(results[2], results[0]);
    },
  },
];

const FAILURES: readonly EngineCase[] = [1, 2].map((threads) => ({
  name: `failures on ${threads} threads: what indices name that is not there is told, and variables stay as they were`,
  run: async () => {
    const v = new Variable(ones([4, 2]), 'v');
    const step = jit(
      (i: Tensor) => {
        v.assign(v.value.mul(2));
        return v.value.take(i, 0);
      },
      { name: 'lookup' },
    );
    try {
      setThreadedWork(0);
      await setThreads(threads);
      const index = (...list: number[]): Tensor => tensor(list, { dtype: 'int32' });
      assert.deepEqual((await step(index(0, -1))).toArray(), [
        [2, 2],
        [2, 2],
      ]);
      await assert.rejects(step(index(0, 7)), /expected .*4.*received 7|7/);
      await assert.rejects(step(index(-5, 0)), /-5/);
      assert.deepEqual([...v.value.at(3).data], [2, 2]);
      // In a loop, where the command is one within another.
      const walked = jit((table: Tensor, i: Tensor) =>
        scan((sum: Tensor, at: Tensor) => ({ carry: sum.add(table.take(at, 0)), y: sum }), zeros([2]), i),
      );
      await assert.rejects(walked(ones([3, 2]), index(0, 1, 9)), /9/);
      assert.deepEqual((await walked(ones([3, 2]), index(0, 1, 2))).carry.toArray(), [3, 3]);
      assert.deepEqual((await step(index(1))).toArray(), [[4, 4]]);
    } finally {
      setThreadedWork(null);
      await setThreads('auto');
      v.dispose();
    }
  },
}));

const MEMORY: readonly EngineCase[] = [
  {
    name: 'memory: a step that does not fit says so before it starts, and the next one is right',
    run: async () => {
      const v = new Variable(tensor([1, 2]), 'v');
      const step = jit(
        (a: Tensor) => {
          v.assign(v.value.mul(2));
          return a.matmul(a.transpose()).sum();
        },
        { name: 'train' },
      );
      assert.equal((await step(ones([100, 1]))).item(), 10_000);
      await assert.rejects(step(ones([40_000, 1])), (error: unknown) => {
        assert.ok(error instanceof MemoryError);
        assert.match(error.message, /^train: expected 5\.96 GiB .* received a step that is larger/);
        return true;
      });
      assert.deepEqual(v.value.toArray(), [2, 4]);
      assert.equal((await step(ones([100, 1]))).item(), 10_000);
    },
  },
  {
    name: 'memory: many steps and signatures take no more of it than few',
    run: async () => {
      const step = jit((a: Tensor) => softmax(a.mul(2).add(1)).sum(), { cacheSize: 4 });
      const first = step.memory(ones([3, 3]));
      for (let i = 0; i < 300; i++)
        await step(
          arange(1 + (i % 40))
            .reshape([1, -1])
            .cast('float32'),
        );
      assert.equal(step.cached, 4);
      assert.deepEqual(step.memory(ones([3, 3])), first);
      step.dispose();
      assert.equal(step.cached, 0);
    },
  },
  {
    name: 'variables: read, assigned and exchanged between steps',
    run: async () => {
      const [a, b] = [new Variable(tensor([1, 2]), 'a'), new Variable(tensor([3, 4]), 'b')];
      const exchange = jit(() => {
        const [x, y] = [a.value, b.value];
        a.assign(y);
        b.assign(x.add(1));
      });
      await exchange();
      assert.deepEqual(
        [a.value.toArray(), (await b.read()).toArray()],
        [
          [3, 4],
          [2, 3],
        ],
      );
      a.assign(tensor([10, 20]));
      await exchange();
      assert.deepEqual(
        [(await a.read()).toArray(), b.value.toArray()],
        [
          [2, 3],
          [11, 21],
        ],
      );
    },
  },
];

/** A step of some 50 milliseconds, for what is done while it runs. */
const large = draw([400, 400], 9).mul(0.05);
const longStep = () =>
  jit(
    (a: Tensor) => {
      let b = a;
      for (let i = 0; i < 30; i++) b = b.matmul(a).tanh().add(a);
      return b;
    },
    { name: 'long' },
  );

/** Does something while a step runs on two threads; the step, one that waits for it and one after give what they give alone. */
async function meanwhile(act: (step: ReturnType<typeof longStep>) => unknown): Promise<void> {
  const step = longStep();
  const counter = new Variable(zeros([2]), 'counter');
  const count = jit((x: Tensor) => counter.assign(counter.value.add(x)));
  try {
    await setThreads(2);
    const alone = [...(await step(large)).data];
    let hasEnded = false;
    const running = [step(large), step(large)];
    const counted = count(ones([2]));
    void running[0]!.then(() => {
      hasEnded = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(hasEnded, false, 'expected a step that still runs');
    const acted = act(step);
    for (const result of await Promise.all(running)) assert.deepEqual([...result.data], alone);
    await counted;
    await acted;
    await count(ones([2]));
    assert.deepEqual(counter.value.toArray(), [2, 2]);
    assert.deepEqual([...(await step(large)).data], alone);
  } finally {
    await setThreads('auto');
    step.dispose();
    counter.dispose();
  }
}

/** Of steps that run elsewhere: what the host evaluates runs on the calling thread. */
export const MEANWHILE: readonly EngineCase[] = [
  {
    name: 'while a step runs, another number of threads is asked for, twice',
    run: () => meanwhile(() => Promise.all([setThreads(1), setThreads(3)])),
  },
  {
    name: 'while a step runs, its function is disposed of',
    run: () => meanwhile((step) => step.dispose()),
  },
  {
    name: 'while a step runs, another one fails',
    run: () =>
      meanwhile(async () => {
        const lookup = jit((i: Tensor) => ones([3]).take(i, 0), { name: 'lookup' });
        await assert.rejects(lookup(tensor([9], { dtype: 'int32' })), /9/);
        assert.deepEqual((await lookup(tensor([1], { dtype: 'int32' }))).toArray(), [1]);
      }),
  },
  {
    name: 'while a step runs, WebAssembly is chosen, and the engine again: both compute, and variables keep their values',
    run: async () => {
      const { name } = engine();
      const step = longStep();
      const v = new Variable(ones([3]), 'v');
      const double = jit(() => v.assign(v.value.mul(2)));
      try {
        await setThreads(2);
        const alone = await step(large);
        const running = step(large);
        const doubled = double();
        assert.equal((await setEngine('wasm')).name, 'wasm');
        expectClose([await running, await step(large)], [alone, alone], 1e-4);
        await doubled;
        await double();
        const again = step(large);
        await setEngine(name);
        expectClose([await again, await step(large)], [alone, alone], 1e-4);
        await double();
        assert.deepEqual(v.value.toArray(), [8, 8, 8]);
      } finally {
        await setEngine(name);
        await setThreads('auto');
        v.dispose();
      }
    },
  },
  {
    name: 'the calling thread does not wait for a step on threads: natively, for one on a single thread either',
    run: async () => {
      const step = longStep();
      try {
        for (const count of engine().name === 'native' ? [1, 2] : [2]) {
          await setThreads(count);
          await step(large);
          const running = step(large);
          let hasEnded = false;
          let turns = 0;
          void running.then(() => {
            hasEnded = true;
          });
          while (!hasEnded) {
            turns++;
            await new Promise((resolve) => setImmediate(resolve));
          }
          // Of thousands: a calling thread that waits has one.
          assert.ok(turns >= 5, `expected turns of the event loop while the step ran, counted ${turns}`);
        }
      } finally {
        await setThreads('auto');
        step.dispose();
      }
    },
  },
];

/** What engines do beside single operations: sequences, loops, threads, failures, memory, what is done while they run. */
export const STEPS: readonly EngineCase[] = [
  ...SEQUENCES,
  ...INFINITE,
  ...VANISHING,
  ...SCANS,
  ...THREADS,
  ...FAILURES,
  ...MEMORY,
  ...MEANWHILE,
];
