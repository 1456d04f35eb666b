import type { Shape } from '@recurra/tensor';
import { broadcastStrides, type SliceParams } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import { type Ref, reshapeStrides } from './buffer.js';

type Rule = (x: Ref, params: never, node: Node) => readonly Ref[] | null;

/** Operations that only look at their input in another way. */
const VIEWS: Readonly<Record<string, Rule>> = {
  reshape: (x, { shape }: { shape: Shape }) => {
    const strides = reshapeStrides(x, shape);
    return strides && [{ ...x, shape, strides }];
  },
  transpose: (x, { permutation }: { permutation: readonly number[] }) => [
    { ...x, shape: permutation.map((a) => x.shape[a]!), strides: permutation.map((a) => x.strides[a]!) },
  ],
  broadcastTo: (x, { shape }: { shape: Shape }) => [{ ...x, shape, strides: broadcastStrides(x, shape) }],
  slice: (x, { start, size, step }: SliceParams) => {
    let { offset } = x;
    size.forEach((n, i) => {
      if (n > 0) offset += start[i]! * x.strides[i]!;
    });
    return [{ ...x, shape: size, strides: x.strides.map((s, i) => s * step[i]!), offset }];
  },
  split: (x, { axis }: { axis: number }, node) => {
    let { offset } = x;
    return node.outputs.map(({ shape }) => {
      const part: Ref = { ...x, shape, offset };
      offset += shape[axis]! * x.strides[axis]!;
      return part;
    });
  },
  barrier: (x) => [x],
};

/** May this operation be a view of its first input? */
export function isViewOperation(name: string): boolean {
  return Object.hasOwn(VIEWS, name);
}

/** The outputs as views of the input, or `null` where only a copy can show it so. */
export function viewsOf(node: Node, x: Ref): readonly Ref[] | null {
  return VIEWS[node.primitive.name]!(x, node.params as never, node);
}
