/** Floating-point numbers of 8 and 16 bits, widened to float32: exactly, NaN and infinities included. */

/** IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits. The payload of a NaN is kept. */
export function widenFloat16(halves: Uint16Array): Float32Array {
  const wide = new Float32Array(halves.length);
  const bits = new Uint32Array(wide.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    // Below the smallest normal half the exponent stays, and the fraction has no leading one: float32 has room to normalize it.
    if (exponent === 0) wide[i] = (sign === 0 ? 1 : -1) * fraction * 2 ** -24;
    else bits[i] = sign | ((exponent === 0x1f ? 0xff : exponent + 112) << 23) | (fraction << 13);
  }
  return wide;
}

/** bfloat16: the upper half of a float32. */
export function widenBfloat16(halves: Uint16Array): Float32Array {
  const wide = new Float32Array(halves.length);
  const bits = new Uint32Array(wide.buffer);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return wide;
}

/** How 8 bits are read. */
interface Float8 {
  readonly fractionBits: number;
  readonly bias: number;
  /** What bytes that are no ordinary numbers mean; `null` for one that is. */
  readonly special: (byte: number) => number | null;
}

const FLOAT8: Readonly<Record<'F8_E4M3' | 'F8_E5M2' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ', Float8>> = {
  // No infinities: all bits but the sign set is NaN (Micikevicius et al. 2022).
  F8_E4M3: { fractionBits: 3, bias: 7, special: (byte) => ((byte & 0x7f) === 0x7f ? Number.NaN : null) },
  F8_E5M2: {
    fractionBits: 2,
    bias: 15,
    special: (byte) => {
      if ((byte & 0x7c) !== 0x7c) return null;
      if ((byte & 3) !== 0) return Number.NaN;
      return byte < 0x80 ? Infinity : -Infinity;
    },
  },
  // What would be -0 is the only NaN (Noune et al. 2022).
  F8_E4M3FNUZ: { fractionBits: 3, bias: 8, special: (byte) => (byte === 0x80 ? Number.NaN : null) },
  F8_E5M2FNUZ: { fractionBits: 2, bias: 16, special: (byte) => (byte === 0x80 ? Number.NaN : null) },
};

/** The kinds of 8 bits. E8M0 has an exponent and nothing else: scales of the OCP microscaling formats. */
export type Float8Kind = keyof typeof FLOAT8 | 'F8_E8M0';

function valueOf(kind: Float8Kind, byte: number): number {
  if (kind === 'F8_E8M0') return byte === 0xff ? Number.NaN : 2 ** (byte - 127);
  const { fractionBits, bias, special } = FLOAT8[kind];
  const odd = special(byte);
  if (odd !== null) return odd;
  const exponent = (byte & 0x7f) >> fractionBits;
  const fraction = (byte & ((1 << fractionBits) - 1)) / (1 << fractionBits);
  const size = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  return byte < 0x80 ? size : -size;
}

/** Numbers of 8 bits. */
export function widenFloat8(kind: Float8Kind, bytes: Uint8Array): Float32Array {
  const table = Float32Array.from({ length: 256 }, (_, byte) => valueOf(kind, byte));
  return Float32Array.from(bytes, (byte) => table[byte]!);
}
