import { Activation, BOOLEAN_ONLY, Cast, F32, FLOAT_ONLY, I32, SELECT } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';
import { isConstant, type Node } from '../graph.js';
import type { ElementwiseOperation, Family, PrimitiveRules } from './family.js';
import { is, madeBy, same } from './identities.js';

/** Copies four bytes, or a boolean, as they are. */
export const COPY: ElementwiseOperation = { code: Cast.copy, convert: null };

function castCode(from: DType, to: DType): number | null {
  if (from === 'float64' || to === 'float64') return null;
  if (to === 'float32') return from === 'float32' ? Cast.copy : Cast.i32ToF32;
  if (to === 'int32') return from === 'float32' ? Cast.f32ToI32 : Cast.copy;
  return from === 'float32' ? Cast.f32ToBool : from === 'int32' ? Cast.i32ToBool : Cast.copy;
}

/** Has the node float64 among its inputs and outputs? No chain has. */
function isWide({ inputs, outputs }: Node): boolean {
  return [...inputs, ...outputs].some((v) => v.dtype === 'float64');
}

/** The number of the operation that does what a primitive of this name does; `null` where there is none. */
function codeOf(codes: Readonly<Record<string, number>>, name: string): number | null {
  return Object.hasOwn(codes, name) ? codes[name]! : null;
}

/** The operation that a primitive of this name is: that of its dtype, or that of float32 after a conversion. */
function chain(node: Node): ElementwiseOperation | null {
  if (isWide(node)) return null;
  const { name } = node.primitive;
  const dtype = node.inputs[0]!.dtype;
  const [float, integer] = [codeOf(F32, name), codeOf(I32, name)];
  if (dtype === 'float32') return float === null ? null : { code: float, convert: null };
  if (integer !== null)
    return BOOLEAN_ONLY.includes(name) && dtype !== 'bool' ? null : { code: integer, convert: null };
  return float === null || FLOAT_ONLY.includes(name) ? null : { code: float, convert: Cast.i32ToF32 };
}

const castChain = (node: Node): ElementwiseOperation | null => {
  const code = isWide(node) ? null : castCode(node.inputs[0]!.dtype, node.outputs[0]!.dtype);
  return code === null ? null : { code, convert: null };
};
const selectChain = (node: Node): ElementwiseOperation | null =>
  isWide(node) || node.inputs[0]!.dtype !== 'bool' ? null : { code: SELECT, convert: null };

/** What has an operation of chains, or an activation of products, has it under the same name; further rules stand below. */
const CHAINS: Family = Object.fromEntries(
  [...new Set([...Object.keys(F32), ...Object.keys(I32)])].map((name): [string, PrimitiveRules] => {
    const writeBack = codeOf(Activation, name);
    return [name, writeBack === null ? { chain } : { chain, writeBack }];
  }),
);

/** Element-wise operations. */
export const ELEMENTWISE: Family = {
  ...CHAINS,
  add: {
    chain,
    writeBack: 'bias',
    simplify: ([a, b], _, out) => (isConstant(b!, 0) ? same(a!, out) : isConstant(a!, 0) ? same(b!, out) : null),
  },
  sub: { chain, simplify: ([a, b], _, out) => (isConstant(b!, 0) ? same(a!, out) : null) },
  mul: {
    chain,
    simplify: ([a, b], _, out) => (isConstant(b!, 1) ? same(a!, out) : isConstant(a!, 1) ? same(b!, out) : null),
  },
  div: { chain, simplify: ([a, b], _, out) => (isConstant(b!, 1) ? same(a!, out) : null) },
  neg: {
    chain,
    simplify: ([x], _, _out, self) => {
      const inner = madeBy(x!, self);
      return inner ? is(inner.inputs[0]!) : null;
    },
  },
  // An integer to a negative power has no result.
  pow: { chain, refuses: (node) => node.outputs[0]!.dtype === 'int32' },
  select: { chain: selectChain },
  cast: { chain: castChain, checkedAsInput: true, simplify: ([x], _, out) => same(x!, out) },
  stopGradient: { simplify: ([x]) => is(x!) },
};
