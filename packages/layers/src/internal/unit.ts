import type { Axes, Tensor } from '@recurra/tensor';

/** x / |x|, |x| the Euclidean length over axes, taken to be `least` at least: zeros stay. */
export function unit(x: Tensor, axis: Axes, least: number): Tensor {
  // The bound stands under the root, where zeros keep a finite slope.
  const squares = x.square().sum(axis, { keepDims: true });
  return x.mul(squares.maximum(least * least).rsqrt());
}
