import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DType, type Tensor, tensor } from '@recurra/tensor';
import { camelCase } from '@recurra/tensor/extend';

/** A tensor as the golden files write it; numbers may be "NaN", "Infinity", "-Infinity". */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: readonly (number | string | boolean)[];
}

/** A named weight: its data stand flat beside its shape. */
export interface GoldenWeight extends GoldenTensor {
  readonly name: string;
  readonly trainable?: boolean;
}

/** One case of a golden file; the fields differ by area. */
export interface GoldenCase {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON, checked where it is used
  readonly [field: string]: any;
}

/** Is this JSON value a tensor? */
export function isGoldenTensor(value: unknown): value is GoldenTensor {
  return typeof value === 'object' && value !== null && 'shape' in value && 'dtype' in value && 'data' in value;
}

/** `beta_1` -> `beta1`, `learning_rate` -> `learningRate`; the values as they are. */
// biome-ignore lint/suspicious/noExplicitAny: arguments as the golden files write them
export function camelKeys(config: any): any {
  return Object.fromEntries(Object.entries<unknown>(config).map(([key, value]) => [camelCase(key), value]));
}

/** "NaN", "Infinity", booleans and numbers as a number. */
export function toNumber(value: number | string | boolean): number {
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number(value);
}

/** The tensor; int64 is read as int32. A bare number is a scalar float32. */
export function toTensor(value: GoldenTensor | number): Tensor {
  if (typeof value === 'number' || typeof value === 'string')
    return tensor(Float32Array.of(Number(value)), { shape: [] });
  const dtype = (value.dtype === 'int64' ? 'int32' : value.dtype) as DType;
  const values = value.data.map(toNumber);
  const typed =
    dtype === 'float32'
      ? Float32Array.from(values)
      : dtype === 'float64'
        ? Float64Array.from(values)
        : Int32Array.from(values);
  return tensor(typed, { shape: value.shape, dtype });
}

/** Every `*.json` with cases under `dir/area`. */
export function readArea(dir: string, area: string): { file: string; cases: GoldenCase[] }[] {
  const folder = join(dir, area);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && statSync(join(folder, file)).isFile())
    .sort()
    .map((file) => ({ file, cases: JSON.parse(readFileSync(join(folder, file), 'utf8')).cases as GoldenCase[] }));
}
