/** Products of two tensors that are computed: attention, in heads and without. */
import { type Tensor, zeros } from '@recurra/tensor';
import { type FoundLayer, groupOf } from './builder.js';
import type { NodeReader } from './node-reader.js';
import { known } from './sizes.js';
import type { Raised, RaisedScores, RaisedTensor, RaisedView } from './values.js';

/** A tensor in heads [batch, heads, time, depth], or with the last two axes changed: the tensor [batch, time, heads * depth] that it is cut from. */
interface Headed {
  readonly x: RaisedTensor;
  readonly heads: number;
  readonly depth: number;
}

/** The heads of a view whose axes are [batch, heads, time, depth] (`transposed`: [batch, heads, depth, time]); `null` where it is no such view. */
function headed(r: NodeReader, view: RaisedView, transposed: boolean): Headed | null {
  const { base, atoms, axes } = view;
  const { sizes } = r.keras;
  if (axes.length !== 4 || base.shape.length !== 3 || base.flipped) return null;
  const [batch, head, time, depth] = (transposed ? [0, 1, 3, 2] : [0, 1, 2, 3]).map((i) => axes[i]!) as [
    readonly number[],
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  const axisOf = (list: readonly number[]): number => (list.length === 1 ? atoms[list[0]!]!.axis : -1);
  if (axisOf(batch) !== 0 || axisOf(time) !== 1) return null;
  const parts = [...head, ...depth];
  const last = atoms.flatMap(({ axis }, i) => (axis === 2 ? [i] : []));
  if (parts.join() !== last.join()) return null;
  const product = (list: readonly number[]): number =>
    sizes.number(list.reduce((all, i) => sizes.times(all, atoms[i]!.size), known(1))) ?? 0;
  const found = { x: base, heads: product(head), depth: product(depth) };
  return found.heads > 0 && found.depth > 0 ? found : null;
}

/** A product of matrices that are both computed. */
export function product(r: NodeReader): Raised {
  const first = r.input(0);
  if (first?.kind === 'scores') return mixed(r, first);
  const [a, b] = [r.view(0), r.view(1)];
  if (a.axes.length === 4 && b.axes.length === 4) {
    const [query, key] = [headed(r, a, false), headed(r, b, true)];
    if (!query || !key || query.heads !== key.heads || query.depth !== key.depth)
      return r.fail(
        'expected queries [batch, heads, time, depth] and keys [batch, heads, depth, time] that are cut from [batch, time, features], as MultiHeadAttention has them',
      );
    const { heads, depth } = query;
    return { kind: 'scores', query: query.x, key: key.x, heads, depth, scale: 1, causal: false, shares: false };
  }
  const [x, y] = [r.tensor(0), r.tensor(1)];
  if (x.order.length !== 3 || y.order.length !== 3 || x.order[0] !== 0 || y.order[0] !== 0)
    return r.fail(
      `expected a constant matrix, or two tensors of rank 3 (or of 4, in heads) with the batch first, received ranks ${x.order.length} and ${y.order.length}`,
    );
  const axes = [x.order[2]!, y.order[1]!];
  if ((x.flipped && axes[0] === 1) !== (y.flipped && axes[1] === 1) || x.flipped !== y.flipped)
    return r.fail('expected steps in one order');
  const [m, n] = [x.shape[axes[0]!]!, y.shape[axes[1]!]!];
  if (m !== null && n !== null && m !== n) return r.fail(`expected axes of one size, received ${m} and ${n}`);
  const layer = r.keras.layer('Dot', [x, y], { axes, normalize: false }, { list: true });
  const [p, q] = [x.order[1]!, y.order[2]!];
  const result = r.keras.output(layer, [x.shape[0]!, x.shape[p]!, y.shape[q]!]);
  if (x.shape[p] === null) r.keras.name(result, 1, r.keras.sizeOf(x, p));
  if (y.shape[q] === null) r.keras.name(result, 2, r.keras.sizeOf(y, q));
  return result;
}

/** Shares times values: the whole attention. */
function mixed(r: NodeReader, scores: RaisedScores): Raised {
  const { keras } = r;
  if (!scores.shares) return r.fail('expected a softmax over the keys before values are mixed');
  const values = headed(r, r.view(1), false);
  if (!values || values.heads !== scores.heads)
    return r.fail('expected values [batch, heads, time, depth] that are cut from [batch, time, features]');
  const { heads, depth } = scores;
  const parts = { query: projection(r, scores.query), key: projection(r, scores.key), value: projection(r, values.x) };
  const biased = Object.values(parts).some(({ bias }) => bias !== null);
  // Keras divides queries by the root of their depth.
  const scale = scores.scale * Math.sqrt(depth) * parts.query.scale * parts.key.scale;
  const width = heads * values.depth;
  const layer = keras.layer(
    'MultiHeadAttention',
    [parts.query.x, parts.value.x, parts.key.x],
    {
      num_heads: heads,
      key_dim: depth,
      value_dim: values.depth,
      use_bias: biased,
      output_shape: [width],
    },
    { kwargs: {}, flags: scores.causal ? { use_causal_mask: true } : {} },
  );
  const scaled = (t: Tensor, by: number): Tensor => (Math.abs(by - 1) < 1e-6 ? t : t.mul(by));
  const group = ({ kernel, bias }: Projection, size: number, by: number): ReturnType<typeof groupOf> =>
    groupOf(null, {
      kernel: scaled(kernel, by).reshape([kernel.shape[0]!, heads, size]),
      ...(biased ? { bias: bias ? scaled(bias, by).reshape([heads, size]) : zeros([heads, size]) } : {}),
    });
  layer.group = groupOf(
    layer.name,
    {},
    {
      query_dense: group(parts.query, depth, scale),
      key_dense: group(parts.key, depth, 1),
      value_dense: group(parts.value, values.depth, parts.value.scale),
      output_dense: groupOf(null, {
        kernel: identity(width).reshape([heads, values.depth, width]),
        ...(biased ? { bias: zeros([width]) } : {}),
      }),
    },
  );
  const shape = [scores.query.shape[0]!, scores.query.shape[1]!, width];
  const base = keras.output(layer, shape);
  if (shape[1] === null) keras.name(base, 1, keras.sizeOf(scores.query, 1));
  const atoms = [
    { axis: 0, size: keras.sizeOf(base, 0) },
    { axis: 1, size: keras.sizeOf(base, 1) },
    { axis: 2, size: known(heads) },
    { axis: 2, size: known(values.depth) },
  ];
  return { kind: 'view', base, atoms, axes: [[0], [2], [1], [3]] };
}

/** What the features of a tensor are multiplied with, and of which tensor. */
interface Projection {
  readonly x: RaisedTensor;
  readonly kernel: Tensor;
  readonly bias: Tensor | null;
  readonly scale: number;
}

export function identity(n: number): Tensor {
  return zeros([n, 1]).add(eye(n));
}

const eye = (n: number): number[][] =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, k) => +(i === k)));

