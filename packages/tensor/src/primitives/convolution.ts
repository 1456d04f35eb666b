import { allocate, type TypedArray } from '../dtype.js';
import { denseData, ndarray } from '../ndarray.js';
import { type Aval, definePrimitive, type Primitive, type Sample } from '../primitive.js';
import { gemm } from './matmul.js';
import { expectOperand } from './shapes.js';

/** How windows lie in a sequence that has been padded. */
export interface ConvolutionParams {
  readonly stride: number;
  readonly dilation: number;
  /** Steps of the sequence. */
  readonly time: number;
  /** Steps of a window. */
  readonly size: number;
}

/** The number of windows. */
const countOf = ({ time, size, stride, dilation }: ConvolutionParams): number =>
  Math.max(0, Math.floor((time - (size - 1) * dilation - 1) / stride) + 1);

/** A product of what is summed has its dtype; booleans count as integers. */
const result = (shape: readonly number[], { dtype }: Aval): Aval[] => [
  { shape, dtype: dtype === 'bool' ? 'int32' : dtype },
];

/** Calls f with the place of each element of each window: a row of [batch * windows, size * channels], and where its channels begin in the sequence. */
function eachStep(
  batch: number,
  channels: number,
  params: ConvolutionParams,
  f: (at: number, from: number) => void,
): void {
  const { time, size, stride, dilation } = params;
  const count = countOf(params);
  let at = 0;
  for (let b = 0; b < batch; b++)
    for (let n = 0; n < count; n++)
      for (let j = 0; j < size; j++, at += channels) f(at, (b * time + n * stride + j * dilation) * channels);
}

/** The windows side by side: [batch * windows, size * channels]. */
function laidOut(x: TypedArray, batch: number, channels: number, params: ConvolutionParams): Float64Array {
  const out = new Float64Array(batch * countOf(params) * params.size * channels);
  eachStep(batch, channels, params, (at, from) => {
    for (let c = 0; c < channels; c++) out[at + c] = x[from + c]!;
  });
  return out;
}

const SHAPES: readonly (readonly [batch: number, channels: number, filters: number, params: ConvolutionParams])[] = [
  [2, 3, 4, { stride: 1, dilation: 1, time: 7, size: 3 }],
  [1, 5, 2, { stride: 2, dilation: 1, time: 8, size: 3 }],
  [2, 2, 3, { stride: 1, dilation: 2, time: 8, size: 3 }],
  [3, 1, 1, { stride: 3, dilation: 2, time: 9, size: 2 }],
  [1, 17, 19, { stride: 1, dilation: 1, time: 6, size: 2 }],
  [2, 3, 2, { stride: 4, dilation: 1, time: 9, size: 2 }],
  [2, 3, 2, { stride: 1, dilation: 1, time: 2, size: 3 }],
  [0, 3, 2, { stride: 1, dilation: 1, time: 5, size: 3 }],
  [2, 0, 2, { stride: 1, dilation: 1, time: 5, size: 3 }],
  [2, 3, 0, { stride: 1, dilation: 1, time: 5, size: 3 }],
];

const samples = (a: 'x' | 'y', b: 'kernel' | 'y'): Sample<ConvolutionParams>[] =>
  SHAPES.map(([batch, channels, filters, params]) => {
    const shapes = {
      x: [batch, params.time, channels],
      y: [batch, countOf(params), filters],
      kernel: [params.size, channels, filters],
    };
    return { inputs: [{ shape: shapes[a] }, { shape: shapes[b] }], params };
  });

