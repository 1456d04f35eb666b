import { masked, type Value } from '../graph.js';
import type { LayerCall } from '../layer-call.js';
import type { Lower } from './simple.js';

/** Inputs of one rank: axes of size 1 after that of the batch, as Keras' merging layers insert them. */
function aligned(call: LayerCall): { xs: Value[]; masks: (Value | null)[] } {
  const { g, list } = call;
  const rank = Math.max(...list.map((x) => x.shape.length));
  const align = (x: Value, missing: number): Value =>
    missing === 0
      ? x
      : g.unsqueeze(
          x,
          Array.from({ length: missing }, (_, i) => i + 1),
        );
  const floats = list.some((x) => x.type === 'float32');
  return {
    xs: list.map((x) => align(floats ? g.cast(x, 'float32') : x, rank - x.shape.length)),
    masks: list.map((x) => x.mask && align(x.mask, rank - x.shape.length)),
  };
}

/** The mask of the output: where all inputs have one, their disjunction. */
function joint(call: LayerCall, masks: readonly (Value | null)[]): Value | null {
  if (masks.some((m) => m === null)) return null;
  return (masks as readonly Value[]).reduce((a, b) => call.g.or(a, b));
}

const merge =
  (f: (call: LayerCall, xs: readonly Value[], masks: readonly (Value | null)[]) => Value): Lower =>
  (call: LayerCall) => {
    const { xs, masks } = aligned(call);
    return masked(f(call, xs, masks), joint(call, masks));
  };

export const add: Lower = merge(({ g }, xs) => xs.reduce((a, b) => g.add(a, b)));
export const subtract: Lower = merge((call, xs) => {
  if (xs.length !== 2) call.fail(`expected two inputs, received ${xs.length}`);
  return call.g.sub(xs[0]!, xs[1]!);
});
export const average: Lower = merge(({ g }, xs) =>
  g.div(
    g.cast(
      xs.reduce((a, b) => g.add(a, b)),
      'float32',
    ),
    g.number(xs.length),
  ),
);
export const multiply: Lower = merge(({ g }, xs, masks) => {
  const wide = masks.map((m, i) => m && g.widen(m, xs[i]!.shape.length));
  const product = xs
    .map((x, i) => (wide[i] ? g.where(wide[i], x, g.number(1, x.type)) : x))
    .reduce((a, b) => g.mul(a, b));
  if (wide.some((m) => m === null)) return product;
  return g.where(
    (wide as Value[]).reduce((a, b) => g.or(a, b)),
    product,
    g.number(0, product.type),
  );
});

/** Masked elements take the value of what they meet, as Keras' maximum and minimum do. */
const extreme = (op: 'Max' | 'Min'): Lower =>
  merge(({ g }, xs, masks) => {
    let y = xs[0]!;
    let known = masks[0] ? g.widen(masks[0], y.shape.length) : null;
    xs.slice(1).forEach((input, i) => {
      let x = input;
      const given = masks[i + 1];
      const mask = given ? g.widen(given, x.shape.length) : null;
      if (mask) x = g.where(mask, x, y);
      if (known) y = g.where(known, y, x);
      known = mask && known ? g.or(known, mask) : null;
      y = g.binary(op, y, x);
    });
    return y;
  });
export const maximum: Lower = extreme('Max');
export const minimum: Lower = extreme('Min');

export const concatenate: Lower = (call: LayerCall) => {
  const { g, list } = call;
  const rank = list[0]!.shape.length;
  const [axis] = call.axes('axis', rank) as [number];
  if (axis === 0 || list.some((x) => x.shape.length !== rank))
    call.fail('expected inputs of one rank, and an axis after that of the batch');
  const floats = list.some((x) => x.type === 'float32');
  const y = g.concat(
    list.map((x) => (floats ? g.cast(x, 'float32') : x)),
    axis,
  );
  if (list.every((x) => x.mask === null)) return masked(y, null);
  // A step counts where any of its elements does; inputs without a mask count.
  const full = list.map((x) => {
    const mask = x.mask ? g.cast(g.widen(x.mask, rank), 'int32') : g.number(1, 'int32');
    return g.expand(
      mask,
      Array.from({ length: rank }, (_, i) => g.dim(x, i)),
    );
  });
  return masked(y, g.any(g.concat(full, axis), [rank - 1]));
};

export const dot: Lower = (call: LayerCall) => {
  const { g, list } = call;
  if (list.length !== 2) call.fail(`expected two inputs, received ${list.length}`);
  const given = call.ints('axes');
  const normalize = call.flag('normalize', false);
  const kept: Value[] = [];
  const flat = list.map((input, i) => {
    const rank = input.shape.length;
    const a = given.length === 1 ? given[0]! : given[i]!;
    const axis = a < 0 ? a + rank : a;
    if (!(axis > 0 && axis < rank)) call.fail('expected axes after that of the batch');
    let x = g.cast(input, 'float32');
    if (normalize) {
      const length = g.unary('Sqrt', g.sum(g.mul(x, x), [axis], true));
      x = g.div(x, g.node('Max', [length, g.number(1e-7)]));
    }
    const others = Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis);
    const moved = g.transpose(x, [...others, axis]);
    kept.push(moved);
    if (moved.shape.length === 3) return moved;
    if (moved.shape.length === 2) return g.unsqueeze(moved, [1]);
    const sizes = moved.shape.slice(1, -1);
    if (sizes.includes(null)) call.fail('expected known sizes of inputs of rank 4 and more');
    return g.reshape(moved, [
      g.dim(moved, 0),
      (sizes as number[]).reduce((m, n) => m * n, 1),
      g.dim(moved, moved.shape.length - 1),
    ]);
  }) as [Value, Value];
  const y = g.matmul(flat[0], g.transpose(flat[1], [0, 2, 1]));
  const rest = kept.flatMap((x) => Array.from({ length: x.shape.length - 2 }, (_, i) => g.dim(x, i + 1)));
  return masked(
    kept.every((x) => x.shape.length === 3)
      ? y
      : g.reshape(y, [g.dim(list[0]!, 0), ...(rest.length === 0 ? [1] : rest)]),
    null,
  );
};
