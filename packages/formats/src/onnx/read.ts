import { FormatError, tensor } from '@recurra/tensor';
import type { Constant, ElementType } from './graph.js';
import { DATA_TYPES, type TensorProto } from './proto.js';

const NAMES: ReadonlyMap<number, ElementType> = new Map(
  Object.entries(DATA_TYPES).map(([name, n]) => [n, name as ElementType]),
);

/** The name of a type of elements. */
export const typeName = (n: number): ElementType | undefined => NAMES.get(n);

/** How many bytes an element has, of the types that are read. */
const WIDTHS: Partial<Record<ElementType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** Half precision as a number. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}

const word = new DataView(new ArrayBuffer(4));
/** The upper half of a float32 as a number. */
function brain(bits: number): number {
  word.setUint16(0, bits);
  word.setUint16(2, 0);
  return word.getFloat32(0);
}

function elementAt(view: DataView, at: number, type: ElementType): number {
  switch (type) {
    case 'float32':
      return view.getFloat32(at, true);
    case 'float64':
      return view.getFloat64(at, true);
    case 'float16':
      return half(view.getUint16(at, true));
    case 'bfloat16':
      return brain(view.getUint16(at, true));
    case 'int8':
      return view.getInt8(at);
    case 'int16':
      return view.getInt16(at, true);
    case 'uint16':
      return view.getUint16(at, true);
    case 'int32':
      return view.getInt32(at, true);
    case 'uint32':
      return view.getUint32(at, true);
    case 'int64':
      return Number(view.getBigInt64(at, true));
    case 'uint64':
      return Number(view.getBigUint64(at, true));
    default:
      return view.getUint8(at);
  }
}

/**
 * The constant that a message holds. Floats of all widths become float32 (float64 stays), integers are numbers. Throws `FormatError` for data that lie in
 * other files, that do not fit the dimensions, and for texts and complex numbers.
 */
export function readTensor(proto: TensorProto): Constant {
  const label = `ONNX: tensor ${JSON.stringify(proto.name)}`;
  if (proto.dataLocation !== 0 || proto.externalData.length > 0)
    throw new FormatError(
      `${label}: expected its elements in the file itself, received such in another file, which is not read. Save the model with its data inside (onnx.save_model(..., save_as_external_data=False)).`,
    );
  const type = typeName(proto.dataType);
  const width = type && WIDTHS[type];
  if (!type || !width)
    throw new FormatError(`${label}: expected numbers, received elements of type ${type ?? proto.dataType}`);
  if (proto.dims.length > 16)
    throw new FormatError(`${label}: expected at most 16 axes, received ${proto.dims.length}`);
  const shape = proto.dims.map(Number);
  const size = shape.reduce((a, b) => a * b, 1);
  if (shape.some((d) => !(d >= 0 && d < 2 ** 31)))
    throw new FormatError(`${label}: expected sizes of at least 0, received [${shape.join(', ')}]`);
  const raw = proto.rawData;
  const listed = listOf(proto, type);
  if (raw.length > 0 ? raw.length !== size * width : listed.length !== size)
    throw new FormatError(
      `${label}: expected ${size} elements for shape [${shape.join(', ')}], received ${raw.length > 0 ? `${raw.length} bytes of ${width} each` : listed.length}`,
    );
  const data = new Float64Array(size);
  if (raw.length > 0) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let i = 0; i < size; i++) data[i] = elementAt(view, i * width, type);
  } else for (let i = 0; i < size; i++) data[i] = Number(listed[i]);
  const floats = type === 'float32' || type === 'float16' || type === 'bfloat16';
  return {
    type: type === 'float16' || type === 'bfloat16' ? 'float32' : type,
    value: floats ? tensor(Float32Array.from(data), { shape }) : tensor(data, { shape }),
  };
}

/** Elements that are written one by one. */
function listOf(proto: TensorProto, type: ElementType): readonly (number | bigint)[] {
  switch (type) {
    case 'float32':
      return proto.floatData;
    case 'float64':
      return proto.doubleData;
    case 'int64':
      return proto.int64Data;
    case 'uint32':
    case 'uint64':
      return proto.uint64Data;
    case 'float16':
      return proto.int32Data.map((bits) => half(bits & 0xffff));
    case 'bfloat16':
      return proto.int32Data.map((bits) => brain(bits & 0xffff));
    default:
      return proto.int32Data;
  }
}
