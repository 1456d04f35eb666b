import { FormatError, ValueError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import type { JsonObject } from '../model-file.js';
import { widenFloat16 } from '../narrow-floats.js';

/** How TensorFlow.js makes weights smaller: 8 or 16 bits with a scale and a smallest value, or half precision. */
export type Quantization = 'uint8' | 'uint16' | 'float16';

/** Bytes of an element. */
export const QUANTIZED_BYTES: Readonly<Record<Quantization, number>> = { uint8: 1, uint16: 2, float16: 2 };

/** What a manifest says of a quantized weight. */
export interface Affine {
  readonly dtype: Quantization;
  readonly scale: number;
  readonly min: number;
}

/** The quantization that a manifest names; `fail` throws for one that is none. */
export function quantizationOf(
  given: unknown,
  dtype: string,
  fail: (expected: string, received: unknown) => never,
): Affine {
  if (!isRecord(given)) return fail('quantization as { dtype, scale, min }', given);
  const { dtype: own, scale, min } = given;
  if (own === 'float16') {
    if (dtype !== 'float32') return fail('float32 for what is quantized as float16', dtype);
    return { dtype: own, scale: 1, min: 0 };
  }
  if (own !== 'uint8' && own !== 'uint16') return fail('quantization to uint8, uint16 or float16', own);
  if (dtype !== 'float32' && dtype !== 'int32') return fail('float32 or int32 for what is quantized', dtype);
  if (typeof scale !== 'number' || !Number.isFinite(scale)) return fail('a finite scale', scale ?? null);
  if (typeof min !== 'number' || !Number.isFinite(min)) return fail('a finite min', min ?? null);
  return { dtype: own, scale, min };
}

/** Numbers of 16 bits, the lower byte first, wherever they begin. */
function halves(bytes: Uint8Array): Uint16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
}

/** The elements of a quantized weight: exactly those that TensorFlow.js computes. Throws `FormatError` where they are beyond the range of the dtype. */
export function dequantized(
  bytes: Uint8Array,
  dtype: 'float32' | 'int32',
  { dtype: quantized, scale, min }: Affine,
  label: string,
): Float32Array | Int32Array {
  if (quantized === 'float16') return widenFloat16(halves(bytes));
  const steps = quantized === 'uint8' ? bytes : halves(bytes);
  if (dtype === 'float32') return Float32Array.from(steps, (q) => q * scale + min);
  const whole = Int32Array.from(steps, (q) => Math.round(q * scale + min));
  const ends = [0, quantized === 'uint8' ? 255 : 65535].map((q) => Math.round(q * scale + min));
  if (ends.some((v) => v < -(2 ** 31) || v >= 2 ** 31))
    throw new FormatError(`${label}: expected whole numbers of 32 bits, received a scale of ${scale} from ${min}`);
  return whole;
}

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The nearest number of half precision, to even where two are as near, as its bits. */
function narrowFloat16(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return sign | 0x7e00;
  if (rest >= 0x47800000) return sign | 0x7c00;
  // Below the smallest normal half, steps have a fixed size; above, those of 10 bits of a fraction.
  if (rest < 0x38800000) {
    const steps = Math.abs(value) * 2 ** 24;
    const down = Math.floor(steps);
    const off = steps - down;
    return sign | (down + (off > 0.5 || (off === 0.5 && down % 2 === 1) ? 1 : 0));
  }
  const odd = (rest >>> 13) & 1;
  return sign | ((rest + 0xfff + odd - 0x38000000) >>> 13);
}

/** A weight of float32, quantized, and what the manifest says of it. Throws `ValueError` for numbers that cannot be: NaN, infinities, too large ones. */
export function quantized(
  values: Float32Array,
  to: Quantization,
  label: string,
): { readonly bytes: Uint8Array; readonly spec: JsonObject } {
  if (!values.every(Number.isFinite))
    throw new ValueError(
      `${label}: expected finite numbers to quantize, received NaN or an infinite one. Write it without quantize.`,
    );
  if (to === 'float16') {
    const narrow = Uint16Array.from(values, narrowFloat16);
    if (narrow.some((half) => (half & 0x7fff) === 0x7c00))
      throw new ValueError(
        `${label}: expected numbers of at most 65504 for float16, received a larger one. Write it without quantize.`,
      );
    return { bytes: littleEndian(narrow), spec: { dtype: to } };
  }
  const most = to === 'uint8' ? 255 : 65535;
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  if (values.length === 0) [low, high] = [0, 0];
  const scale = high === low ? 1 : (high - low) / most;
  // Zero stays zero: what is masked or was never trained.
  const zero = low <= 0 && high >= 0 && high > low ? Math.round(-low / scale) : null;
  const min = zero === null ? low : -zero * scale;
  const steps = Array.from(values, (v) => Math.min(most, Math.max(0, Math.round((v - min) / scale))));
  const bytes = to === 'uint8' ? Uint8Array.from(steps) : littleEndian(Uint16Array.from(steps));
  // `-0` is no JSON.
  return { bytes, spec: { dtype: to, scale, min: min + 0 } };
}

function littleEndian(values: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((v, i) => {
    view.setUint16(2 * i, v, true);
  });
  return bytes;
}
