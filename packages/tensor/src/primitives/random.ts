import { allocate, type DType } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { philox } from '../internal/philox.js';
import { erfinv } from '../internal/special.js';
import { denseData, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive } from '../primitive.js';
import { formatShape, type Shape, sizeOf } from '../shape.js';

/** Streams that the primitive draws; every element has its own counter, so a prefix of a stream is a stream. */
export type RandomKind = 'bits' | 'uniform' | 'normal' | 'truncatedNormal';

/** erf(2 / sqrt 2): the share of a normal distribution within two standard deviations. */
const WITHIN_TWO = 0.954499736103642;

/** What is drawn; `stream` is the last word of the counter (0). */
export interface RandomParams {
  readonly kind: RandomKind;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly stream?: number;
}

/** Random values from a key (int32 [2]): raw bits (int32), uniform in [0, 1), standard normal, normal truncated at +-2. */
export const random: Primitive<RandomParams> = definePrimitive<RandomParams>({
  name: 'random',
  abstract: ([key], { shape, dtype }) => {
    if (key!.dtype !== 'int32' || key!.shape.length !== 1 || key!.shape[0] !== 2)
      throw new ShapeError(
        `random: expected a key, int32 of shape [2] (from randomKey), received ${key!.dtype} ${formatShape(key!.shape)}`,
      );
    return [{ shape, dtype }];
  },
  evaluate: ([key], { kind, shape, dtype, stream = 0 }) => {
    const words = denseData(key!);
    const k0 = words[0]! >>> 0;
    const k1 = words[1]! >>> 0;
    const n = sizeOf(shape);
    const y = allocate(dtype, n);
    const block = new Uint32Array(4);
    if (kind === 'bits' || (kind === 'uniform' && dtype === 'float32')) {
      const scale = kind === 'bits' ? 1 : 2 ** -24;
      const shift = kind === 'bits' ? 0 : 8;
      for (let i = 0, c = 0; i < n; c++) {
        philox(c, 0, 0, stream, k0, k1, block);
        for (let j = 0; j < 4 && i < n; j++) y[i++] = (block[j]! >>> shift) * scale;
      }
      return [ndarray(dtype, shape, y)];
    }
    // 53-bit uniforms from pairs of words; two a block.
    for (let i = 0, c = 0; i < n; c++) {
      philox(c, 0, 0, stream, k0, k1, block);
      const u = ((block[0]! >>> 5) * 67108864 + (block[1]! >>> 6)) / 2 ** 53;
      const v = ((block[2]! >>> 5) * 67108864 + (block[3]! >>> 6)) / 2 ** 53;
      if (kind === 'normal') {
        const radius = Math.sqrt(-2 * Math.log(1 - u)); // Box and Muller
        y[i++] = radius * Math.cos(2 * Math.PI * v);
        if (i < n) y[i++] = radius * Math.sin(2 * Math.PI * v);
      } else if (kind === 'uniform') {
        y[i++] = u;
        if (i < n) y[i++] = v;
      } else {
        y[i++] = Math.SQRT2 * erfinv((2 * u - 1) * WITHIN_TWO);
        if (i < n) y[i++] = Math.SQRT2 * erfinv((2 * v - 1) * WITHIN_TWO);
      }
    }
    return [ndarray(dtype, shape, y)];
  },
  vjp: null,
  samples: [
    {
      inputs: [{ shape: [2], dtype: 'int32', values: [1, 2] }],
      params: { kind: 'uniform', shape: [3], dtype: 'float32' },
    },
  ],
});
