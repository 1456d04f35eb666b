import { Cast, Command, F32, FUNCTIONS, I32, Record, SELECT } from '@recurra/kernels';
import { type Bytes, encodeModule, type Import, Op, Simd, signed, simd, Type, unsigned } from './encoder.js';

/** One operand of a chain that is to be compiled. */
export interface ChainOperand {
  readonly register: number;
  /** Bytes of an element: 4, or 1 for booleans. */
  readonly bytes: number;
  /** Does it advance within a row, or does one element serve a whole row? */
  readonly inner: boolean;
  /** Elements from one row to the next; or, where that is not the same for all rows, from one index of each of `rows` to the next. */
  readonly outer: number | readonly number[];
  /** Drawn from a key, with this stream, rather than read. */
  readonly random?: number;
}

/** A chain: operations on registers, each written once. */
export interface ChainShape {
  readonly inputs: readonly ChainOperand[];
  readonly outputs: readonly ChainOperand[];
  readonly operations: readonly { code: number; to: number; a: number; b: number; c: number }[];
  readonly registers: number;
  /** Elements of a row; 0 for one row that may be cut anywhere. */
  readonly row: number;
  /** What the rows are indexed by, where an operand needs it. */
  readonly rows: readonly number[];
}

type Rule = (a: number[], b: number[], c: number[]) => number[];

const op = (number: number): number[] => simd(number);
const constant = (lane: number): number[] => {
  const bytes = [lane & 255, (lane >>> 8) & 255, (lane >>> 16) & 255, (lane >>> 24) & 255];
  return [...op(Simd.constant), ...bytes, ...bytes, ...bytes, ...bytes];
};
const bits = new DataView(new ArrayBuffer(4));
const float = (value: number): number[] => {
  bits.setFloat32(0, value);
  return constant(bits.getInt32(0));
};
const unary =
  (number: number): Rule =>
  (a) => [...a, ...op(number)];
const binary =
  (number: number): Rule =>
  (a, b) => [...a, ...b, ...op(number)];
/** Comparisons give lanes of 0 or 1. */
const truth = (code: number[]): number[] => [...code, ...constant(1), ...op(Simd.and)];
const compare =
  (number: number): Rule =>
  (a, b) =>
    truth([...a, ...b, ...op(number)]);

/** How operations are written; those of kernels by the name of the function to call. Absent ones stay with the interpreter. */
const RULES: ReadonlyMap<number, Rule | string> = new Map<number, Rule | string>([
  [F32.neg, unary(Simd.neg)],
  [F32.abs, unary(Simd.abs)],
  [F32.square, (a) => [...a, ...a, ...op(Simd.mul)]],
  [F32.relu, (a) => [...a, ...float(0), ...op(Simd.pmax)]],
  [F32.floor, unary(Simd.floor)],
  [F32.ceil, unary(Simd.ceil)],
  [F32.trunc, unary(Simd.trunc)],
  [F32.round, unary(Simd.nearest)],
  [F32.sqrt, unary(Simd.sqrt)],
  [F32.rsqrt, (a) => [...float(1), ...a, ...op(Simd.sqrt), ...op(Simd.div)]],
  [F32.reciprocal, (a) => [...float(1), ...a, ...op(Simd.div)]],
  ...FUNCTIONS.map((name) => [F32[name as keyof typeof F32], name] as const),
  [F32.logicalNot, (a) => truth([...a, ...float(0), ...op(Simd.f32Eq)])],
  [F32.isnan, (a) => truth([...a, ...a, ...op(Simd.f32Ne)])],
  [F32.isinf, (a) => truth([...a, ...op(Simd.abs), ...float(Infinity), ...op(Simd.f32Eq)])],
  [F32.isfinite, (a) => truth([...a, ...op(Simd.abs), ...float(Infinity), ...op(Simd.f32Lt)])],
  [F32.add, binary(Simd.add)],
  [F32.sub, binary(Simd.sub)],
  [F32.mul, binary(Simd.mul)],
  [F32.div, binary(Simd.div)],
  [F32.maximum, binary(Simd.max)],
  [F32.minimum, binary(Simd.min)],
  [F32.divideNoNan, (a, b) => [...a, ...b, ...op(Simd.div), ...b, ...float(0), ...op(Simd.f32Eq), ...op(Simd.andNot)]],
  [F32.equal, compare(Simd.f32Eq)],
  [F32.notEqual, compare(Simd.f32Ne)],
  [F32.less, compare(Simd.f32Lt)],
  [F32.lessEqual, compare(Simd.f32Le)],
  [F32.greater, compare(Simd.f32Gt)],
  [F32.greaterEqual, compare(Simd.f32Ge)],
  [I32.neg, unary(Simd.i32Neg)],
  [I32.abs, unary(Simd.i32Abs)],
  [I32.square, (a) => [...a, ...a, ...op(Simd.i32Mul)]],
  [I32.relu, (a) => [...a, ...constant(0), ...op(Simd.i32Max)]],
  [I32.logicalNot, (a) => truth([...a, ...constant(0), ...op(Simd.i32Eq)])],
  [I32.add, binary(Simd.i32Add)],
  [I32.sub, binary(Simd.i32Sub)],
  [I32.mul, binary(Simd.i32Mul)],
  [I32.maximum, binary(Simd.i32Max)],
  [I32.minimum, binary(Simd.i32Min)],
  [I32.equal, compare(Simd.i32Eq)],
  [I32.notEqual, compare(Simd.i32Ne)],
  [I32.less, compare(Simd.i32Lt)],
  [I32.lessEqual, compare(Simd.i32Le)],
  [I32.greater, compare(Simd.i32Gt)],
  [I32.greaterEqual, compare(Simd.i32Ge)],
  [I32.logicalAnd, binary(Simd.and)],
  [I32.logicalOr, binary(Simd.or)],
  [I32.logicalXor, binary(Simd.xor)],
  [Cast.f32ToI32, unary(Simd.truncate)],
  [Cast.i32ToF32, unary(Simd.convert)],
  [Cast.f32ToBool, (a) => truth([...a, ...float(0), ...op(Simd.f32Ne)])],
  [Cast.i32ToBool, (a) => truth([...a, ...constant(0), ...op(Simd.i32Ne)])],
  [Cast.copy, (a) => a],
  [SELECT, (a, b, c) => [...c, ...b, ...a, ...constant(0), ...op(Simd.i32Eq), ...op(Simd.bitselect)]],
]);

