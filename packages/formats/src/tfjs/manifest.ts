import { type DType, FormatError, type Tensor, tensor } from '@recurra/tensor';
import { denseData, isRecord } from '@recurra/tensor/extend';
import type { Budget } from '../limits.js';
import type { Json, JsonObject, NamedTensor } from '../model-file.js';
import { pacer } from '../pause.js';
import {
  type Affine,
  dequantized,
  QUANTIZED_BYTES,
  type Quantization,
  quantizationOf,
  quantized,
} from './quantization.js';

/** Dtypes of TensorFlow.js that a weight here can have, with the bytes of an element; texts have lengths of their own. */
const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1 };
/** More axes no weight has. */
const HIGHEST_RANK = 8;

/** A weight as a manifest describes it. */
export interface WeightSpec {
  readonly name: string;
  readonly dtype: 'float32' | 'int32' | 'bool' | 'string';
  readonly shape: readonly number[];
  readonly size: number;
  readonly quantization: Affine | null;
  /** Of an optimizer, and not of the model. */
  readonly optimizer: boolean;
}

const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31 && !Object.is(value, -0);

/** A weight of a manifest. Throws `FormatError` for other forms, before anything is allocated. */
function specOf(given: unknown, label: string, budget: Budget): WeightSpec {
  const fail = (expected: string, received: unknown): never => {
    const name = isRecord(given) && typeof given['name'] === 'string' ? ` "${given['name'].slice(0, 80)}"` : '';
    const shown = JSON.stringify(received)?.slice(0, 80) ?? 'nothing';
    throw new FormatError(`${label}: weight${name}: expected ${expected}, received ${shown}`);
  };
  if (!isRecord(given)) return fail('{ name, shape, dtype }', given);
  const { name, dtype, shape, quantization, group } = given;
  if (typeof name !== 'string' || name === '') return fail('a name', name);
  budget.enter(`the weight "${name.slice(0, 80)}"`);
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool' && dtype !== 'string')
    return fail('dtype float32, int32, bool or string', dtype);
  if (!Array.isArray(shape) || shape.length > HIGHEST_RANK || !shape.every(isSize))
    return fail('a shape of sizes >= 0', shape);
  const size = (shape as readonly number[]).reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(size) || size >= 2 ** 31) return fail('a shape of fewer than 2^31 elements', shape);
  const affine = quantization == null ? null : quantizationOf(quantization, dtype, fail);
  return { name, dtype, shape: shape as number[], size, quantization: affine, optimizer: group === 'optimizer' };
}

/** The weights that a manifest (or a part of it) lists. Throws `FormatError` for other forms and names that are there twice. */
export function specsOf(given: unknown, label: string, budget: Budget, seen: Set<string>): readonly WeightSpec[] {
  if (!Array.isArray(given))
    throw new FormatError(`${label}: expected a list of weights, received ${JSON.stringify(given)?.slice(0, 80)}`);
  return (given as unknown[]).map((entry) => {
    const spec = specOf(entry, label, budget);
    // Those of an optimizer go by the names of weights.
    const key = `${spec.optimizer ? 'optimizer' : 'model'} ${spec.name}`;
    if (seen.has(key))
      throw new FormatError(`${label}: expected weights of different names, received "${spec.name}" twice`);
    seen.add(key);
    return spec;
  });
}

/** Bytes of several files as if they were one. */
export class Joined {
  readonly length: number;
  private readonly parts: readonly Uint8Array[];
  private readonly starts: readonly number[];

  constructor(parts: readonly Uint8Array[]) {
    let length = 0;
    this.parts = parts;
    this.starts = parts.map((part) => {
      length += part.length;
      return length - part.length;
    });
    this.length = length;
  }

  /** Bytes from a place: a copy that begins at 0. */
  slice(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    for (let i = this.partAt(from); i < this.parts.length && this.starts[i]! < to; i++) {
      const [start, part] = [this.starts[i]!, this.parts[i]!];
      const own = part.subarray(Math.max(0, from - start), Math.max(0, Math.min(part.length, to - start)));
      bytes.set(own, Math.max(0, start - from));
    }
    return bytes;
  }

