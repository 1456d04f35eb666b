/** Instructions and types of WebAssembly, as far as compiled chains use them. */
// biome-ignore format: a table
export const Op = {
  end: [0x0b],
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  branchIf: [0x0d],
  add: [0x6a],
  sub: [0x6b],
  mul: [0x6c],
  divide: [0x6e],
  remainder: [0x70],
  and: [0x71],
  shl: [0x74],
  greaterEqual: [0x4e],
} as const;

/** The number of a SIMD instruction as bytes. */
export function simd(number: number): number[] {
  return [0xfd, ...unsigned(number)];
}

/** SIMD instructions by name. */
// biome-ignore format: a table
export const Simd = {
  load: 0x00,
  load32Splat: 0x09,
  store: 0x0b,
  constant: 0x0c,
  shuffle: 0x0d,
  i32x4Splat: 0x11,
  i32Eq: 0x37, i32Ne: 0x38, i32Lt: 0x39, i32Gt: 0x3b, i32Le: 0x3d, i32Ge: 0x3f,
  f32Eq: 0x41, f32Ne: 0x42, f32Lt: 0x43, f32Gt: 0x44, f32Le: 0x45, f32Ge: 0x46,
  and: 0x4e, andNot: 0x4f, or: 0x50, xor: 0x51, bitselect: 0x52,
  store8Lane: 0x58, store32Lane: 0x5a, load32Zero: 0x5c,
  ceil: 0x67, floor: 0x68, trunc: 0x69, nearest: 0x6a,
  extend8: 0x89, extend16: 0xa9,
  i32Abs: 0xa0, i32Neg: 0xa1, i32Add: 0xae, i32Sub: 0xb1, i32Mul: 0xb5, i32Min: 0xb6, i32Max: 0xb8,
  abs: 0xe0, neg: 0xe1, sqrt: 0xe3, add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, min: 0xe8, max: 0xe9, pmax: 0xeb,
  truncate: 0xf8, convert: 0xfa,
} as const;

/** Types of values. */
export const Type = { i32: 0x7f, v128: 0x7b } as const;

/** LEB128, unsigned. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** LEB128, signed. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

function name(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)];
  return [...unsigned(bytes.length), ...bytes];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const body = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(body.length), ...body];
}

/** A function that a module imports from the kernels. */
export interface Import {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly result: number;
}

/** Bytes that an engine compiles. (`Uint8Array<ArrayBuffer>`, which TypeScript before 5.7 cannot read.) */
export type Bytes = Uint8Array & BufferSource;

/** A module of one function `run(i32, i32, i32)` over the imported memory. Imports have the numbers 0, 1, ... */
export function encodeModule(
  imports: readonly Import[],
  locals: readonly number[],
  code: readonly number[],
  sharedMemory: boolean,
): Bytes {
  const types = [
    [0x60, 3, Type.i32, Type.i32, Type.i32, 0],
    ...imports.map(({ parameters, result }) => [0x60, parameters.length, ...parameters, 1, result]),
  ];
  const memory = [...name('env'), ...name('memory'), 2, ...(sharedMemory ? [3, 1, ...unsigned(65_536)] : [0, 1])];
  const body = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...code, ...Op.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [memory, ...imports.map((item, i) => [...name('kernels'), ...name(item.name), 0, i + 1])]),
    ...section(3, [[0]]),
    ...section(7, [[...name('run'), 0, ...unsigned(imports.length)]]),
    ...section(10, [[...unsigned(body.length), ...body]]),
  ]);
}
