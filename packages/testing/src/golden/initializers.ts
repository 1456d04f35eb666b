import { initializers as initializerTable } from '@recurra/cells';
import type { Shape, Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, toTensor } from './format.js';
import { keras } from './layers.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Replays one case of the area `initializers`: exact values, or the facts that a draw must show. */
export function replayInitializer(c: GoldenCase, comparison: Comparison): boolean {
  const { class_name: className, config, shape } = c['config'] as { class_name: string; config: Json; shape: Shape };
  const key = `${className[0]!.toLowerCase()}${className.slice(1)}` as keyof typeof initializerTable;
  const make = initializerTable[key] as unknown as
    | ((o: Json) => { create(s: Shape, o?: { key: Tensor }): Tensor })
    | undefined;
  if (!make) return false;
  const options = keras({ class_name: className, config }).config;
  // Keras' configuration of Identity leaves its gain out: it stands in the recorded matrix.
  const recorded = className === 'Identity' ? { gain: c['outputs'].out.data[0] } : {};
  const initializer = make({ ...options, ...recorded });
  if (c['outputs']) {
    comparison.tensor('out', initializer.create(shape), c['outputs'].out, TOLERANCES.exact);
    return true;
  }
  const streams = [1, 1, 2].map((seed) => initializer.create(shape, { key: seedKey(seed) }));
  const values: number[] = [...streams[0]!.data];
  comparison.equal('the same key gives the same values', values, [...streams[1]!.data]);
  comparison.check(
    'another key gives other values',
    values.some((v, i) => v !== streams[2]!.data[i]),
  );
  const expect = c['expect'];
  if (expect.kind === 'orthogonal') {
    const [rows, columns] = expect.flatten_to as [number, number];
    const a = streams[0]!.reshape([rows, columns]).cast('float64');
    const gram = rows <= columns ? a.matmul(a.transpose()) : a.transpose().matmul(a);
    const gain = config.gain ?? 1;
    const n = Math.min(rows, columns);
    const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? gain * gain : 0));
    comparison.numbers('gram matrix', gram.data, identity, { rtol: 0, atol: expect.tolerance });
    return true;
  }
  const n = values.length;
  const mean = values.reduce((s: number, v: number) => s + v, 0) / n;
  const std = Math.sqrt(values.reduce((s: number, v: number) => s + (v - mean) ** 2, 0) / n);
  comparison.numbers('mean', [mean], [expect.mean], { rtol: 0, atol: (4 * expect.std) / Math.sqrt(n) });
  comparison.numbers('standard deviation', [std], [expect.std], { rtol: 0.1, atol: 0 });
  if (expect.min !== undefined) {
    const slack = 1e-6 * Math.max(Math.abs(expect.min), Math.abs(expect.max));
    comparison.check(
      'values within the bounds',
      values.every((v: number) => v >= expect.min - slack && v <= expect.max + slack),
    );
  }
  return true;
}

function seedKey(seed: number): Tensor {
  return toTensor({ shape: [2], dtype: 'int32', data: [seed, 20261123] });
}
