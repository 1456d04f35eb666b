import { ShapeError, ValueError } from '../errors.js';
import { convolution, convolutionInput } from '../primitives/convolution.js';
import { type PoolingParams, windowPick, windowSum } from '../primitives/pooling.js';
import { slice } from '../primitives/view.js';
import { checkRules, checkValue, count, countOrZero, oneOf, orNull, type Rules } from '../rules.js';
import { formatShape } from '../shape.js';
import { asTensor, bind, promote, type Tensor, type TensorLike } from '../tensor.js';
import { zeros } from './creation.js';
import { stopGradient } from './elementwise.js';
import { pad } from './shape.js';

/** How the ends of a sequence are treated: only whole windows, zeros on both sides, or zeros before (no look ahead). */
export type Padding = 'valid' | 'same' | 'causal';

/** Options of {@link conv1d}. */
export interface Conv1dOptions {
  readonly strides?: number;
  readonly padding?: Padding;
  readonly dilationRate?: number;
  readonly groups?: number;
}

const PADDINGS = oneOf('valid', 'same', 'causal');
const CONV = { strides: count, padding: PADDINGS, dilationRate: count, groups: count } satisfies Rules<Conv1dOptions>;
const ENDS = oneOf('valid', 'same');
const POOL = { strides: count, padding: ENDS } satisfies Rules<Pool1dOptions>;
const DEPTHWISE = { strides: count, padding: PADDINGS, dilationRate: count } satisfies Rules<
  Omit<Conv1dOptions, 'groups'>
>;

