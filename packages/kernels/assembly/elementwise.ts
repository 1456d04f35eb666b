/**
 * Chains of element-wise operations in one pass: an interpreter whose registers are blocks of BLOCK elements. An operation
 * runs over a block before the next one begins, so that intermediate values never leave the first-level cache, and the cost
 * of interpreting is paid once a block.
 */
import { apply, called } from "./generated/apply";
import * as op from "./generated/commands";
import {
  CHAIN_LAYOUT_DENSE as DENSE, CHAIN_LAYOUT_RANDOM as RANDOM, CHAIN_LAYOUT_SCALAR as SCALAR, CHAIN_LAYOUT_STRIDED as STRIDED, ChainCommand,
  ChainOperand, ChainOperation,
} from "./generated/commands";
import { philox, uniform } from "./random";

const BLOCK: i32 = 512;
const BLOCK_BYTES: usize = 2048;

// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, i32x4.splat(1));
}

// @ts-ignore: decorator
@inline
function unary(n: i32, x: v128): v128 {
  if (n == op.F32_NEG) return f32x4.neg(x);
  if (n == op.F32_ABS) return f32x4.abs(x);
  if (n == op.F32_SIGN) {
    const zero = f32x4.splat(0);
    const one = f32x4.splat(1);
    const s = v128.or(v128.and(f32x4.gt(x, zero), one), v128.and(f32x4.lt(x, zero), f32x4.splat(-1)));
    // Signed zeros and NaN stay.
    return v128.bitselect(x, s, f32x4.eq(s, zero));
  }
  if (n == op.F32_SQUARE) return f32x4.mul(x, x);
  if (n == op.F32_RELU) return f32x4.pmax(x, f32x4.splat(0));
  if (n == op.F32_FLOOR) return f32x4.floor(x);
  if (n == op.F32_CEIL) return f32x4.ceil(x);
  if (n == op.F32_TRUNC) return f32x4.trunc(x);
  if (n == op.F32_ROUND) return f32x4.nearest(x);
  if (n == op.F32_SQRT) return f32x4.sqrt(x);
  if (n == op.F32_RSQRT) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  if (n == op.F32_RECIPROCAL) return f32x4.div(f32x4.splat(1), x);
  if (n == op.F32_LOGICAL_NOT) return truth(f32x4.eq(x, f32x4.splat(0)));
  if (n == op.F32_ISNAN) return truth(f32x4.ne(x, x));
  if (n == op.F32_ISINF) return truth(f32x4.eq(f32x4.abs(x), f32x4.splat(Infinity)));
  if (n == op.F32_ISFINITE) return truth(f32x4.lt(f32x4.abs(x), f32x4.splat(Infinity)));
  if (n == op.I32_NEG) return i32x4.neg(x);
  if (n == op.I32_ABS) return i32x4.abs(x);
  if (n == op.I32_SQUARE) return i32x4.mul(x, x);
  if (n == op.I32_RELU) return i32x4.max_s(x, i32x4.splat(0));
  if (n == op.I32_LOGICAL_NOT) return truth(i32x4.eq(x, i32x4.splat(0)));
  if (n == op.CAST_F32_TO_I32) return i32x4.trunc_sat_f32x4_s(x);
  if (n == op.CAST_I32_TO_F32) return f32x4.convert_i32x4_s(x);
  if (n == op.CAST_F32_TO_BOOL) return truth(f32x4.ne(x, f32x4.splat(0)));
  if (n == op.CAST_I32_TO_BOOL) return truth(i32x4.ne(x, i32x4.splat(0)));
  return called(n, x);
}

