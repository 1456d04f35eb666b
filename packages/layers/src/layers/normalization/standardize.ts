import type { Tensor } from '@recurra/tensor';

/** (x - mean) / sqrt(variance + epsilon), mean and population variance over axes. */
export function standardize(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const centred = x.sub(x.mean(axes, { keepDims: true }));
  return centred.mul(centred.square().mean(axes, { keepDims: true }).add(epsilon).rsqrt());
}