  /** The last part that begins at a place, or before it. */
  private partAt(place: number): number {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.starts[middle]! <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The bytes of a weight; those of texts are counted: a length of 4 bytes before each. */
function bytesOf(spec: WeightSpec, data: Joined, at: number, label: string): number {
  if (spec.quantization) return spec.size * QUANTIZED_BYTES[spec.quantization.dtype];
  if (spec.dtype !== 'string') return spec.size * BYTES[spec.dtype]!;
  let end = at;
  for (let i = 0; i < spec.size; i++) {
    if (end + 4 > data.length) break;
    end += 4 + new DataView(data.slice(end, end + 4).buffer).getUint32(0, true);
  }
  if (end > data.length || (spec.size > 0 && end - at < 4 * spec.size))
    throw new FormatError(
      `${label}: weight "${spec.name}": expected ${spec.size} texts within ${data.length} bytes, received fewer. The files are damaged or cut off.`,
    );
  return end - at;
}

function valueOf(spec: WeightSpec, bytes: Uint8Array, label: string): Tensor {
  const { dtype, quantization } = spec;
  const shape = [...spec.shape];
  if (dtype === 'bool')
    return tensor(
      bytes.map((b) => (b === 0 ? 0 : 1)),
      { dtype, shape },
    );
  const own = dtype as 'float32' | 'int32';
  if (quantization)
    return tensor(dequantized(bytes, own, quantization, `${label}: weight "${spec.name}"`), { dtype: own, shape });
  const { buffer } = bytes;
  return tensor(own === 'float32' ? new Float32Array(buffer) : new Int32Array(buffer), { dtype: own, shape });
}

/**
 * The weights of a model among the bytes of its files; those of an optimizer are passed over. Throws `FormatError` unless the bytes are as many as the manifest says.
 */
export async function weightsIn(
  specs: readonly WeightSpec[],
  data: Joined,
  budget: Budget,
  label: string,
): Promise<readonly NamedTensor[]> {
  const least = specs.reduce(
    (sum, spec) => sum + (spec.dtype === 'string' ? 4 * spec.size : bytesOf(spec, data, 0, label)),
    0,
  );
  if (least > data.length)
    throw new FormatError(
      `${label}: expected ${least} bytes of weights, received ${data.length}. The files are damaged, cut off, or of another model.`,
    );
  const pace = pacer();
  const weights: NamedTensor[] = [];
  let at = 0;
  for (const spec of specs) {
    const end = at + bytesOf(spec, data, at, label);
    if (end > data.length)
      throw new FormatError(
        `${label}: weight "${spec.name}": expected its bytes before ${data.length}, received ${at} to ${end}. The files are damaged or cut off.`,
      );
    if (!spec.optimizer) {
      if (spec.dtype === 'string')
        throw new FormatError(
          `${label}: weight "${spec.name}": expected numbers, received texts, which no layer keeps as a weight`,
        );
      budget.take(spec.size * 4, `the weight "${spec.name}"`);
      weights.push({ name: spec.name, value: valueOf(spec, data.slice(at, end), label) });
      await pace();
    }
    at = end;
  }
  if (at !== data.length)
    throw new FormatError(
      `${label}: expected ${at} bytes of weights, received ${data.length}. The files are damaged, or of another model.`,
    );
  return weights;
}

/** A weight as it is written: its bytes, and what the manifest says of it. */
export interface WrittenWeight {
  readonly bytes: Uint8Array;
  readonly spec: JsonObject;
}

/** A weight in the dtype that TensorFlow.js has for it. */
const asWritten = (value: Tensor): Tensor => (value.dtype === 'float64' ? value.cast('float32') : value);

/** A weight as bytes. Throws `ValueError` for what cannot be quantized. */
export function writtenWeight({ name, value }: NamedTensor, quantize: Quantization | undefined): WrittenWeight {
  const own = asWritten(value);
  const data = denseData(own.concrete('save'));
  const spec = { name, shape: [...own.shape], dtype: own.dtype as Exclude<DType, 'float64'> } as JsonObject;
  if (quantize && own.dtype === 'float32') {
    const { bytes, spec: quantization } = quantized(data as Float32Array, quantize, `tfjs: weight "${name}"`);
    return { bytes, spec: { ...spec, quantization: quantization as Json } };
  }
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return { bytes: new Uint8Array(buffer, byteOffset, byteLength).slice(), spec };
}
