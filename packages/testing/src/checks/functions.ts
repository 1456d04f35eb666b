import { ChainLayout, Command, F32, loadKernels, Record, SCRATCH_BYTES, wordsOf } from '@recurra/kernels';

const { heap, exports, control, scratch } = loadKernels();

/** erf(x), or with `complement` 1 - erf(x), in float64: the series, or the continued fraction of erfc (Abramowitz & Stegun 7.1.6, 7.1.14). */
export function erf(x: number, complement = false): number {
  const a = Math.abs(x);
  if (a > 6 && !complement) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    const value = (Math.sign(x) * 2 * sum * Math.exp(-a * a)) / Math.sqrt(Math.PI);
    return complement ? 1 - value : value;
  }
  let fraction = a;
  for (let k = 60; k >= 1; k--) fraction = a + k / 2 / fraction;
  const tail = Math.exp(-a * a) / fraction / Math.sqrt(Math.PI);
  if (complement) return x > 0 ? tail : 2 - tail;
  return Math.sign(x) * (1 - tail);
}

/** Reference in float64, the interval outside of which the result is 0, 1, x or infinite, and the bound in ulp. */
export const FUNCTIONS: Record<string, { f: (x: number) => number; from: number; to: number; ulp: number }> = {
  exp: { f: Math.exp, from: -110, to: 92, ulp: 2 },
  expm1: { f: Math.expm1, from: -20, to: 92, ulp: 2 },
  log: { f: Math.log, from: 0, to: 3.4e38, ulp: 2 },
  log1p: { f: Math.log1p, from: -0.9999999, to: 3.4e38, ulp: 2 },
  tanh: { f: Math.tanh, from: -12, to: 12, ulp: 2 },
  sigmoid: { f: (x) => 1 / (1 + Math.exp(-x)), from: -110, to: 40, ulp: 2 },
  softplus: { f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), from: -110, to: 100, ulp: 2 },
  erf: { f: (x) => erf(x), from: -6, to: 6, ulp: 2 },
  gelu: { f: (x) => 0.5 * x * erf(-x * Math.SQRT1_2, true), from: -14, to: 14, ulp: 2 },
};

const SIZE = 1 << 16;
const from = heap.allocate(SIZE * 4);
const to = heap.allocate(SIZE * 4);
const program = heap.allocate(256);

/** Runs one function of the kernels over a block of bit patterns. */
export function apply(name: string, patterns: Uint32Array): Float32Array {
  const operand = (register: number, at: number): number[] =>
    wordsOf(Record.chainOperand, { register, layout: ChainLayout.dense, at, bytes: 4, s0: 0, s1: 0, s2: 0, s3: 1 });
  const count = patterns.length;
  const sizes = { count, inputs: 1, outputs: 1, operations: 1, registers: 2, d0: 1, d1: 1, d2: 1, d3: count };
  const operation = { code: F32[name as keyof typeof F32], to: 1, a: 0, b: 0, c: 0 };
  const words = [
    ...[Command.chain.number, 0, ...wordsOf(Command.chain, { ...sizes, slot: 0, row: 0 })],
    ...[...operand(0, from), ...operand(1, to), ...wordsOf(Record.chainOperation, operation)],
  ];
  words[1] = words.length;
  heap.arrays.i32.set(words, program / 4);
  heap.arrays.i32.set(patterns, from / 4);
  exports.run(program, program + words.length * 4, 0, 1, control, scratch, SCRATCH_BYTES);
  return heap.arrays.f32.slice(to / 4, to / 4 + patterns.length);
}

const words = new DataView(new ArrayBuffer(4));
/** Floats in their order, as integers: neighbours differ by one. */
function ordinal(x: number): number {
  words.setFloat32(0, x);
  const bits = words.getInt32(0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** The largest distance from the rounded float64 result, over every `stride`-th float32 (all for 1). */
export function worst(name: string, stride: number): { ulp: number; at: number } {
  const { f, from: low, to: high } = FUNCTIONS[name]!;
  const result = { ulp: 0, at: 0 };
  const block = new Uint32Array(SIZE);
  const floats = new Float32Array(block.buffer);
  let filled = 0;
  const flush = (): void => {
    const used = block.slice(0, filled);
    const values = new Float32Array(used.buffer);
    const computed = apply(name, used);
    for (let i = 0; i < used.length; i++) {
      const expected = Math.fround(f(values[i]!));
      const got = computed[i]!;
      // Subnormal results may be flushed to zero.
      if (Math.abs(expected) < 1.1754944e-38 && Math.abs(got) < 1.1754944e-38) continue;
      const ulp = Math.abs(ordinal(got) - ordinal(expected));
      if (!(ulp <= result.ulp)) {
        result.ulp = ulp;
        result.at = values[i]!;
      }
    }
    filled = 0;
  };
  for (let bits = 0; bits < 2 ** 32; bits += stride) {
    block[filled] = bits;
    const x = floats[filled]!;
    // What is tiny, for which all these functions are x, 1 or a constant, is sampled by every stride too; NaN is not.
    if (x >= low && x <= high && Math.abs(x) >= 1.1754944e-38) filled++;
    if (filled === SIZE) flush();
  }
  if (filled > 0) flush();
  return result;
}