// @ts-ignore: decorator
@inline
function binary(n: i32, a: v128, b: v128): v128 {
  if (n == op.F32_ADD) return f32x4.add(a, b);
  if (n == op.F32_SUB) return f32x4.sub(a, b);
  if (n == op.F32_MUL) return f32x4.mul(a, b);
  if (n == op.F32_DIV) return f32x4.div(a, b);
  if (n == op.F32_MAXIMUM) return f32x4.max(a, b);
  if (n == op.F32_MINIMUM) return f32x4.min(a, b);
  if (n == op.F32_DIVIDE_NO_NAN) return v128.andnot(f32x4.div(a, b), f32x4.eq(b, f32x4.splat(0)));
  if (n == op.F32_EQUAL) return truth(f32x4.eq(a, b));
  if (n == op.F32_NOT_EQUAL) return truth(f32x4.ne(a, b));
  if (n == op.F32_LESS) return truth(f32x4.lt(a, b));
  if (n == op.F32_LESS_EQUAL) return truth(f32x4.le(a, b));
  if (n == op.F32_GREATER) return truth(f32x4.gt(a, b));
  if (n == op.F32_GREATER_EQUAL) return truth(f32x4.ge(a, b));
  if (n == op.I32_ADD) return i32x4.add(a, b);
  if (n == op.I32_SUB) return i32x4.sub(a, b);
  if (n == op.I32_MUL) return i32x4.mul(a, b);
  if (n == op.I32_MAXIMUM) return i32x4.max_s(a, b);
  if (n == op.I32_MINIMUM) return i32x4.min_s(a, b);
  if (n == op.I32_EQUAL) return truth(i32x4.eq(a, b));
  if (n == op.I32_NOT_EQUAL) return truth(i32x4.ne(a, b));
  if (n == op.I32_LESS) return truth(i32x4.lt_s(a, b));
  if (n == op.I32_LESS_EQUAL) return truth(i32x4.le_s(a, b));
  if (n == op.I32_GREATER) return truth(i32x4.gt_s(a, b));
  if (n == op.I32_GREATER_EQUAL) return truth(i32x4.ge_s(a, b));
  if (n == op.I32_LOGICAL_AND) return v128.and(a, b);
  if (n == op.I32_LOGICAL_OR) return v128.or(a, b);
  if (n == op.I32_LOGICAL_XOR) return v128.xor(a, b);
  return a;
}

// @ts-ignore: decorator
@inline
export function over1(n: i32, a: usize, to: usize, end: usize): void {
  for (; to < end; to += 16, a += 16) v128.store(to, unary(n, v128.load(a)));
}

// @ts-ignore: decorator
@inline
export function over2(n: i32, a: usize, b: usize, to: usize, end: usize): void {
  for (; to < end; to += 16, a += 16, b += 16) v128.store(to, binary(n, v128.load(a), v128.load(b)));
}

/** float32 powers, a lane at a time: IEEE pow, where 1 to whatever power, and -1 to an infinite one, is 1. */
function power(a: usize, b: usize, to: usize, end: usize): void {
  for (; to < end; to += 4, a += 4, b += 4) {
    const x = load<f32>(a), y = load<f32>(b);
    const one = x == 1 || (x == -1 && abs(y) == Infinity);
    store<f32>(to, one ? 1 : <f32>Math.pow(<f64>x, <f64>y));
  }
}

/** Python's remainder: the sign of the divisor, also of a remainder of 0. */
function floorMod(a: f64, b: f64): f64 {
  const r = a % b;
  if (r == 0) return b < 0 ? -0.0 : 0;
  return (r < 0) != (b < 0) ? r + b : r;
}

/** Python's quotient, from the exact remainder: the rounded quotient may be the integer above. */
function floorDivide(a: f64, b: f64): f64 {
  if (b == 0) return a / b;
  const r = a % b;
  const q = (a - r) / b - (r != 0 && (r < 0) != (b < 0) ? 1 : 0);
  // The sign of the quotient, which is below 1.
  if (q == 0) return (a / b) * 0;
  const low = Math.floor(q);
  return q - low > 0.5 ? low + 1 : low;
}

/** A float64 as int32: what is no number is 0. */
function toInt32(v: f64): i32 {
  return isFinite(v) ? <i32>(<i64>v) : 0;
}

