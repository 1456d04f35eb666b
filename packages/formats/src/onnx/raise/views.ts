/** Tensors whose axes a graph cuts and joins: which they are for the layers. */
import { FormatError } from '@recurra/tensor';
import type { KerasBuilder } from './builder.js';
import { ONE, type Size, type Sizes } from './sizes.js';
import { type Atom, inOrder, type RaisedStack, type RaisedTensor, type RaisedView } from './values.js';

/** A tensor as a view of itself. */
export function viewOf(keras: KerasBuilder, x: RaisedTensor): RaisedView {
  const { order, ...rest } = x;
  const base = { ...rest, order: x.shape.map((_, i) => i) };
  const atoms = x.shape.map((_, axis): Atom => ({ axis, size: keras.sizeOf(x, axis) }));
  return { kind: 'view', base, atoms, axes: order.map((axis) => [axis]) };
}

/** What a recurrent operator gives as a view: directions and units are parts of one axis. */
export function viewOfStack(keras: KerasBuilder, stack: RaisedStack, what: string): RaisedView {
  const base = keras.joined(stack, what);
  const last = base.shape.length - 1;
  const units = stack.parts[0]!.shape.at(-1)!;
  const letters = stack.axes.includes('T') ? 'BTDU' : 'BDU';
  const atoms = [...letters].map((letter, i): Atom => {
    if (letter === 'D') return { axis: last, size: { n: stack.parts.length, of: [] } };
    return letter === 'U' ? { axis: last, size: { n: units, of: [] } } : { axis: i, size: keras.sizeOf(base, i) };
  });
  return { kind: 'view', base, atoms, axes: [...stack.axes].map((letter) => [letters.indexOf(letter)]) };
}

/** The size of an axis that the graph sees. */
export const seenSize = (view: RaisedView, sizes: Sizes, axis: number): Size =>
  view.axes[axis]!.reduce((all, i) => sizes.times(all, view.atoms[i]!.size), ONE);

/** A view with one of its parts cut in two. */
function cut(view: RaisedView, at: number, first: Size, second: Size): RaisedView {
  const atom = view.atoms[at]!;
  const atoms = [
    ...view.atoms.slice(0, at),
    { ...atom, size: first },
    { ...atom, size: second },
    ...view.atoms.slice(at + 1),
  ];
  const moved = (i: number): number[] => (i === at ? [i, i + 1] : [i > at ? i + 1 : i]);
  return { ...view, atoms, axes: view.axes.map((list) => list.flatMap(moved)) };
}

/** The same elements under other sizes: parts are joined, and cut where they have to be; `null` where sizes do not show how. */
export function regrouped(view: RaisedView, sizes: Sizes, targets: readonly Size[]): RaisedView | null {
  let now = view;
  let left = view.axes.flat();
  const axes: number[][] = [];
  // Parts of size 1 change nothing wherever they stand, but beside the batch.
  const ones: number[] = [];
  for (const target of targets) {
    const list: number[] = [];
    let rest: Size | null = target;
    while (!sizes.equal(rest, ONE) || (list.length === 0 && sizes.number(target) === 1 && isOne(now, sizes, left[0]))) {
      const at = left[0];
      if (at === undefined) return null;
      const { size } = now.atoms[at]!;
      if (!sizes.equal(rest, ONE) && now.atoms[at]!.axis !== 0 && isOne(now, sizes, at)) {
        ones.push(at);
        left = left.slice(1);
        continue;
      }
      const more: Size | null = sizes.over(rest, size);
      if (more) {
        list.push(at);
        left = left.slice(1);
        rest = more;
        continue;
      }
      const other = sizes.over(size, rest);
      // The batch is not cut: parts of it are no samples.
      if (!other || now.atoms[at]!.axis === 0) return null;
      const shift = (i: number): number => (i > at ? i + 1 : i);
      now = cut(now, at, rest, other);
      for (const done of [...axes, list, ones]) done.splice(0, done.length, ...done.map(shift));
      list.push(at);
      left = [at + 1, ...left.slice(1).map(shift)];
      rest = ONE;
    }
    axes.push(list);
  }
  if (!left.every((i) => isOne(now, sizes, i))) return null;
  if (axes.length === 0) return left.length === 0 ? { ...now, axes } : null;
  const isBatch = (i: number): boolean => now.atoms[i]!.axis === 0;
  for (const i of [...ones, ...left]) {
    const host = axes.findLast((list) => !list.some(isBatch)) ?? axes.at(-1)!;
    const after = host.findIndex((k) => k > i);
    host.splice(after < 0 ? host.length : after, 0, i);
  }
  return { ...now, axes };
}