/** Where the operands begin in a chain's command, and how long each is, in bytes. */
const FIRST_OPERAND = (2 + Command.chain.words.length) * 4;
const OPERAND_BYTES = Record.chainOperand.words.length * 4;
const POINTER = Record.chainOperand.words.indexOf('at') * 4;

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const integer = (value: number): number[] => [0x41, ...signed(value)];
const loadInteger = (offset: number): number[] => [0x28, 2, ...unsigned(offset)];
const memory = (number: number, offset = 0): number[] => [...op(number), 0, ...unsigned(offset)];

/**
 * A WebAssembly module whose `run(command, first, last)` does rows (or elements) first .. last of a chain, values staying in
 * registers from one operation to the next; or `null` where an operation is left to the interpreter. Operands are found in the
 * command, as the interpreter finds them, so that one module serves every chain of this shape.
 */
export function compileChain(shape: ChainShape, sharedMemory: boolean): Bytes | null {
  const { inputs, outputs, operations, registers, row, rows } = shape;
  const imports: Import[] = [];
  const imported = (name: string): number => {
    let at = imports.findIndex((item) => item.name === name);
    if (at < 0) {
      at = imports.length;
      const parameters = name === 'draw' ? [Type.i32, Type.i32, Type.i32] : [Type.v128];
      imports.push({ name, parameters, result: Type.v128 });
    }
    return at;
  };
  for (const { code } of operations) if (!RULES.has(code)) return null;

  // Locals: command, first, last; the index; the end of the vectors of a row; the row; a pointer for each operand; a vector for
  // each register.
  const [command, first, last, index, vectors, line] = [0, 1, 2, 3, 4, 5];
  const operands = [...inputs, ...outputs];
  const pointer = (k: number): number => 6 + k;
  const vector = (register: number): number => 6 + operands.length + register;
  const locals = [
    Type.i32,
    Type.i32,
    Type.i32,
    ...operands.map(() => Type.i32),
    ...new Array(registers).fill(Type.v128),
  ];

  /** The address of element `index` of an operand. */
  const address = (k: number): number[] =>
    operands[k]!.bytes === 4
      ? [...get(pointer(k)), ...get(index), ...integer(2), ...Op.shl, ...Op.add]
      : [...get(pointer(k)), ...get(index), ...Op.add];
  const widen = [...op(Simd.extend8), ...op(Simd.extend16)];
  /** Loads what serves a whole row. */
  const loadRow = (k: number): number[] => {
    const { bytes, register } = operands[k]!;
    const value = bytes === 4 ? memory(Simd.load32Splat) : [0x2d, 0, 0, ...op(Simd.i32x4Splat)]; // i32.load8_u
    return [...get(pointer(k)), ...value, ...set(vector(register))];
  };
  /** The address of row `line` of an operand whose rows lie at no even distance. */
  const locate = (k: number, strides: readonly number[]): number[] => {
    const code = [...get(command), ...loadInteger(FIRST_OPERAND + k * OPERAND_BYTES + POINTER)];
    let size = 1;
    for (let axis = rows.length - 1; axis >= 0; axis--) {
      const stride = strides[axis]! * operands[k]!.bytes;
      if (stride !== 0) {
        code.push(...get(line), ...integer(size), ...Op.divide);
        if (axis > 0) code.push(...integer(rows[axis]!), ...Op.remainder);
        code.push(...integer(stride), ...Op.mul, ...Op.add);
      }
      size *= rows[axis]!;
    }
    return [...code, ...set(pointer(k))];
  };
  const body = (whole: boolean): number[] => {
    const code: number[] = [];
    inputs.forEach((input, k) => {
      if (input.random !== undefined)
        code.push(
          ...get(index),
          ...integer(input.random),
          ...get(pointer(k)),
          0x10,
          ...unsigned(imported('draw')),
          ...set(vector(input.register)),
        );
      else if (input.inner) {
        code.push(...address(k));
        if (input.bytes === 4) code.push(...(whole ? memory(Simd.load) : memory(Simd.load32Splat)));
        else code.push(...(whole ? [...memory(Simd.load32Zero), ...widen] : [0x2d, 0, 0, ...op(Simd.i32x4Splat)]));
        code.push(...set(vector(input.register)));
      }
    });
    for (const { code: number, to, a, b, c } of operations) {
      const rule = RULES.get(number)!;
      const [x, y, z] = [get(vector(a)), get(vector(b)), get(vector(c))];
      if (typeof rule === 'string') code.push(...x, 0x10, ...unsigned(imported(rule)));
      else code.push(...rule(x, y, z));
      code.push(...set(vector(to)));
    }
    outputs.forEach((output, i) => {
      const k = inputs.length + i;
      code.push(...address(k), ...get(vector(output.register)));
      if (output.bytes === 4) code.push(...(whole ? memory(Simd.store) : [...memory(Simd.store32Lane), 0]));
      else if (whole) {
        // The low byte of each lane.
        code.push(...get(vector(output.register)), ...op(Simd.shuffle));
        code.push(...[0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], ...memory(Simd.store32Lane), 0);
      } else code.push(...memory(Simd.store8Lane), 0);
    });
    return code;
  };
  /** Whole vectors from `index` to `vectors`, then single elements to `end`. */
  const walk = (end: number[]): number[] => {
    // With random numbers, single elements would be drawn in the wrong lane; four are, and one is kept.
    const rest = body(false);
    return [
      ...[...Op.block, ...Op.loop, ...get(index), ...get(vectors), ...Op.greaterEqual, ...Op.branchIf, 1],
      ...body(true),
      ...[...get(index), ...integer(4), ...Op.add, ...set(index), 0x0c, 0, ...Op.end, ...Op.end],
      ...[...Op.block, ...Op.loop, ...get(index), ...end, ...Op.greaterEqual, ...Op.branchIf, 1],
      ...rest,
      ...[...get(index), ...integer(1), ...Op.add, ...set(index), 0x0c, 0, ...Op.end, ...Op.end],
    ];
  };
  const code: number[] = [];
  operands.forEach((operand, k) => {
    code.push(...get(command), ...loadInteger(FIRST_OPERAND + k * OPERAND_BYTES + POINTER));
    if (row > 0 && typeof operand.outer === 'number' && operand.outer !== 0)
      code.push(...get(first), ...integer(operand.outer * operand.bytes), ...Op.mul, ...Op.add);
    code.push(...set(pointer(k)));
    // One element for the whole chain.
    if (k < inputs.length && !operand.inner && operand.outer === 0 && operand.random === undefined)
      code.push(...loadRow(k));
  });
  if (row === 0) {
    code.push(...get(first), ...set(index));
    // first is a multiple of 16: whole vectors end where the count's last four do.
    code.push(
      ...get(last),
      ...get(first),
      ...Op.sub,
      ...integer(-4),
      ...Op.and,
      ...get(first),
      ...Op.add,
      ...set(vectors),
    );
    code.push(...walk(get(last)));
  } else {
    code.push(...integer(row & ~3), ...set(vectors), ...get(first), ...set(line));
    code.push(...Op.block, ...Op.loop, ...get(line), ...get(last), ...Op.greaterEqual, ...Op.branchIf, 1);
    operands.forEach((operand, k) => {
      if (typeof operand.outer !== 'number') code.push(...locate(k, operand.outer));
      if (k < inputs.length && !operand.inner && operand.outer !== 0) code.push(...loadRow(k));
    });
    code.push(...integer(0), ...set(index), ...walk(integer(row)));
    operands.forEach((operand, k) => {
      if (typeof operand.outer === 'number' && operand.outer !== 0)
        code.push(...get(pointer(k)), ...integer(operand.outer * operand.bytes), ...Op.add, ...set(pointer(k)));
    });
    code.push(...get(line), ...integer(1), ...Op.add, ...set(line), 0x0c, 0, ...Op.end, ...Op.end);
  }
  return encodeModule(imports, locals, code, sharedMemory);
}
