import { valueAndGrad } from '@recurra/autograd';
import { Command } from '@recurra/kernels';
import { zeros } from '@recurra/tensor';
import { currentEngine, EngineError } from '../engines/engines.js';
import type { Graph } from '../graph.js';
import { scan, Variable } from '../index.js';
import { Tracer } from '../tracer.js';
import { whileTracing } from '../tracers.js';
import { schedule } from './planner.js';
import { Address, isCommand } from './program.js';

const w = new Variable(zeros([3, 2]), 'w');

/** A step of training with a loop in it. */
function traced(): Graph {
  const tracer = new Tracer();
  return whileTracing(tracer, () => {
    const x = tracer.input({ shape: [4, 3], dtype: 'float32' });
    const { value, gradient } = valueAndGrad((weights: typeof x) => {
      const y = x.matmul(weights).tanh();
      return scan((sum: typeof x, v: typeof x) => ({ carry: sum.mul(0.5).add(v), y: sum }), zeros([2]), y)
        .ys.square()
        .sum();
    })(w.value);
    w.assign(w.value.sub(gradient.mul(0.1)));
    return tracer.finish([value], 'step');
  });
}

test('a graph is planned where there is no engine: commands over buffers, without addresses', () => {
  const { WebAssembly: module } = globalThis;
  Reflect.deleteProperty(globalThis, 'WebAssembly');
  try {
    const { steps, buffers, inputs, outputs, variables, updated, work } = schedule(traced());
    expect(() => currentEngine()).toThrow(EngineError);
    expect(() => currentEngine()).toThrow(/expected an environment with WebAssembly/);
    const commands = steps.filter(isCommand);
    expect(commands).toHaveLength(steps.length);
    expect(new Set(commands.map((c) => c.layout))).toEqual(
      new Set([Command.chain, Command.gemm, Command.reduce, Command.loop]),
    );
    expect(work).toBe(commands.reduce((sum, c) => sum + c.work, 0));
    expect([inputs.length, outputs.length]).toEqual([1, 1]);
    expect([variables, updated]).toEqual([[w], [w]]);
    // Each buffer lives from the first to the last command that touches it.
    const touched = new Map<unknown, number[]>();
    const touch = (fields: object, at: number): void => {
      for (const field of Object.values(fields))
        if (field instanceof Address) touched.set(field.buffer.root, [...(touched.get(field.buffer.root) ?? []), at]);
    };
    const walk = (command: (typeof commands)[number], at: number): void => {
      touch(command.fields, at);
      for (const record of Object.values(command.records).flat()) touch(record, at);
      for (const inner of command.body) walk(inner, at);
    };
    commands.forEach(walk);
    expect(touched.size).toBeGreaterThan(5);
    for (const buffer of buffers) {
      const positions = touched.get(buffer) ?? [];
      expect(buffer.first).toBeLessThanOrEqual(Math.min(...positions));
      expect(buffer.last).toBeGreaterThanOrEqual(Math.max(...positions));
    }
    const loops = commands.filter((c) => c.layout.name === 'loop');
    expect(loops).toHaveLength(2);
    for (const { body } of loops)
      for (const { fields } of body)
        for (const field of Object.values(fields)) if (field instanceof Address) expect(field.buffer.sized).toBeNull();
  } finally {
    globalThis.WebAssembly = module;
  }
});

test('the schedule is the same for the same graph, and another one for each: buffers are its own', () => {
  const [a, b] = [schedule(traced()), schedule(traced())];
  expect(a.steps.map((s) => s.label)).toEqual(b.steps.map((s) => s.label));
  expect(a.buffers.map((s) => [s.bytes, s.first, s.last, s.place])).toEqual(
    b.buffers.map((s) => [s.bytes, s.first, s.last, s.place]),
  );
  expect(a.buffers.some((buffer) => b.buffers.includes(buffer))).toBe(false);
});