/** Divisions that round down, a lane at a time. */
function divide(n: i32, a: usize, b: usize, to: usize, end: usize): void {
  for (; to < end; to += 4, a += 4, b += 4) {
    if (n == op.F32_MOD) store<f32>(to, <f32>floorMod(<f64>load<f32>(a), <f64>load<f32>(b)));
    else if (n == op.F32_FLOOR_DIVIDE) store<f32>(to, <f32>floorDivide(<f64>load<f32>(a), <f64>load<f32>(b)));
    else if (n == op.I32_MOD) store<i32>(to, toInt32(floorMod(<f64>load<i32>(a), <f64>load<i32>(b))));
    else store<i32>(to, toInt32(Math.floor(<f64>load<i32>(a) / <f64>load<i32>(b))));
  }
}

/** What is no single instruction or function over vectors. */
export function others(n: i32, a: usize, b: usize, c: usize, to: usize, end: usize): void {
  switch (n) {
    case op.F32_POW: power(a, b, to, end); return;
    case op.F32_MOD: case op.F32_FLOOR_DIVIDE: case op.I32_MOD: case op.I32_FLOOR_DIVIDE: divide(n, a, b, to, end); return;
    case op.SELECT:
      for (; to < end; to += 16, a += 16, b += 16, c += 16)
        v128.store(to, v128.bitselect(v128.load(c), v128.load(b), i32x4.eq(v128.load(a), i32x4.splat(0))));
      return;
    default: unreachable();
  }
}

/** Elements i .. i + n of a strided operand, in row-major order of d0..d3, into (or out of) a block. */
function walk(
  operand: ChainOperand, dims: ChainCommand, i: i32, n: i32, block: usize, out: bool,
): void {
  const bytes = operand.bytes;
  const d1 = dims.d1, d2 = dims.d2, d3 = dims.d3;
  const s0 = operand.s0, s1 = operand.s1, s2 = operand.s2, s3 = operand.s3;
  const base = operand.at;
  let i3 = i % d3;
  let rest = i / d3;
  let i2 = rest % d2;
  rest /= d2;
  let i1 = rest % d1;
  let i0 = rest / d1;
  const end = block + (<usize>n << 2);
  while (block < end) {
    let p = base + (i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3) * bytes;
    const run = min(d3 - i3, <i32>((end - block) >> 2));
    const step = s3 * bytes;
    const stop = block + (<usize>run << 2);
    if (bytes == 4) {
      if (out) {
        if (s3 == 1) { memory.copy(p, block, stop - block); block = stop; }
        else for (; block < stop; block += 4, p += step) store<u32>(p, load<u32>(block));
      } else if (s3 == 1) { memory.copy(block, p, stop - block); block = stop; }
      else if (s3 == 0) {
        const v = v128.load32_splat(p);
        for (; block + 16 <= stop; block += 16) v128.store(block, v);
        for (; block < stop; block += 4) store<u32>(block, load<u32>(p));
      } else for (; block < stop; block += 4, p += step) store<u32>(block, load<u32>(p));
    } else if (out) for (; block < stop; block += 4, p += step) store<u8>(p, <u8>load<u32>(block));
    else for (; block < stop; block += 4, p += step) store<u32>(block, <u32>load<u8>(p));
    i3 += run;
    if (i3 == d3) {
      i3 = 0;
      if (++i2 == d2) {
        i2 = 0;
        if (++i1 == d1) { i1 = 0; i0++; }
      }
    }
  }
}

/**
 * Runs a chain over this worker's share of the elements. `scratch`: the registers, then their addresses. A chain that was compiled
 * (slot > 0) is a function of its own in the table: it gets its operands' addresses and the first and last rows to do.
 */
