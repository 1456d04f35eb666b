/**
 * The numbers of commands and of element-wise operations. The build turns them into the tables `Command` and
 * `Elementwise` of the package: this file is their only source.
 */

// ---- Commands. A program is a list of [number, length in words, ...operands].
export const COMMAND_CHAIN: i32 = 1;
export const COMMAND_GEMM: i32 = 2;
export const COMMAND_REDUCE: i32 = 3;
export const COMMAND_GATHER: i32 = 4;
export const COMMAND_SCATTER_ADD: i32 = 5;
export const COMMAND_RANDOM: i32 = 6;
export const COMMAND_ARG_REDUCE: i32 = 7;
export const COMMAND_SEQUENCE_FORWARD: i32 = 8;
export const COMMAND_SEQUENCE_BACKWARD: i32 = 9;
export const COMMAND_LOOP: i32 = 10;
export const COMMAND_CUMULATE: i32 = 11;
export const COMMAND_ATTENTION_FORWARD: i32 = 12;
export const COMMAND_ATTENTION_BACKWARD: i32 = 13;
export const COMMAND_RECURRENCE_FORWARD: i32 = 14;
export const COMMAND_RECURRENCE_BACKWARD: i32 = 15;
export const COMMAND_ROWS: i32 = 16;
export const COMMAND_CHECK_INDICES: i32 = 17;
export const COMMAND_CONVOLUTION: i32 = 18;
export const COMMAND_CONVOLUTION_INPUT: i32 = 19;
export const COMMAND_CONVOLUTION_KERNEL: i32 = 20;
export const COMMAND_POOLING: i32 = 21;

// ---- Element-wise operations on float32 lanes, of one argument
export const F32_NEG: i32 = 1;
export const F32_ABS: i32 = 2;
export const F32_SIGN: i32 = 3;
export const F32_SQUARE: i32 = 4;
export const F32_RELU: i32 = 5;
export const F32_FLOOR: i32 = 6;
export const F32_CEIL: i32 = 7;
export const F32_TRUNC: i32 = 8;
export const F32_ROUND: i32 = 9;
export const F32_EXP: i32 = 10;
export const F32_EXPM1: i32 = 11;
export const F32_LOG: i32 = 12;
export const F32_LOG1P: i32 = 13;
export const F32_SQRT: i32 = 14;
export const F32_RSQRT: i32 = 15;
export const F32_RECIPROCAL: i32 = 16;
export const F32_TANH: i32 = 17;
export const F32_SIGMOID: i32 = 18;
export const F32_SOFTPLUS: i32 = 19;
export const F32_ERF: i32 = 20;
export const F32_LOGICAL_NOT: i32 = 21;
export const F32_ISNAN: i32 = 22;
export const F32_ISINF: i32 = 23;
export const F32_ISFINITE: i32 = 24;
export const F32_GELU: i32 = 25;

// ---- of two arguments
export const F32_ADD: i32 = 32;
export const F32_SUB: i32 = 33;
export const F32_MUL: i32 = 34;
export const F32_DIV: i32 = 35;
export const F32_MAXIMUM: i32 = 36;
export const F32_MINIMUM: i32 = 37;
export const F32_DIVIDE_NO_NAN: i32 = 38;
export const F32_EQUAL: i32 = 39;
export const F32_NOT_EQUAL: i32 = 40;
export const F32_LESS: i32 = 41;
export const F32_LESS_EQUAL: i32 = 42;
export const F32_GREATER: i32 = 43;
export const F32_GREATER_EQUAL: i32 = 44;
export const F32_POW: i32 = 45;
export const F32_MOD: i32 = 46;
export const F32_FLOOR_DIVIDE: i32 = 47;

// ---- on int32 lanes; a boolean is a lane of 0 or 1
export const I32_NEG: i32 = 64;
export const I32_ABS: i32 = 65;
export const I32_SQUARE: i32 = 66;
export const I32_RELU: i32 = 67;
export const I32_LOGICAL_NOT: i32 = 68;
export const I32_ADD: i32 = 72;
export const I32_SUB: i32 = 73;
export const I32_MUL: i32 = 74;
export const I32_MAXIMUM: i32 = 75;
export const I32_MINIMUM: i32 = 76;
export const I32_EQUAL: i32 = 77;
export const I32_NOT_EQUAL: i32 = 78;
export const I32_LESS: i32 = 79;
export const I32_LESS_EQUAL: i32 = 80;
export const I32_GREATER: i32 = 81;
export const I32_GREATER_EQUAL: i32 = 82;
export const I32_LOGICAL_AND: i32 = 83;
export const I32_LOGICAL_OR: i32 = 84;
export const I32_LOGICAL_XOR: i32 = 85;
export const I32_MOD: i32 = 86;
export const I32_FLOOR_DIVIDE: i32 = 87;

// ---- conversions, and the choice between two values
export const CAST_F32_TO_I32: i32 = 96;
export const CAST_I32_TO_F32: i32 = 97;
export const CAST_F32_TO_BOOL: i32 = 98;
export const CAST_I32_TO_BOOL: i32 = 99;
export const CAST_COPY: i32 = 100;
export const SELECT: i32 = 101;
