import { type Aval, allPrimitives, type PadParams, type SliceParams, sameShape } from '@recurra/tensor/extend';
import { isConstant, type Node, type Value } from './graph.js';

/** What an operation becomes: a value that is there already, or the same operation on other inputs. */
export type Simplified =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'same'; readonly inputs: readonly Value[]; readonly params: unknown };

type Rule = (inputs: readonly Value[], params: never, output: Aval) => Simplified | null;

const is = (value: Value): Simplified => ({ kind: 'value', value });

/** `value`, if it has the shape and dtype of the output. */
function same(value: Value, output: Aval): Simplified | null {
  return sameShape(value.shape, output.shape) && value.dtype === output.dtype ? is(value) : null;
}

/** The node of this name that made a value. */
function madeBy(value: Value, name: string): Node | null {
  const { source } = value;
  return source.kind === 'node' && source.node.primitive.name === name ? source.node : null;
}

/** Identities that hold for every float32, NaN, infinities and signed zeros (but for the sign of x + 0) included. */
const RULES: Readonly<Record<string, Rule>> = {
  add: ([a, b], _, out) => (isConstant(b!, 0) ? same(a!, out) : isConstant(a!, 0) ? same(b!, out) : null),
  sub: ([a, b], _, out) => (isConstant(b!, 0) ? same(a!, out) : null),
  mul: ([a, b], _, out) => (isConstant(b!, 1) ? same(a!, out) : isConstant(a!, 1) ? same(b!, out) : null),
  div: ([a, b], _, out) => (isConstant(b!, 1) ? same(a!, out) : null),
  neg: ([x]) => {
    const inner = madeBy(x!, 'neg');
    return inner ? is(inner.inputs[0]!) : null;
  },
  stopGradient: ([x]) => is(x!),
  cast: ([x], _, out) => same(x!, out),
  reshape: ([x], params, out) => {
    if (sameShape(x!.shape, out.shape)) return is(x!);
    const inner = madeBy(x!, 'reshape');
    if (!inner) return null;
    const first = inner.inputs[0]!;
    return sameShape(first.shape, out.shape) ? is(first) : { kind: 'same', inputs: [first], params };
  },
  transpose: ([x], { permutation }: { permutation: readonly number[] }, _out) => {
    if (permutation.every((axis, i) => axis === i)) return is(x!);
    const inner = madeBy(x!, 'transpose');
    if (!inner) return null;
    const first = (inner.params as { permutation: readonly number[] }).permutation;
    const whole = permutation.map((axis) => first[axis]!);
    return whole.every((axis, i) => axis === i)
      ? is(inner.inputs[0]!)
      : { kind: 'same', inputs: inner.inputs, params: { permutation: whole } };
  },
  broadcastTo: ([x], _, out) => same(x!, out),
  slice: ([x], { step }: SliceParams, out) => (step.every((s) => s === 1) ? same(x!, out) : null),
  pad: ([x], { low, interior }: PadParams, out) =>
    low.every((n) => n === 0) && interior.every((n) => n === 0) ? same(x!, out) : null,
  concat: ([x, ...others]) => (others.length === 0 ? is(x!) : null),
};

const ours: ReadonlySet<unknown> = new Set(allPrimitives());

/** The simpler form of an operation, or `null`. */
export function simplify(
  primitive: { readonly name: string },
  inputs: readonly Value[],
  params: unknown,
  outputs: readonly Aval[],
): Simplified | null {
  const rule = ours.has(primitive) && Object.hasOwn(RULES, primitive.name) ? RULES[primitive.name] : undefined;
  return rule ? rule(inputs, params as never, outputs[0]!) : null;
}