/** The Dense layer that gave a tensor, perhaps scaled, as a part of an attention; without one, the tensor as it is. */
function projection(r: NodeReader, x: RaisedTensor): Projection {
  let [now, scale] = [x, 1];
  for (;;) {
    const { className, config, inputs } = r.keras.find(now.from.layer);
    if (className !== 'Rescaling' || typeof config['scale'] !== 'number' || config['offset'] !== 0) break;
    scale *= config['scale'];
    now = inputs[0]!;
  }
  const layer = r.keras.find(now.from.layer);
  const features = now.shape.at(-1) ?? r.fail('expected a known number of features');
  if (!isLinearDense(layer) || layer.inputs[0]!.shape.length !== 3)
    return { x: now, kernel: identity(features), bias: null, scale };
  const [kernel, bias] = layer.group.variables.map(({ value }) => value);
  return { x: layer.inputs[0]!, kernel: kernel!, bias: bias ?? null, scale };
}

export const isLinearDense = ({ className, config }: FoundLayer): boolean =>
  className === 'Dense' && config['activation'] === 'linear';

/** Is a constant that is added to scores the mask of what comes later? 0 up to the query's own place, and very little behind. */
export function isCausal(r: NodeReader, scores: RaisedScores, mask: Tensor): boolean {
  const [n, m] = mask.shape.slice(-2) as unknown as readonly [number, number];
  const { keras } = r;
  const steps = [scores.query, scores.key].map((x) => keras.sizes.number(keras.sizeOf(x, 1)));
  // Of sequences whose length is open, the mask says what it has to be.
  const fits = steps.every((size) => size === null || size === n);
  if (mask.rank < 2 || mask.size !== n * m || n !== m || !fits) return false;
  return [...mask.data].every((v, i) => (i % m <= Math.floor(i / m) ? Number(v) === 0 : Number(v) <= -1e4));
}