/** y[b, n, o] = sum over j, c of x[b, n stride + j dilation, c] kernel[j, c, o]. */
export const convolution: Primitive<ConvolutionParams> = definePrimitive<ConvolutionParams>({
  name: 'convolution',
  abstract: ([x, kernel], params) => {
    expectOperand('convolution', 'a sequence', x!, [null, params.time, null]);
    expectOperand('convolution', 'a kernel', kernel!, [params.size, x!.shape[2]!, null]);
    return result([x!.shape[0]!, countOf(params), kernel!.shape[2]!], x!);
  },
  evaluate: ([x, kernel], params, [out]) => {
    const [batch, count, filters] = out!.shape as readonly [number, number, number];
    const channels = x!.shape[2]!;
    const depth = params.size * channels;
    const y = allocate(out!.dtype, batch * count * filters);
    const rows = laidOut(denseData(x!), batch, channels, params);
    gemm(batch * count, filters, depth, rows, 0, depth, 1, denseData(kernel!), 0, filters, 1, y, 0);
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs: [x, kernel], cotangents: [g], params, needs, bind }) => [
    needs[0] ? bind(convolutionInput, [g!, kernel!], params)[0]! : null,
    needs[1] ? bind(convolutionKernel, [x!, g!], params)[0]! : null,
  ],
  samples: samples('x', 'kernel'),
});

/** The transpose of {@link convolution} in x: dx[b, n stride + j dilation, c] += g[b, n, o] kernel[j, c, o]. */
export const convolutionInput: Primitive<ConvolutionParams> = definePrimitive<ConvolutionParams>({
  name: 'convolutionInput',
  abstract: ([g, kernel], params) => {
    expectOperand('convolutionInput', 'a gradient', g!, [null, countOf(params), null]);
    expectOperand('convolutionInput', 'a kernel', kernel!, [params.size, null, g!.shape[2]!]);
    return result([g!.shape[0]!, params.time, kernel!.shape[1]!], g!);
  },
  evaluate: ([g, kernel], params, [out]) => {
    const [batch, time, channels] = out!.shape as readonly [number, number, number];
    const [, count, filters] = g!.shape as readonly [number, number, number];
    const depth = params.size * channels;
    const rows = new Float64Array(batch * count * depth);
    gemm(batch * count, depth, filters, denseData(g!), 0, filters, 1, denseData(kernel!), 0, 1, filters, rows, 0);
    const sums = new Float64Array(batch * time * channels);
    eachStep(batch, channels, params, (at, from) => {
      for (let c = 0; c < channels; c++) sums[from + c]! += rows[at + c]!;
    });
    const dx = allocate(out!.dtype, sums.length);
    dx.set(sums);
    return [ndarray(out!.dtype, out!.shape, dx)];
  },
  vjp: ({ inputs: [g, kernel], cotangents: [c], params, needs, bind }) => [
    needs[0] ? bind(convolution, [c!, kernel!], params)[0]! : null,
    needs[1] ? bind(convolutionKernel, [c!, g!], params)[0]! : null,
  ],
  samples: samples('y', 'kernel'),
});

/** The transpose of {@link convolution} in the kernel: dk[j, c, o] = sum over b, n of x[b, n stride + j dilation, c] g[b, n, o]. */
export const convolutionKernel: Primitive<ConvolutionParams> = definePrimitive<ConvolutionParams>({
  name: 'convolutionKernel',
  abstract: ([x, g], params) => {
    expectOperand('convolutionKernel', 'a sequence', x!, [null, params.time, null]);
    expectOperand('convolutionKernel', 'a gradient', g!, [x!.shape[0]!, countOf(params), null]);
    return result([params.size, x!.shape[2]!, g!.shape[2]!], x!);
  },
  evaluate: ([x, g], params, [out]) => {
    const [size, channels, filters] = out!.shape as readonly [number, number, number];
    const batch = x!.shape[0]!;
    const depth = size * channels;
    const rows = laidOut(denseData(x!), batch, channels, params);
    const dk = allocate(out!.dtype, depth * filters);
    gemm(depth, filters, batch * countOf(params), rows, 0, 1, depth, denseData(g!), 0, filters, 1, dk, 0);
    return [ndarray(out!.dtype, out!.shape, dk)];
  },
  vjp: ({ inputs: [x, g], cotangents: [c], params, needs, bind }) => [
    needs[0] ? bind(convolutionInput, [g!, c!], params)[0]! : null,
    needs[1] ? bind(convolution, [x!, c!], params)[0]! : null,
  ],
  samples: samples('x', 'y'),
});
