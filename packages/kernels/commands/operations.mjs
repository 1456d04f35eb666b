/**
 * The element-wise operations of chains by the type of their lanes, and their numbers: the only source. A boolean is a lane of 0 or 1. An operation that is
 * there for float32 alone takes integers converted to it.
 */

export const operations = {
  F32: {
    doc: 'Element-wise operations on float32.',
    unary: {
      ...{ neg: 1, abs: 2, sign: 3, square: 4, relu: 5, floor: 6, ceil: 7, trunc: 8, round: 9 },
      ...{ sqrt: 14, rsqrt: 15, reciprocal: 16, logicalNot: 21, isnan: 22, isinf: 23, isfinite: 24 },
    },
    // Functions of vector.ts, called NAME4 there: what the interpreter and compiled chains call. The others are written where they are used, in an
    // instruction or two.
    functions: {
      ...{ exp: 10, expm1: 11, log: 12, log1p: 13, tanh: 17, sigmoid: 18, softplus: 19, erf: 20, gelu: 25 },
    },
    binary: {
      ...{ add: 32, sub: 33, mul: 34, div: 35, maximum: 36, minimum: 37, divideNoNan: 38 },
      ...{ equal: 39, notEqual: 40, less: 41, lessEqual: 42, greater: 43, greaterEqual: 44 },
      ...{ pow: 45, mod: 46, floorDivide: 47 },
    },
  },
  I32: {
    doc: 'Element-wise operations on int32 and booleans.',
    unary: { neg: 64, abs: 65, square: 66, relu: 67, logicalNot: 68 },
    binary: {
      ...{ add: 72, sub: 73, mul: 74, maximum: 75, minimum: 76 },
      ...{ equal: 77, notEqual: 78, less: 79, lessEqual: 80, greater: 81, greaterEqual: 82 },
      ...{ logicalAnd: 83, logicalOr: 84, logicalXor: 85, mod: 86, floorDivide: 87 },
    },
  },
  Cast: {
    doc: 'Conversions; copy is of four bytes, or a boolean, as they are.',
    unary: { f32ToI32: 96, i32ToF32: 97, f32ToBool: 98, i32ToBool: 99, copy: 100 },
    binary: {},
  },
};

/** The choice between two values: its operands are the condition, what holds where it is not 0, and what holds elsewhere. */
export const SELECT = 101;

/** Those that go lane by lane, in functions of their own in elementwise.ts. */
export const lanewise = ['pow', 'mod', 'floorDivide'];

/** Those of float32 that integers are not converted for: their results would be others. */
export const floatOnly = ['sign', 'pow'];

/** Those of int32 that take booleans alone. */
export const booleanOnly = ['logicalAnd', 'logicalOr', 'logicalXor'];
