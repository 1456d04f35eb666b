import { type DType, FormatError, type Shape, Tensor } from '@recurra/tensor';
import { ndarray } from '@recurra/tensor/extend';
import { widenBfloat16, widenFloat16 } from '../narrow-floats.js';
import type { Cursor } from './source.js';

/** Classes of types, as files number them, of which some are read. */
enum TypeClass {
  Integer = 0,
  Float = 1,
  Text = 3,
  Opaque = 5,
  Enum = 8,
  Variable = 9,
}

/** What the elements of an attribute or a data set are. */
export type ElementType =
  | { readonly kind: 'integer'; readonly size: 1 | 2 | 4 | 8; readonly signed: boolean; readonly big: boolean }
  | { readonly kind: 'float'; readonly size: 2 | 4 | 8; readonly big: boolean }
  | { readonly kind: 'brain'; readonly size: 2; readonly big: boolean }
  | { readonly kind: 'bool'; readonly size: 1 }
  | { readonly kind: 'text'; readonly size: number }
  | { readonly kind: 'variable text'; readonly size: number }
  | { readonly kind: 'opaque'; readonly size: number }
  | { readonly kind: 'other'; readonly size: number; readonly told: string };

/** Where sign, exponent and fraction lie, and the bias: those that have a name. */
const FLOATS: Readonly<Record<string, 'float' | 'brain'>> = {
  '2: 15 10 5 0 10 15': 'float',
  '2: 15 7 8 0 7 127': 'brain',
  '4: 31 23 8 0 23 127': 'float',
  '8: 63 52 11 0 52 1023': 'float',
};

const isIntegerSize = (size: number): size is 1 | 2 | 4 | 8 => size === 1 || size === 2 || size === 4 || size === 8;

/** A type; what no weights have is told as `other`. Throws `FormatError` for what is none. */
export function readType(cursor: Cursor): ElementType {
  const first = cursor.uint(1);
  const bits = cursor.uint(3);
  const size = cursor.uint(4);
  const type = first & 0x0f;
  if (first >> 4 < 1 || first >> 4 > 5) throw cursor.error('a type of version 1 to 5', `version ${first >> 4}`);
  if (size < 1) throw cursor.error('elements of at least a byte', 'such of none');
  const other = { kind: 'other', size, told: `HDF5 type ${type} of ${size} bytes` } as const;
  switch (type) {
    case TypeClass.Integer: {
      const [offset, precision] = [cursor.uint(2), cursor.uint(2)];
      if (!isIntegerSize(size) || offset !== 0 || precision !== size * 8) return other;
      return { kind: 'integer', size, signed: (bits & 8) !== 0, big: (bits & 1) !== 0 };
    }
    case TypeClass.Float: {
      const [offset, precision] = [cursor.uint(2), cursor.uint(2)];
      const [exponentAt, exponent, fractionAt, fraction] = [1, 1, 1, 1].map((n) => cursor.uint(n));
      const places = `${size}: ${(bits >> 8) & 0xff} ${exponentAt} ${exponent} ${fractionAt} ${fraction} ${cursor.uint(4)}`;
      const known = FLOATS[places];
      // The leading one of the fraction is not written, and no padding is; the other order is that of VAX.
      if (!known || offset !== 0 || precision !== size * 8 || ((bits >> 4) & 3) !== 2 || (bits & 0x40) !== 0)
        return other;
      return { kind: known, size, big: (bits & 1) !== 0 } as ElementType;
    }
    case TypeClass.Text:
      return { kind: 'text', size };
    case TypeClass.Opaque:
      return { kind: 'opaque', size };
    case TypeClass.Enum: {
      // Python's booleans: two numbers of a byte.
      const base = readType(cursor);
      return base.kind === 'integer' && size === 1 && (bits & 0xffff) === 2 ? { kind: 'bool', size } : other;
    }
    case TypeClass.Variable:
      return (bits & 0x0f) === 1 ? { kind: 'variable text', size } : other;
    default:
      return other;
  }
}

/** A shape; `null` of what has no elements by its kind. Throws `FormatError` for what is none. */
export function readShape(cursor: Cursor): Shape | null {
  const version = cursor.version(1, 2);
  const rank = cursor.uint(1);
  cursor.skip(1);
  if (rank > 32) throw cursor.error('at most 32 axes', `${rank}`);
  const kind = cursor.uint(1);
  if (version === 1) cursor.skip(4);
  else if (kind === 2) return null;
  const shape = Array.from({ length: rank }, () => cursor.length());
  // The most that they may grow to is of no use here.
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count)) throw cursor.error('fewer than 2^53 elements', `a shape [${shape.join(', ')}]`);
  return shape;
}

/** Bytes in this machine's order. */
function inOrder(raw: Uint8Array<ArrayBuffer>, size: number, big: boolean): ArrayBuffer {
  if (big && size > 1) for (let i = 0; i + size <= raw.length; i += size) raw.subarray(i, i + size).reverse();
  return raw.buffer;
}

const SIGNED = { 1: Int8Array, 2: Int16Array, 4: Int32Array, 8: BigInt64Array } as const;
const UNSIGNED = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/** Integers as int32. Throws `FormatError` for one beyond that. */
function narrowed(values: ArrayLike<number | bigint>, label: string): Int32Array {
  const own = new Int32Array(values.length);
  for (let i = 0; i < own.length; i++) {
    const value = Number(values[i]!);
    if (value !== (value | 0)) throw new FormatError(`${label}: expected integers within int32, received ${values[i]}`);
    own[i] = value;
  }
  return own;
}

/**
 * Elements as a tensor, which keeps the bytes where it can. Throws `FormatError` for types that no weights have.
 * @param raw bytes that are no one else's
 * @param dtype what an attribute says they are: 16 bits without a type may be those of bfloat16
 */
export function tensorOf(
  raw: Uint8Array<ArrayBuffer>,
  type: ElementType,
  shape: Shape,
  label: string,
  dtype: unknown = null,
): Tensor {
  const of = (into: DType, data: Float32Array | Float64Array | Int32Array | Uint8Array): Tensor =>
    new Tensor(shape, into, ndarray(into, shape, data));
  switch (type.kind) {
    case 'float': {
      const buffer = inOrder(raw, type.size, type.big);
      if (type.size === 8) return of('float64', new Float64Array(buffer));
      return of('float32', type.size === 4 ? new Float32Array(buffer) : widenFloat16(new Uint16Array(buffer)));
    }
    case 'brain':
      return of('float32', widenBfloat16(new Uint16Array(inOrder(raw, 2, type.big))));
    case 'bool':
      return of(
        'bool',
        raw.map((byte) => (byte === 0 ? 0 : 1)),
      );
    case 'integer': {
      const buffer = inOrder(raw, type.size, type.big);
      if (dtype === 'bfloat16' && type.size === 2) return of('float32', widenBfloat16(new Uint16Array(buffer)));
      const values = new (type.signed ? SIGNED : UNSIGNED)[type.size](buffer);
      return of('int32', values instanceof Int32Array ? values : narrowed(values, label));
    }
    case 'opaque':
      if (type.size === 2 && dtype === 'bfloat16')
        return of('float32', widenBfloat16(new Uint16Array(inOrder(raw, 2, false))));
  }
  throw new FormatError(
    `${label}: expected numbers of a type that weights have, received ${type.kind === 'other' ? type.told : `${type.kind} of ${type.size} bytes`}`,
  );
}
