import { allocate } from '../dtype.js';
import { denseData, type NDArray, ndarray } from '../ndarray.js';
import { type Aval, definePrimitive, type Primitive, type Sample } from '../primitive.js';
import { expectOperand } from './shapes.js';

/** How windows lie in a sequence; they end where it does. */
export interface PoolingParams {
  /** Steps of the sequence. */
  readonly time: number;
  /** The number of windows. */
  readonly count: number;
  readonly size: number;
  readonly stride: number;
  /** Steps of the first window that lie before the sequence. */
  readonly before: number;
}

/** Calls f for each channel of each window with its place in [batch, windows, channels], that of its first step in the sequence, and its steps. */
function eachWindow(
  batch: number,
  channels: number,
  { time, count, size, stride, before }: PoolingParams,
  f: (at: number, from: number, steps: number) => void,
): void {
  for (let b = 0, at = 0; b < batch; b++)
    for (let n = 0; n < count; n++) {
      const first = Math.max(0, n * stride - before);
      const steps = Math.min(time, n * stride - before + size) - first;
      for (let c = 0; c < channels; c++) f(at++, (b * time + first) * channels + c, steps);
    }
}

/** The place of the largest element of a window, the first of equals; NaN counts as larger than all. */
function largest(x: ArrayLike<number>, from: number, steps: number, channels: number): number {
  let place = from;
  for (let t = 1, at = from + channels; t < steps; t++, at += channels) {
    const best = x[place]!;
    if (!(best >= x[at]! || Number.isNaN(best))) place = at;
  }
  return place;
}

/** The windows of a sequence [batch, time, channels]. */
const windows = (name: string, x: Aval, { time, count }: PoolingParams): Aval[] => {
  expectOperand(name, 'a sequence', x, [null, time, null]);
  return [{ shape: [x.shape[0]!, count, x.shape[2]!], dtype: x.dtype }];
};
/** The sequence of windows [batch, count, channels]. */
const steps = (name: string, g: Aval, { time, count }: PoolingParams): Aval[] => {
  expectOperand(name, 'a gradient', g, [null, count, null]);
  return [{ shape: [g.shape[0]!, time, g.shape[2]!], dtype: g.dtype }];
};

/** Fills an output by a function of the data. */
function filled(
  out: Aval,
  inputs: readonly NDArray[],
  f: (y: { [i: number]: number }, data: readonly ArrayLike<number>[], batch: number, channels: number) => void,
): NDArray[] {
  const [batch, length, channels] = out.shape as readonly [number, number, number];
  const y = allocate(out.dtype, batch * length * channels);
  f(y, inputs.map(denseData), batch, channels);
  return [ndarray(out.dtype, out.shape, y)];
}

const SHAPES: readonly (readonly [batch: number, channels: number, params: PoolingParams])[] = [
  [2, 3, { time: 8, count: 4, size: 2, stride: 2, before: 0 }],
  [1, 5, { time: 7, count: 5, size: 3, stride: 1, before: 0 }],
  [2, 4, { time: 5, count: 3, size: 3, stride: 2, before: 1 }],
  [1, 6, { time: 4, count: 2, size: 9, stride: 2, before: 3 }],
  [1, 2, { time: 8, count: 3, size: 2, stride: 3, before: 0 }],
  [0, 2, { time: 4, count: 2, size: 2, stride: 2, before: 0 }],
  [2, 0, { time: 4, count: 2, size: 2, stride: 2, before: 0 }],
  [2, 3, { time: 0, count: 0, size: 2, stride: 2, before: 0 }],
];

const samples = (...inputs: readonly ('x' | 'y')[]): Sample<PoolingParams>[] =>
  SHAPES.map(([batch, channels, params]) => ({
    inputs: inputs.map((which) => ({ shape: [batch, which === 'x' ? params.time : params.count, channels] })),
    params,
  }));

/** Elements of the second input at the places where those of the first are largest in their windows. */
export const windowPick: Primitive<PoolingParams> = definePrimitive<PoolingParams>({
  name: 'windowPick',
  abstract: ([x, values], params) => {
    expectOperand('windowPick', 'a sequence', x!, values!.shape);
    return windows('windowPick', values!, params);
  },
  evaluate: (inputs, params, [out]) =>
    filled(out!, inputs, (y, [x, values], batch, channels) =>
      eachWindow(batch, channels, params, (at, from, n) => {
        y[at] = values![largest(x!, from, n, channels)]!;
      }),
    ),
  vjp: ({ inputs: [x], cotangents: [g], params, needs, bind }) => [
    null,
    needs[1] ? bind(windowUnpick, [x!, g!], params)[0]! : null,
  ],
  samples: samples('x', 'x'),
});

/** The transpose of {@link windowPick} in what is picked. */
export const windowUnpick: Primitive<PoolingParams> = definePrimitive<PoolingParams>({
  name: 'windowUnpick',
  abstract: ([x, g], params) => {
    const [sequence] = steps('windowUnpick', g!, params);
    expectOperand('windowUnpick', 'a sequence', x!, sequence!.shape);
    return [sequence!];
  },
  evaluate: (inputs, params, [out]) =>
    filled(out!, inputs, (dx, [x, g], batch, channels) =>
      eachWindow(batch, channels, params, (at, from, n) => {
        dx[largest(x!, from, n, channels)]! += g![at]!;
      }),
    ),
  vjp: ({ inputs: [x], cotangents: [c], params, needs, bind }) => [
    null,
    needs[1] ? bind(windowPick, [x!, c!], params)[0]! : null,
  ],
  samples: samples('x', 'y'),
});

/** The sum of each window. */
export const windowSum: Primitive<PoolingParams> = definePrimitive<PoolingParams>({
  name: 'windowSum',
  abstract: ([x], params) => windows('windowSum', x!, params),
  evaluate: (inputs, params, [out]) =>
    filled(out!, inputs, (y, [x], batch, channels) =>
      eachWindow(batch, channels, params, (at, from, n) => {
        let sum = 0;
        for (let t = 0; t < n; t++) sum += x![from + t * channels]!;
        y[at] = sum;
      }),
    ),
  vjp: ({ cotangents: [g], params, bind }) => [bind(windowSpread, [g!], params)[0]!],
  samples: samples('x'),
});

/** The transpose of {@link windowSum}: each value added to all steps of its window. */
export const windowSpread: Primitive<PoolingParams> = definePrimitive<PoolingParams>({
  name: 'windowSpread',
  abstract: ([g], params) => steps('windowSpread', g!, params),
  evaluate: (inputs, params, [out]) =>
    filled(out!, inputs, (dx, [g], batch, channels) =>
      eachWindow(batch, channels, params, (at, from, n) => {
        for (let t = 0; t < n; t++) dx[from + t * channels]! += g![at]!;
      }),
    ),
  vjp: ({ cotangents: [c], params, bind }) => [bind(windowSum, [c!], params)[0]!],
  samples: samples('y'),
});
