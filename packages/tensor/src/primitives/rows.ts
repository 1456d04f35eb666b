import { allocate } from '../dtype.js';
import { denseData, type NDArray, ndarray } from '../ndarray.js';
import { type Aval, definePrimitive, type Primitive, type Sample } from '../primitive.js';
import type { Tensor } from '../tensor.js';
import { expectOperand } from './shapes.js';

/** Functions of rows: of the last axis as a whole. The compiler has kernels for them, which read a row once. */

/** Calls f for every row of dense arrays, with the places where it begins. */
function eachRow(
  inputs: readonly NDArray[],
  out: Aval,
  f: (data: readonly ArrayLike<number>[], start: number, n: number, y: { [i: number]: number }) => void,
): NDArray[] {
  const { shape, dtype } = out;
  const n = shape[shape.length - 1]!;
  const data = inputs.map((x) => denseData(x));
  const size = shape.reduce((a, b) => a * b, 1);
  const y = allocate(dtype, size);
  for (let start = 0; start < size; start += n) f(data, start, n, y);
  return [ndarray(dtype, shape, y)];
}

/** The largest m of a row, and the sum of e^(x - m). */
function exponentials(x: ArrayLike<number>, start: number, n: number): [number, number] {
  let m = -Infinity;
  for (let i = start; i < start + n; i++) m = x[i]! > m || Number.isNaN(x[i]!) ? x[i]! : m;
  let s = 0;
  for (let i = start; i < start + n; i++) s += Math.exp(x[i]! - m);
  return [m, s];
}

const first = (inputs: readonly Aval[]): Aval[] => [{ shape: inputs[0]!.shape, dtype: inputs[0]!.dtype }];
/** Of a result and the gradient that comes to it: one of another shape would be read beside its rows. */
const firstOfTwo =
  (name: string) =>
  (inputs: readonly Aval[]): Aval[] => {
    const [x, g] = inputs as readonly [Aval, Aval];
    expectOperand(name, 'a gradient', g, x.shape);
    return first(inputs);
  };
const samples = (count: 1 | 2): Sample<null>[] =>
  [[2, 5], [3], [2, 0], [1, 2, 9]].map((shape) => ({
    inputs: Array.from({ length: count }, () => ({ shape, low: -2, high: 2 })),
    params: null,
  }));
const sum = (x: Tensor): Tensor => x.sum(-1, { keepDims: true });
const mean = (x: Tensor): Tensor => x.mean(-1, { keepDims: true });

/** The gradient of softmax from its result: y (g - sum(g y)). */
export const softmaxBackward: Primitive<null> = definePrimitive<null>({
  name: 'softmaxBackward',
  abstract: firstOfTwo('softmaxBackward'),
  evaluate: (inputs, _params, [out]) =>
    eachRow(inputs, out!, ([y, g], start, n, dx) => {
      let s = 0;
      for (let i = start; i < start + n; i++) s += y![i]! * g![i]!;
      for (let i = start; i < start + n; i++) dx[i] = y![i]! * (g![i]! - s);
    }),
  vjp: ({ inputs: [y, g], cotangents: [c], bind }) => [
    c!.mul(g!.sub(sum(g!.mul(y!)))).sub(g!.mul(sum(c!.mul(y!)))),
    bind(softmaxBackward, [y!, c!], null)[0]!,
  ],
  samples: samples(2),
});

/** e^x / sum(e^x) of each row. */
export const softmaxRows: Primitive<null> = definePrimitive<null>({
  name: 'softmax',
  abstract: first,
  evaluate: (inputs, _params, [out]) =>
    eachRow(inputs, out!, ([x], start, n, y) => {
      const [m, s] = exponentials(x!, start, n);
      for (let i = start; i < start + n; i++) y[i] = Math.exp(x![i]! - m) / s;
    }),
  vjp: ({ outputs: [y], cotangents: [g], bind }) => bind(softmaxBackward, [y!, g!], null),
  samples: samples(1),
});