export function chain(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<ChainCommand>(command);
  const count = args.count;
  const slot = args.slot;
  if (slot > 0) {
    // Rows of `row` elements; a dense chain is cut anywhere, into multiples of 16.
    const row = args.row;
    const rows = row > 0 ? count / row : (count + 15) >> 4;
    const first = <i32>((<i64>rows * worker) / workers);
    const last = <i32>((<i64>rows * (worker + 1)) / workers);
    if (row > 0) call_indirect<void>(slot, command, first, last);
    else if (last > first) call_indirect<void>(slot, command, first << 4, min(count, last << 4));
    return;
  }
  const inputs = args.inputs;
  const outputs = args.outputs;
  const operations = args.operations;
  const registers = args.registers;
  const firstInput = command + offsetof<ChainCommand>();
  const firstOutput = firstInput + <usize>inputs * offsetof<ChainOperand>();
  const firstOperation = firstOutput + <usize>outputs * offsetof<ChainOperand>();
  const blocks = (count + BLOCK - 1) / BLOCK;
  const from = <i32>((<i64>blocks * worker) / workers) * BLOCK;
  const until = min(count, <i32>((<i64>blocks * (worker + 1)) / workers) * BLOCK);
  if (from >= until) return;
  const table = scratch + <usize>registers * BLOCK_BYTES;
  const width = min(BLOCK, (until - from + 3) & ~3);
  for (let r = 0; r < registers; r++) store<usize>(table + (<usize>r << 2), scratch + <usize>r * BLOCK_BYTES);
  for (let k = 0; k < inputs; k++) {
    const operand = changetype<ChainOperand>(firstInput + <usize>k * offsetof<ChainOperand>());
    if (operand.layout != SCALAR) continue;
    const p = operand.at;
    const v = operand.bytes == 1 ? i32x4.splat(load<u8>(p)) : v128.load32_splat(p);
    let block = scratch + <usize>operand.register * BLOCK_BYTES;
    for (const end = block + (<usize>width << 2); block < end; block += 16) v128.store(block, v);
  }
  for (let i = from; i < until; i += BLOCK) {
    const n = min(BLOCK, until - i);
    const length = ((<usize>n + 3) & ~3) << 2;
    for (let k = 0; k < inputs; k++) {
      const operand = changetype<ChainOperand>(firstInput + <usize>k * offsetof<ChainOperand>());
      const register = <usize>operand.register;
      const layout = operand.layout;
      if (layout == DENSE && operand.bytes == 4) {
        store<usize>(table + (register << 2), operand.at + (<usize>i << 2));
      } else if (layout == DENSE) {
        let p = operand.at + i;
        let block = scratch + register * BLOCK_BYTES;
        for (const end = block + length; block < end; block += 16, p += 4) v128.store(block, i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(p))));
      } else if (layout == STRIDED) walk(operand, args, i, n, scratch + register * BLOCK_BYTES, false);
      else if (layout == RANDOM) {
        const key = operand.at;
        const k0 = load<u32>(key), k1 = load<u32>(key, 4), stream = <u32>operand.s0;
        let c = <u32>(i >> 2);
        let block = scratch + register * BLOCK_BYTES;
        for (const end = block + length; block < end; block += 16, c++) v128.store(block, uniform(philox(c, stream, k0, k1)));
      }
    }
    for (let k = 0; k < outputs; k++) {
      const operand = changetype<ChainOperand>(firstOutput + <usize>k * offsetof<ChainOperand>());
      if (operand.layout == DENSE && operand.bytes == 4)
        store<usize>(table + (<usize>operand.register << 2), operand.at + (<usize>i << 2));
    }
    for (let k = 0; k < operations; k++) {
      const o = changetype<ChainOperation>(firstOperation + <usize>k * offsetof<ChainOperation>());
      const to = load<usize>(table + (<usize>o.to << 2));
      apply(
        o.code,
        load<usize>(table + (<usize>o.a << 2)),
        load<usize>(table + (<usize>o.b << 2)),
        load<usize>(table + (<usize>o.c << 2)),
        to,
        to + length,
      );
    }
    for (let k = 0; k < outputs; k++) {
      const operand = changetype<ChainOperand>(firstOutput + <usize>k * offsetof<ChainOperand>());
      const layout = operand.layout;
      const bytes = operand.bytes;
      if (layout == DENSE && bytes == 4) continue;
      let block = load<usize>(table + (<usize>operand.register << 2));
      if (layout == STRIDED) walk(operand, args, i, n, block, true);
      else if (bytes == 4) memory.copy(operand.at + (<usize>i << 2), block, <usize>n << 2);
      else {
        let p = operand.at + i;
        for (const end = block + (<usize>n << 2); block < end; block += 4, p++) store<u8>(p, <u8>load<u32>(block));
      }
    }
  }
}