/** Elements to add before and after a sequence of length n (TensorFlow's rule: `same` gives ceil(n / stride) windows). */
export function paddingOf(n: number, window: number, stride: number, padding: Padding): [number, number] {
  checkValue('paddingOf', 'the padding', padding, PADDINGS);
  checkValue('paddingOf', 'the length', n, countOrZero);
  checkValue('paddingOf', 'the window', window, countOrZero);
  checkValue('paddingOf', 'the stride', stride, count);
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [window - 1, 0];
  const total = Math.max(0, (Math.ceil(n / stride) - 1) * stride + window - n);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

function rank3(x: Tensor, operation: string): readonly [number, number, number] {
  if (x.rank !== 3)
    throw new ShapeError(`${operation}: expected shape [batch, time, channels], received ${formatShape(x.shape)}`);
  return x.shape as readonly [number, number, number];
}

/** Windows along time: [batch, time, channels] -> [batch, windows, size, channels]. */
function windows(x: Tensor, size: number, stride: number, dilation: number): Tensor {
  const span = (size - 1) * dilation + 1;
  const count = Math.max(0, Math.floor((x.shape[1]! - span) / stride) + 1);
  const index = new Int32Array(count * size);
  for (let i = 0; i < count; i++) for (let j = 0; j < size; j++) index[i * size + j] = i * stride + j * dilation;
  return x.gather(asTensor(index).reshape([count, size]), 1);
}

/**
 * Convolution over time (cross-correlation, as in all deep-learning libraries):
 * y[b, t, o] = sum over j, c of x[b, t * strides + j * dilationRate, c] kernel[j, c, o].
 *
 * x [batch, time, channels], kernel [size, channels / groups, filters]; with `groups` each group of channels feeds its
 * own group of filters. Groups of several channels are lowered to windows laid out and a stack of products, those of one channel to a sum of
 * shifted products.
 */
export function conv1d(x: TensorLike, kernel: TensorLike, options: Conv1dOptions = {}): Tensor {
  checkRules('conv1d', options, CONV);
  const { strides = 1, padding = 'valid', dilationRate = 1, groups = 1 } = options;
  const [input, k] = promote(x, kernel);
  const [batch, time, channels] = rank3(input, 'conv1d');
  if (k.rank !== 3 || k.shape[1]! * groups !== channels || k.shape[2]! % groups !== 0)
    throw new ShapeError(
      `conv1d: expected a kernel of shape [size, ${channels / groups}, filters] for ${channels} channels in ${groups} groups, received ${formatShape(k.shape)}`,
    );
  const [size, , filters] = k.shape as readonly [number, number, number];
  const span = (size - 1) * dilationRate + 1;
  const [before, after] = paddingOf(time, span, strides, padding);
  const padded =
    before + after > 0
      ? pad(input, [
          [0, 0],
          [before, after],
          [0, 0],
        ])
      : input;
  if (groups === 1)
    return bind(convolution, [padded, k], {
      stride: strides,
      dilation: dilationRate,
      time: padded.shape[1]!,
      size,
    })[0]!;
  if (groups === channels) return shiftedProducts(padded, k, strides, dilationRate);
  const view = windows(padded, size, strides, dilationRate);
  const count = view.shape[1]!;
  const per = channels / groups;
  const left = view
    .reshape([batch * count, size, groups, per])
    .transpose([2, 0, 1, 3])
    .reshape([groups, batch * count, size * per]);
  const right = k
    .reshape([size, per, groups, filters / groups])
    .transpose([2, 0, 1, 3])
    .reshape([groups, size * per, filters / groups]);
  return left.matmul(right).transpose([1, 0, 2]).reshape([batch, count, filters]);
}

/**
 * Each channel with its own filters, as a sum over the steps of a window of the sequence from there on times the kernel's numbers: element-wise, so that it is
 * one chain when compiled, and nothing is laid out.
 */
function shiftedProducts(x: Tensor, kernel: Tensor, stride: number, dilation: number): Tensor {
  const [batch, time, channels] = x.shape as readonly [number, number, number];
  const [size, , filters] = kernel.shape as readonly [number, number, number];
  const count = Math.max(0, Math.floor((time - (size - 1) * dilation - 1) / stride) + 1);
  const multiplier = filters / channels;
  let sum: Tensor | null = null;
  for (let j = 0; j < size; j++) {
    const from = { start: [0, count > 0 ? j * dilation : 0, 0], size: [batch, count, channels], step: [1, stride, 1] };
    const steps = bind(slice, [x], from)[0]!.reshape([batch, count, channels, 1]);
    const product = steps.mul(kernel.narrow(0, j, 1).reshape([channels, multiplier]));
    sum = sum ? sum.add(product) : product;
  }
  return sum ? sum.reshape([batch, count, filters]) : zeros([batch, count, filters], x.dtype);
}

/** Every channel with its own filters: kernel [size, channels, multiplier] -> [batch, windows, channels * multiplier]. */
export function depthwiseConv1d(
  x: TensorLike,
  kernel: TensorLike,
  options: Omit<Conv1dOptions, 'groups'> = {},
): Tensor {
  checkRules('depthwiseConv1d', options, DEPTHWISE);
  const [input, k] = promote(x, kernel);
  const channels = rank3(input, 'depthwiseConv1d')[2];
  if (k.rank !== 3 || k.shape[1] !== channels)
    throw new ShapeError(
      `depthwiseConv1d: expected a kernel of shape [size, ${channels}, multiplier], received ${formatShape(k.shape)}`,
    );
  const grouped = k.reshape([k.shape[0]!, 1, channels * k.shape[2]!]);
  return conv1d(input, grouped, { ...options, groups: channels });
}

/** Options of {@link conv1dTranspose}. */
export interface Conv1dTransposeOptions {
  readonly strides?: number;
  readonly padding?: 'valid' | 'same';
  /** Steps at the end beyond those of the shortest output; `null`: as many as the padding asks for. */
  readonly outputPadding?: number | null;
  readonly dilationRate?: number;
}

const TRANSPOSE = {
  strides: count,
  padding: ENDS,
  outputPadding: orNull(countOrZero),
  dilationRate: count,
} satisfies Rules<Conv1dTransposeOptions>;

/** How far a transposed convolution reaches: the steps of its output, those of the whole one, and how many of these are cut off before the output's. */
function transposeReach(
  time: number,
  size: number,
  options: Conv1dTransposeOptions,
): { readonly out: number; readonly whole: number; readonly cut: number } {
  checkRules('conv1dTranspose', options, TRANSPOSE);
  checkValue('conv1dTranspose', 'the size of the kernel', size, count);
  const { strides = 1, dilationRate = 1, outputPadding = null, padding = 'valid' } = options;
  if (outputPadding !== null && outputPadding >= strides)
    throw new ValueError(
      `conv1dTranspose: expected outputPadding to be less than strides (${strides}), received ${outputPadding}`,
    );
  const span = (size - 1) * dilationRate + 1;
  // Without steps there is nothing to reach from.
  const reach = (time - 1) * strides + span;
  const whole = Math.max(0, reach);
  if (padding === 'valid')
    return { out: Math.max(0, reach + (outputPadding ?? Math.max(span, strides) - span)), whole, cut: 0 };
  // Keras: time * strides, or with a padding of its own (time - 1) * strides + span % 2 + padding; cut on the left a half of the rest.
  const room = outputPadding === null ? strides + span - 2 : span + (span % 2) - 2 + outputPadding;
  const left = Math.min(Math.ceil(room / 2), span - 1);
  return { out: Math.max(0, reach - 2 * (span - 1) + room), whole, cut: span - 1 - left };
}

/** The steps of the output of {@link conv1dTranspose} for so many of the input, and kernels of `size`. Throws `ValueError` as it does. */
export function conv1dTransposeLength(time: number, size: number, options: Conv1dTransposeOptions = {}): number {
  checkValue('conv1dTransposeLength', 'the number of steps', time, countOrZero);
  checkValue('conv1dTransposeLength', 'the size', size, count);
  return transposeReach(time, size, options).out;
}

/**
 * The transpose of {@link conv1d}: y[b, t * strides + j * dilationRate - cut, o] = sum over t, j, c of x[b, t, c] kernel[j, o, c].
 * x [batch, time, channels], kernel [size, filters, channels] -> [batch, out, filters]. With span = (size - 1) * dilationRate + 1 and no
 * `outputPadding`, out = time * strides (`same`) or (time - 1) * strides + max(span, strides) (`valid`). Keras `conv_transpose`.
 */
export function conv1dTranspose(x: TensorLike, kernel: TensorLike, options: Conv1dTransposeOptions = {}): Tensor {
  const [input, k] = promote(x, kernel);
  const [, time, channels] = rank3(input, 'conv1dTranspose');
  if (k.rank !== 3 || k.shape[2] !== channels)
    throw new ShapeError(
      `conv1dTranspose: expected a kernel of shape [size, filters, ${channels}], received ${formatShape(k.shape)}`,
    );
  const size = k.shape[0]!;
  const { out, whole, cut } = transposeReach(time, size, options);
  const { strides = 1, dilationRate = 1 } = options;
  const params = { stride: strides, dilation: dilationRate, time: whole, size };
  const sums = bind(convolutionInput, [input, k], params)[0]!;
  const after = Math.max(0, cut + out - whole);
  return (
    after > 0
      ? pad(sums, [
          [0, 0],
          [0, after],
          [0, 0],
        ])
      : sums
  ).narrow(1, cut, out);
}

/** Options of 1-D pooling; `strides` is the pool size by default. */
export interface Pool1dOptions {
  readonly strides?: number;
  readonly padding?: 'valid' | 'same';
}

/** The windows of a pooling, checked. */
function poolOf(operation: string, x: Tensor, size: number, options: Pool1dOptions): PoolingParams {
  const [, time] = rank3(x, operation);
  checkRules(operation, options, POOL);
  checkValue(operation, 'the pool size', size, count);
  const stride = options.strides ?? size;
  const [before, after] = paddingOf(time, size, stride, options.padding ?? 'valid');
  const windows = Math.max(0, Math.floor((time + before + after - size) / stride) + 1);
  return { time, count: time === 0 ? 0 : windows, size, stride, before };
}

/**
 * The largest element of each window over time, NaN where one is: [batch, time, channels] -> [batch, windows, channels]. Its gradient goes to the
 * first of equals (to the first NaN). Keras `max_pool`.
 */
export function maxPool1d(x: TensorLike, size: number, options: Pool1dOptions = {}): Tensor {
  const input = asTensor(x);
  return bind(windowPick, [stopGradient(input), input], poolOf('maxPool1d', input, size, options))[0]!;
}

/** The mean of each window over time, of the steps that lie inside of the sequence. Keras `average_pool`. */
export function averagePool1d(x: TensorLike, size: number, options: Pool1dOptions = {}): Tensor {
  const input = asTensor(x);
  const params = poolOf('averagePool1d', input, size, options);
  const { time, stride, before } = params;
  const counts = Array.from({ length: params.count }, (_, n) => {
    const first = n * stride - before;
    return Math.min(time, first + size) - Math.max(0, first);
  });
  const numbers = input.dtype === 'bool' ? input.cast('int32') : input;
  const total = bind(windowSum, [numbers], params)[0]!;
  return total.div(asTensor(counts, total.dtype).reshape([params.count, 1]));
}
