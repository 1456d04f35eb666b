import { Cast, F32, I32, SELECT } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';
import type { BinaryName, UnaryName } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';

/**
 * How an element-wise operation runs in a chain: `both` on float32 and on integers; `float` on float32, to which integers are
 * converted first; `f32` on float32 alone; `bool` on booleans alone; `host` outside of kernels.
 */
type Kind = 'both' | 'float' | 'f32' | 'bool' | 'host';

const UNARY = {
  ...{ neg: 'both', abs: 'both', sign: 'f32', square: 'both', relu: 'both', floor: 'float', ceil: 'float' },
  ...{ trunc: 'float', round: 'float', exp: 'float', expm1: 'float', exp2: 'host', log: 'float', log1p: 'float' },
  ...{ log2: 'host', log10: 'host', sqrt: 'float', rsqrt: 'float', reciprocal: 'float', cbrt: 'host', sin: 'host' },
  ...{ cos: 'host', tan: 'host', asin: 'host', acos: 'host', atan: 'host', sinh: 'host', cosh: 'host' },
  ...{ tanh: 'float', asinh: 'host', acosh: 'host', atanh: 'host', sigmoid: 'float', softplus: 'float', erf: 'float' },
  ...{ erfinv: 'host', gelu: 'float', logicalNot: 'both', isnan: 'float', isinf: 'float', isfinite: 'float' },
} as const satisfies Record<UnaryName, Kind>;

const BINARY = {
  ...{ add: 'both', sub: 'both', mul: 'both', div: 'float', pow: 'f32', maximum: 'both', minimum: 'both' },
  ...{ mod: 'both', floorDivide: 'both', divideNoNan: 'float', atan2: 'host', logaddexp: 'host', equal: 'both' },
  ...{ notEqual: 'both', less: 'both', lessEqual: 'both', greater: 'both', greaterEqual: 'both' },
  ...{ logicalAnd: 'bool', logicalOr: 'bool', logicalXor: 'bool' },
} as const satisfies Record<BinaryName, Kind>;

/** The names and kinds of all element-wise operations of one and of two arguments. */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([...Object.entries(UNARY), ...Object.entries(BINARY)]);

/** One operation of a chain, with the conversion (an operation of its own) that its arguments need. */
export interface ElementwiseOperation {
  readonly code: number;
  readonly convert: number | null;
}

/** Copies four bytes, or a boolean, as they are. */
export const COPY: ElementwiseOperation = { code: Cast.copy, convert: null };

function castCode(from: DType, to: DType): number | null {
  if (from === 'float64' || to === 'float64') return null;
  if (to === 'float32') return from === 'float32' ? Cast.copy : Cast.i32ToF32;
  if (to === 'int32') return from === 'float32' ? Cast.f32ToI32 : Cast.copy;
  return from === 'float32' ? Cast.f32ToBool : from === 'int32' ? Cast.i32ToBool : Cast.copy;
}

/** The operation of a chain that a node of this package's primitives is, or `null`. */
export function elementwiseOf(node: Node): ElementwiseOperation | null {
  const { name } = node.primitive;
  const types = node.inputs.map((v) => v.dtype);
  if (types.includes('float64') || node.outputs.some((v) => v.dtype === 'float64')) return null;
  if (name === 'cast') {
    const code = castCode(types[0]!, node.outputs[0]!.dtype);
    return code === null ? null : { code, convert: null };
  }
  if (name === 'select') return types[0] === 'bool' ? { code: SELECT, convert: null } : null;
  const kind = KINDS.get(name);
  if (!kind || kind === 'host') return null;
  const floating = types[0] === 'float32';
  if (floating) return kind === 'bool' ? null : { code: F32[name as keyof typeof F32], convert: null };
  if (kind === 'both') return { code: I32[name as keyof typeof I32], convert: null };
  if (kind === 'bool') return types[0] === 'bool' ? { code: I32[name as keyof typeof I32], convert: null } : null;
  return kind === 'float' ? { code: F32[name as keyof typeof F32], convert: Cast.i32ToF32 } : null;
}