const isOne = (view: RaisedView, sizes: Sizes, at: number | undefined): boolean =>
  at !== undefined && sizes.equal(view.atoms[at]!.size, ONE);

/** The parts of the last axis of the tensor, in order: does the graph have them as its last axis? */
export function hasFeaturesLast(view: RaisedView): boolean {
  const { base, atoms, axes } = view;
  const last = base.shape.length - 1;
  const parts = atoms.flatMap(({ axis }, i) => (axis === last ? [i] : []));
  return last > 0 && axes.length > 0 && axes.at(-1)!.join() === parts.join();
}

/** A view of another tensor whose last axis is another one: as {@link hasFeaturesLast} says, it is the graph's last. */
export function withFeatures(view: RaisedView, base: RaisedTensor, size: Size): RaisedView {
  const last = view.base.shape.length - 1;
  const kept = view.atoms.filter(({ axis }) => axis !== last);
  const axes = [...view.axes.slice(0, -1), [kept.length]];
  return { kind: 'view', base, atoms: [...kept, { axis: last, size }], axes };
}

/** A view as a tensor, made by layers where axes are cut or joined. Throws `FormatError` where no layer does that. */
export function settledView(keras: KerasBuilder, view: RaisedView, what: string): RaisedTensor {
  const { atoms, axes } = view;
  const fail = (why: string): never => {
    throw new FormatError(`ONNX: ${what}: ${why}`);
  };
  const batch = axes.findIndex((list) => list.some((i) => atoms[i]!.axis === 0));
  if (batch < 0 || axes[batch]!.length !== 1)
    return fail('expected the axis of the batch by itself, received it joined with another one');
  const rest = axes.filter((_, i) => i !== batch);
  // Where the graph's axes go: the batch first, the others as they come.
  const order = axes.map((_, i) => (i === batch ? 0 : i < batch ? i + 1 : i));
  const parts = rest.flat();
  const cutAxes = new Set(atoms.map(({ axis }) => axis)).size < atoms.length;
  const whole = !cutAxes && rest.every((list) => list.length === 1);
  if (whole) {
    const direct = axes.map(([i]) => atoms[i!]!.axis);
    return { ...view.base, order: direct };
  }
  let base = view.base;
  if (base.flipped) base = keras.plain(base, what);
  const reshape = (x: RaisedTensor, sizes: readonly Size[]): RaisedTensor => {
    const target = sizes.map((s) => (s.of.length === 0 ? s.n : -1));
    if (target.filter((n) => n < 0).length > 1)
      return fail('expected at most one size that is open besides that of the batch, received several');
    const layer = keras.layer('Reshape', [x], { target_shape: target });
    const result = keras.output(layer, [x.shape[0]!, ...target.map((n) => (n < 0 ? null : n))], { dtype: x.dtype });
    sizes.forEach((s, i) => {
      if (s.of.length > 0) keras.name(result, i + 1, s);
    });
    return result;
  };
  const product = (list: readonly number[]): Size =>
    list.reduce<Size>((all, i) => keras.sizes.times(all, atoms[i]!.size), ONE);
  const sorted = [...parts].sort((a, b) => a - b);
  if (!inOrder(parts.map((i) => sorted.indexOf(i)))) {
    if (cutAxes)
      base = reshape(
        base,
        sorted.map((i) => atoms[i]!.size),
      );
    base = keras.plain({ ...base, order: [0, ...parts.map((i) => sorted.indexOf(i) + 1)] }, what);
    if (rest.every((list) => list.length === 1)) return { ...base, order };
  }
  return { ...reshape(base, rest.map(product)), order };
}