/** The gradient of log softmax from its result: g - e^y sum(g). */
export const logSoftmaxBackward: Primitive<null> = definePrimitive<null>({
  name: 'logSoftmaxBackward',
  abstract: firstOfTwo('logSoftmaxBackward'),
  evaluate: (inputs, _params, [out]) =>
    eachRow(inputs, out!, ([y, g], start, n, dx) => {
      let s = 0;
      for (let i = start; i < start + n; i++) s += g![i]!;
      for (let i = start; i < start + n; i++) dx[i] = g![i]! - Math.exp(y![i]!) * s;
    }),
  vjp: ({ inputs: [y, g], cotangents: [c] }) => {
    const p = y!.exp();
    return [c!.mul(p).mul(sum(g!)).neg(), c!.sub(sum(c!.mul(p)))];
  },
  samples: samples(2),
});

/** x - log(sum(e^x)) of each row. */
export const logSoftmaxRows: Primitive<null> = definePrimitive<null>({
  name: 'logSoftmax',
  abstract: first,
  evaluate: (inputs, _params, [out]) =>
    eachRow(inputs, out!, ([x], start, n, y) => {
      const [m, s] = exponentials(x!, start, n);
      const low = Math.log(s);
      for (let i = start; i < start + n; i++) y[i] = x![i]! - m - low;
    }),
  vjp: ({ outputs: [y], cotangents: [g], bind }) => bind(logSoftmaxBackward, [y!, g!], null),
  samples: samples(1),
});

/** What is added to variances. */
export interface NormalizeParams {
  readonly epsilon: number;
}

const EPSILONS = [1e-3, 0.5];
const normalizeSamples = (count: 1 | 2): Sample<NormalizeParams>[] =>
  EPSILONS.flatMap((epsilon) => samples(count).map(({ inputs }) => ({ inputs, params: { epsilon } })));

/** Mean and 1 / sqrt(variance + epsilon) of a row. */
function statistics(x: ArrayLike<number>, start: number, n: number, epsilon: number): [number, number] {
  let m = 0;
  for (let i = start; i < start + n; i++) m += x[i]!;
  m /= n;
  let v = 0;
  for (let i = start; i < start + n; i++) v += (x[i]! - m) ** 2;
  return [m, 1 / Math.sqrt(v / n + epsilon)];
}

/** The gradient of {@link normalizeRows}, y its result and r = 1 / sqrt(variance + epsilon): r (g - mean(g) - y mean(g y)). */
export const normalizeBackward: Primitive<NormalizeParams> = definePrimitive<NormalizeParams>({
  name: 'normalizeBackward',
  abstract: firstOfTwo('normalizeBackward'),
  evaluate: (inputs, { epsilon }, [out]) =>
    eachRow(inputs, out!, ([x, g], start, n, dx) => {
      const [m, r] = statistics(x!, start, n, epsilon);
      let a = 0;
      let b = 0;
      for (let i = start; i < start + n; i++) {
        a += g![i]! / n;
        b += (g![i]! * (x![i]! - m) * r) / n;
      }
      for (let i = start; i < start + n; i++) dx[i] = r * (g![i]! - a - (x![i]! - m) * r * b);
    }),
  vjp: ({ inputs: [x, g], cotangents: [c], params, bind }) => {
    const centred = x!.sub(mean(x!));
    const r = mean(centred.square()).add(params.epsilon).rsqrt();
    const y = centred.mul(r);
    const [gy, cy] = [mean(g!.mul(y)), mean(c!.mul(y))];
    // Through y, and through r: its derivative is -r^2 y / n.
    const dy = c!.mul(gy).add(g!.mul(cy)).mul(r).neg();
    const inner = g!.sub(mean(g!)).sub(y.mul(gy));
    const dr = mean(c!.mul(inner));
    const dx = bind(normalizeBackward, [x!, dy], params)[0]!.sub(y.mul(r.square()).mul(dr));
    return [dx, bind(normalizeBackward, [x!, c!], params)[0]!];
  },
  samples: normalizeSamples(2),
});

/** (x - mean) / sqrt(variance + epsilon) of each row. */
export const normalizeRows: Primitive<NormalizeParams> = definePrimitive<NormalizeParams>({
  name: 'normalize',
  abstract: first,
  evaluate: (inputs, { epsilon }, [out]) =>
    eachRow(inputs, out!, ([x], start, n, y) => {
      const [m, r] = statistics(x!, start, n, epsilon);
      for (let i = start; i < start + n; i++) y[i] = (x![i]! - m) * r;
    }),
  vjp: ({ inputs: [x], cotangents: [g], params, bind }) => bind(normalizeBackward, [x!, g!], params),
  samples: normalizeSamples(1),
});
