import type { Shape } from '@recurra/tensor';
import { broadcastStrides, type PadParams, type SliceParams, sameShape } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import { type Ref, reshapeStrides } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import type { Family } from './family.js';
import { is, madeBy, same } from './identities.js';

function emitConcat(emission: Emission, node: Node): boolean {
  const out = emission.refOf(node.outputs[0]!);
  const { axis } = node.params as { axis: number };
  let { offset } = out;
  for (const value of node.inputs) {
    const part: Ref = { ...out, shape: value.shape, offset };
    emission.emitCopy(emission.refOf(value), part, 'concat');
    offset += value.shape[axis]! * out.strides[axis]!;
  }
  return true;
}

function emitPad(emission: Emission, node: Node): boolean {
  const x = emission.refOf(node.inputs[0]!);
  const out = emission.refOf(node.outputs[0]!);
  const { low, interior, value } = node.params as PadParams;
  const fill = emission.scalar(out.dtype, value);
  emission.emitCopy({ ...fill, shape: out.shape, strides: out.shape.map(() => 0) }, out, 'pad');
  const offset = low.reduce((sum, d, i) => sum + d * out.strides[i]!, 0);
  const strides = out.strides.map((s, i) => s * (interior[i]! + 1));
  emission.emitCopy(x, { ...out, shape: x.shape, strides, offset }, 'pad');
  return true;
}

/** What only looks at its input in another way, and what puts inputs together. */
export const SHAPES: Family = {
  reshape: {
    flat: true,
    checkedAsInput: true,
    view: (x, { shape }: { shape: Shape }) => {
      const strides = reshapeStrides(x, shape);
      return strides && [{ ...x, shape, strides }];
    },
    simplify: ([x], params, out, self) => {
      if (sameShape(x!.shape, out.shape)) return is(x!);
      const inner = madeBy(x!, self);
      if (!inner) return null;
      const first = inner.inputs[0]!;
      return sameShape(first.shape, out.shape) ? is(first) : { kind: 'same', inputs: [first], params };
    },
  },
  transpose: {
    view: (x, { permutation }: { permutation: readonly number[] }) => [
      { ...x, shape: permutation.map((a) => x.shape[a]!), strides: permutation.map((a) => x.strides[a]!) },
    ],
    simplify: ([x], { permutation }: { permutation: readonly number[] }, _out, self) => {
      if (permutation.every((axis, i) => axis === i)) return is(x!);
      const inner = madeBy(x!, self);
      if (!inner) return null;
      const first = (inner.params as { permutation: readonly number[] }).permutation;
      const whole = permutation.map((axis) => first[axis]!);
      return whole.every((axis, i) => axis === i)
        ? is(inner.inputs[0]!)
        : { kind: 'same', inputs: inner.inputs, params: { permutation: whole } };
    },
  },
  broadcastTo: {
    view: (x, { shape }: { shape: Shape }) => [{ ...x, shape, strides: broadcastStrides(x, shape) }],
    simplify: ([x], _, out) => same(x!, out),
  },
  slice: {
    view: (x, { start, size, step }: SliceParams) => {
      let { offset } = x;
      size.forEach((n, i) => {
        if (n > 0) offset += start[i]! * x.strides[i]!;
      });
      return [{ ...x, shape: size, strides: x.strides.map((s, i) => s * step[i]!), offset }];
    },
    simplify: ([x], { step }: SliceParams, out) => (step.every((s) => s === 1) ? same(x!, out) : null),
  },
  split: {
    view: (x, { axis }: { axis: number }, node) => {
      let { offset } = x;
      return node.outputs.map(({ shape }) => {
        const part: Ref = { ...x, shape, offset };
        offset += shape[axis]! * x.strides[axis]!;
        return part;
      });
    },
  },
  barrier: {
    view: (x) => [x],
    token: 1,
  },
  pad: {
    emit: emitPad,
    simplify: ([x], { low, interior }: PadParams, out) =>
      low.every((n) => n === 0) && interior.every((n) => n === 0) ? same(x!, out) : null,
  },
  concat: {
    emit: emitConcat,
    simplify: ([x, ...others]) => (others.length === 0 ? is(x!) : null),
  },
};
