import { type Tensor, zeros } from '@recurra/tensor';
import type { Json } from '../../model-file.js';
import { broadcast, type Constant, type Dim } from '../graph.js';
import { typeName } from '../read.js';
import { identity, isCausal, isLinearDense, product } from './attention.js';
import { BatchElsewhere, type FoundLayer, groupOf, SizeIsKnown } from './builder.js';
import { bounds, sizesAt, sizesOf } from './constants.js';
import type { NodeReader } from './node-reader.js';
import { recurrent } from './recurrent.js';
import { known, ONE, type Size } from './sizes.js';
import type { Raised, RaisedStack, RaisedTensor, RaisedView } from './values.js';
import { hasFeaturesLast, regrouped, seenSize, viewOf, withFeatures } from './views.js';

/** How an operator becomes layers: what its outputs stand for. */
type Raise = (r: NodeReader) => Raised | readonly Raised[];

/** A layer that gives each element by itself: axes may lie in any order. */
const pointwise =
  (className: string, config: (r: NodeReader) => Readonly<Record<string, Json>>): Raise =>
  (r: NodeReader) => {
    return elementwise(r, (x) => r.keras.layer(className, [x], config(r)));
  };

/** What a layer gives that takes each element by itself. */
function elementwise(r: NodeReader, make: (x: RaisedTensor) => FoundLayer, at = 0): RaisedTensor | RaisedView {
  const given = r.input(at);
  const cut = given?.kind === 'view' || given?.kind === 'stack';
  const view = cut ? r.view(at) : null;
  const x = view?.base ?? r.tensor(at);
  const layer = make(x);
  const y = { ...x, from: { layer: layer.name, output: 0 }, dtype: 'float32' };
  return view ? { ...view, base: y } : y;
}

const activation = (name: string): Raise => pointwise('Activation', () => ({ activation: name }));

/** What passes through. */
const same: Raise = (r: NodeReader) => {
  const x = r.input(0);
  return x ?? r.fail('expected an input');
};

/** An activation over one axis. */
const softmax =
  (name: 'softmax' | 'log_softmax'): Raise =>
  (r: NodeReader) => {
    const given = r.input(0);
    if (given?.kind === 'scores') {
      if (name !== 'softmax' || given.shares || r.axis(r.int('axis', -1), 4) !== 3)
        r.fail('expected a softmax over keys');
      return { ...given, shares: true };
    }
    const x = r.tensor(0);
    const axis = x.order[r.axis(r.int('axis', -1), x.order.length)]!;
    if (axis === 0) r.fail('expected an axis after that of the batch');
    const last = axis === x.shape.length - 1;
    if (name === 'log_softmax' && !last) r.fail('expected the last axis');
    const layer = last
      ? r.keras.layer('Activation', [x], { activation: name })
      : r.keras.layer('Softmax', [x], { axis });
    return { ...x, from: { layer: layer.name, output: 0 } };
  };

/** A product with a matrix as Dense, its bias still to come. */
function dense(r: NodeReader, at: number, kernel: Tensor, bias: Tensor | null): RaisedTensor | RaisedView {
  const given = r.view(at);
  const view = hasFeaturesLast(given) ? given : viewOf(r.keras, r.tensor(at));
  if (!hasFeaturesLast(view)) r.fail('expected features on the last axis');
  const [features, units] = kernel.shape as readonly [number, number];
  const { base } = view;
  if ((base.shape.at(-1) ?? features) !== features || units < 1)
    r.fail(`expected ${features} features, received ${base.shape.at(-1)}`);
  const layer = r.keras.layer('Dense', [base], { units, activation: 'linear', use_bias: bias !== null });
  layer.group = groupOf(layer.name, bias ? { kernel, bias } : { kernel });
  const y = { ...base, from: { layer: layer.name, output: 0 }, shape: [...base.shape.slice(0, -1), units] };
  return simple(withFeatures(view, y, known(units)));
}

/** A view that cuts and joins nothing as the tensor that it is. */
function simple(view: RaisedView): RaisedTensor | RaisedView {
  const { base, atoms, axes } = view;
  if (atoms.length !== base.shape.length || axes.some((list) => list.length !== 1) || axes.length !== atoms.length)
    return view;
  return { ...base, order: axes.map(([i]) => atoms[i!]!.axis) };
}

const matmul: Raise = (r: NodeReader) => {
  if (r.input(1)?.kind !== 'constant') return product(r);
  return dense(r, 0, r.weight(1, 2), null);
};

const gemm: Raise = (r: NodeReader) => {
  const transposed = r.int('transA', 0) !== 0;
  if (transposed) r.fail('expected transA 0');
  const [alpha, beta] = [r.float('alpha', 1), r.float('beta', 1)];
  const given = r.weight(1, 2);
  const turned = r.int('transB', 0) ? given.transpose([1, 0]) : given;
  const kernel = alpha === 1 ? turned : turned.mul(alpha);
  const units = kernel.shape[1]!;
  const vector = r.input(2) ? flatVector(r.constant(2)!.value, units) : null;
  if (r.input(2) && !vector) r.fail(`expected a bias of ${units} elements`);
  return dense(r, 0, kernel, vector && beta !== 1 ? vector.mul(beta) : vector);
};

/** A constant as a vector of so many elements (one is repeated); `null` where it has other axes. */
function flatVector(value: Tensor, size: number): Tensor | null {
  if (value.size === 1) return zeros([size]).add(Number(value.data[0]));
  if ((value.shape.at(-1) ?? 1) !== size || size === 0 || value.size % size !== 0) return null;
  // For all samples and steps the same.
  const { data } = value;
  for (let i = size; i < value.size; i++) if (data[i] !== data[i % size]) return null;
  return value
    .reshape([value.size / size, size])
    .at(0)
    .cast('float32');
}

/** The layer that gave a tensor, if it is the last of its users and may still get a bias. */
function openDense(r: NodeReader, x: RaisedTensor, name: string): FoundLayer | null {
  const layer = r.keras.layers.find((l) => l.name === x.from.layer);
  return layer?.className === 'Dense' && layer.config['use_bias'] === false && r.uses.get(name) === 1 ? layer : null;
}

const MERGING: Readonly<Record<string, string>> = {
  Add: 'Add',
  Sum: 'Add',
  Sub: 'Subtract',
  Mul: 'Multiply',
  Max: 'Maximum',
  Min: 'Minimum',
  Mean: 'Average',
};

/** A view with axes of size 1 in front. */
const widened = (view: RaisedView, rank: number): RaisedView => ({
  ...view,
  axes: [...Array.from({ length: rank - view.axes.length }, (): number[] => []), ...view.axes],
});

/** Tensors whose axes lie alike: as they are, or the batch first and the others as the graph has them. */
function inOneOrder(r: NodeReader, xs: readonly RaisedTensor[]): readonly RaisedTensor[] {
  const [first] = xs as readonly [RaisedTensor, ...RaisedTensor[]];
  if (xs.every((x) => x.order.join() === first.order.join() && x.flipped === first.flipped)) return xs;
  const batch = first.order.indexOf(0);
  if (xs.some((x) => x.order.indexOf(0) !== batch || x.order.length !== first.order.length))
    return xs.map((x) => r.keras.plain(x, r.label));
  const order = first.order.map((_, i) => (i === batch ? 0 : i < batch ? i + 1 : i));
  return xs.map((x) => ({ ...r.keras.withBatchFirst(x, r.label), order }));
}

/** Elementwise operators of two tensors, or of one and a constant. */
const arithmetic: Raise = (r: NodeReader) => {
  const { opType, input } = r.node;
  const values = input.map((_, i) => r.input(i));
  if (values.some((v) => v?.kind === 'scores')) return scored(r, values);
  if (values.every(isComputed)) {
    const className = MERGING[opType];
    if (!className) return r.fail('expected one of the inputs to be a constant');
    const views = values.map((_, i) => r.view(i));
    const most = Math.max(...views.map((v) => v.axes.length));
    const xs = views.map((v) => r.settled(v.axes.length === most ? simple(v) : widened(v, most)));
    if (xs.length < 2 && opType !== 'Sum' && opType !== 'Mean') r.fail('expected two inputs');
    const used = inOneOrder(r, xs);
    const layer = r.keras.layer(className, used, {}, { list: true });
    const rank = used[0]!.shape.length;
    if (used.some((x) => x.shape.length !== rank)) r.fail('expected inputs of one rank');
    const shape = used.map((x) => x.shape).reduce<readonly Dim[]>((a, b) => broadcast(a, b), []);
    return { ...used[0]!, from: { layer: layer.name, output: 0 }, shape };
  }
  if (values.length !== 2) return r.fail('expected two inputs');
  const at = values.findIndex(isComputed);
  const other = values[1 - at];
  if (at >= 0 && other?.kind === 'zeros' && (opType === 'Add' || (opType === 'Sub' && at === 0))) return values[at]!;
  if (at < 0 || other?.kind !== 'constant') return r.fail('expected tensors and constants');
  const value = other.constant.value.cast('float32');
  const cut = r.view(at);
  // A number for each feature needs them as an axis.
  const view = value.size === 1 || hasFeaturesLast(cut) ? cut : viewOf(r.keras, r.settled(cut));
  const x = view.base;
  const last = hasFeaturesLast(view);
  const size = x.shape.at(-1) ?? null;
  const more = value.rank - view.axes.length;
  if (more > 0) {
    if (value.shape.slice(0, more).some((d) => d !== 1))
      return r.fail(`expected a constant of rank ${view.axes.length} at most, received [${value.shape.join(', ')}]`);
    r.put(at, widened(view, value.rank));
    return arithmetic(r);
  }
  if (opType === 'Add' && last && size !== null) {
    const layer = openDense(r, x, input[at]!);
    const bias = flatVector(value, size);
    if (layer && bias) {
      layer.config['use_bias'] = true;
      layer.group = groupOf(layer.name, { kernel: layer.group.variables[0]!.value, bias });
      return values[at]!;
    }
  }
  const numbers = value.size === 1 ? Number(value.data[0]) : last && size !== null && flatVector(value, size);
  if (numbers === false || numbers === null)
    return r.fail(
      `expected a constant that is one number, or one for each feature, received shape [${value.shape.join(', ')}]`,
    );
  const list = (f: (n: number) => number): Json =>
    typeof numbers === 'number' ? f(numbers) : [...numbers.data].map((n) => f(Number(n)));
  const rescaled = (scale: Json, offset: Json): Raised => {
    const layer = r.keras.layer('Rescaling', [x], { scale, offset });
    return simple({ ...view, base: { ...x, from: { layer: layer.name, output: 0 }, dtype: 'float32' } });
  };
  switch (opType) {
    case 'Add':
      return rescaled(
        1,
        list((n) => n),
      );
    case 'Mul':
      return rescaled(
        list((n) => n),
        0,
      );
    case 'Sub':
      return at === 0
        ? rescaled(
            1,
            list((n) => -n),
          )
        : rescaled(
            -1,
            list((n) => n),
          );
    case 'Div':
      if (at !== 0) return r.fail('expected division by a constant');
      return rescaled(
        list((n) => 1 / n),
        0,
      );
    case 'Max':
      if (numbers !== 0) return r.fail('expected a maximum with 0, as relu has it');
      return activation('relu')(at === 0 ? r : r.fail('expected the tensor first'));
    default:
      return r.fail('expected two tensors');
  }
};

/** Is it computed of inputs, one tensor? */
const isComputed = (x: Raised | null): boolean => x?.kind === 'tensor' || x?.kind === 'view' || x?.kind === 'stack';

/** What is done to scores of an attention before softmax: a factor, and what hides later steps. */
function scored(r: NodeReader, values: readonly (Raised | null)[]): Raised {
  const { opType } = r.node;
  const at = values.findIndex((v) => v?.kind === 'scores');
  const [scores, other] = [values[at], values[1 - at]];
  if (scores?.kind !== 'scores' || scores.shares || values.length !== 2)
    return r.fail('expected scores of an attention before their softmax');
  if (other?.kind === 'zeros' && opType === 'Add') return scores;
  if (other?.kind === 'constant') {
    const { value } = other.constant;
    if (value.size === 1 && opType === 'Mul') return { ...scores, scale: scores.scale * Number(value.data[0]) };
    if (value.size === 1 && opType === 'Div' && at === 0)
      return { ...scores, scale: scores.scale / Number(value.data[0]) };
    if (opType === 'Add' && isCausal(r, scores, value)) return { ...scores, causal: true };
  }
  return r.fail(
    'expected a factor, or a constant mask that hides later steps, as MultiHeadAttention has them (useCausalMask)',
  );
}

const clip: Raise = (r: NodeReader) => {
  const bound = (i: number, name: string): number => {
    const given = r.input(i) ? Number(r.constant(i)!.value.data[0]) : r.float(name, i === 1 ? -Infinity : Infinity);
    return given;
  };
  const [low, high] = [bound(1, 'min'), bound(2, 'max')];
  if (low === 0 && high === 6) return activation('relu6')(r);
  if (low === -1 && high === 1) return activation('hard_tanh')(r);
  if (low === 0 && !(high < 1e30)) return activation('relu')(r);
  if (low === 0) return pointwise('ReLU', () => ({ max_value: high }))(r);
  return r.fail(`expected bounds of relu6, relu or hard_tanh, received ${low} and ${high}`);
};

const gather: Raise = (r: NodeReader) => {
  const table = r.input(0);
  if (table?.kind === 'constant') {
    if (r.int('axis', 0) !== 0) r.fail('expected axis 0');
    const embeddings = r.weight(0, 2);
    const { rounded: _rounded, ...x } = r.ids(1);
    const [rows, width] = embeddings.shape as readonly [number, number];
    if (rows < 1 || width < 1) r.fail('expected rows');
    const layer = r.keras.layer('Embedding', [x], { input_dim: rows, output_dim: width });
    layer.group = groupOf(layer.name, { embeddings });
    return {
      ...x,
      from: { layer: layer.name, output: 0 },
      shape: [...x.shape, width],
      order: [...x.order, x.order.length],
      dtype: 'float32',
    };
  }
  const index = r.constant(1)?.value ?? r.fail('expected an index');
  if (index.size !== 1 || index.rank > 1) return r.fail('expected one index, or rows of a constant table');
  return picked(r, Number(index.data[0]), r.int('axis', 0), index.rank === 0);
};

/** One place of an axis; the axis goes (`drop`), or stays with size 1. */
function picked(r: NodeReader, index: number, axisGiven: number, drop: boolean): Raised {
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  if (x?.kind === 'repeated') return r.fail('expected a tensor');
  if (x?.kind === 'stack') {
    const axis = r.axis(axisGiven, x.axes.length);
    if (x.axes[axis] === 'D')
      return settle({
        ...x,
        parts: [partAt(r, x, index)],
        axes: drop ? x.axes.replace('D', '') : x.axes,
      });
  }
  const view = r.view(0);
  const axis = r.axis(axisGiven, view.axes.length);
  const size = r.keras.sizes.number(seenSize(view, r.keras.sizes, axis));
  const at = index < 0 ? (size === null ? index : index + size) : index;
  if (size !== null && !(at >= 0 && at < size)) r.fail(`expected an index of an axis of ${size}, received ${index}`);
  const list = view.axes[axis]!;
  if (list.length === 0) return drop ? { ...view, axes: view.axes.filter((_, i) => i !== axis) } : view;
  if (isOfFeatures(view, list)) {
    const narrowed = features(r, view, list[0]!, at, at + 1);
    return drop ? simple(withoutOne(narrowed, axis)) : simple(narrowed);
  }
  const t = r.tensor(0);
  const own = t.order[axis]!;
  expectNoBatch(r, t, own);
  if (own !== 1 || t.shape.length !== 3) r.fail('expected a step of [batch, time, features]');
  const step = stepAt(r, t, at, size);
  const order = t.order.filter((a) => a !== 1).map((a) => (a > 1 ? a - 1 : a));
  const y = { ...step, order };
  if (drop) return y;
  const flat = viewOf(r.keras, y);
  return { ...flat, axes: [...flat.axes.slice(0, axis), [], ...flat.axes.slice(axis)] };
}

/** Throws `BatchElsewhere` for the axis of the batch of an input: samples are not picked, so that states of directions are what it has first. */
function expectNoBatch(r: NodeReader, t: RaisedTensor, axis: number): void {
  if (axis !== 0) return;
  const message = `ONNX: ${r.label}: expected an axis after that of the batch`;
  if (t.order[0] !== 0 || t.order.length < 3) r.fail('expected an axis after that of the batch');
  throw new BatchElsewhere(message, r.keras.inputsOf(t), 1);
}

/** One step of [batch, time, features] as [batch, features]; of a sequence of open length, the first or the last. */
function stepAt(r: NodeReader, t: RaisedTensor, index: number, size: number | null): RaisedTensor {
  const { keras } = r;
  const width = t.shape[2] ?? r.fail('expected a known number of features');
  const at = t.flipped ? (size === null ? -1 - index : size - 1 - index) : index;
  const shape = [t.shape[0]!, width];
  if (size !== null) {
    const cropped = keras.layer('Cropping1D', [t], { cropping: [at, size - 1 - at] });
    const one = keras.output(cropped, [t.shape[0]!, 1, width]);
    return keras.output(keras.layer('Reshape', [one], { target_shape: [width] }), shape);
  }
  if (at !== 0 && at !== -1)
    return r.fail(`expected the first or the last step of a sequence of open length, received ${at}`);
  const layer = keras.find(t.from.layer);
  if (
    at === -1 &&
    t.from.output === 0 &&
    /^(LSTM|GRU|SimpleRNN)$/.test(layer.className) &&
    !layer.config['go_backwards']
  ) {
    // What the last step gave is the state.
    layer.config['return_state'] = true;
    return keras.output(layer, shape, { output: 1 });
  }
  // A recurrent layer that remembers nothing but the step that it saw last.
  const last = keras.layer('SimpleRNN', [{ ...t, flipped: false }], {
    units: width,
    activation: 'linear',
    use_bias: false,
    go_backwards: at === 0,
    trainable: false,
  });
  const cell = groupOf('cell', { kernel: identity(width), recurrent_kernel: zeros([width, width]) });
  last.group = groupOf(last.name, {}, { cell });
  return keras.output(last, shape);
}

/** Is it one part of the features? */
const isOfFeatures = ({ base, atoms }: RaisedView, list: readonly number[]): boolean =>
  list.length === 1 && base.shape.length > 1 && atoms[list[0]!]!.axis === base.shape.length - 1;

/** A view whose part at an axis has size 1, without it. */
function withoutOne(view: RaisedView, axis: number): RaisedView {
  const [gone] = view.axes[axis] as [number];
  const axes = view.axes.filter((_, i) => i !== axis).map((list) => list.map((i) => (i > gone ? i - 1 : i)));
  const atoms = view.atoms.filter((_, i) => i !== gone);
  // The last part of features stays, as an axis has to have one.
  if (atoms.every((atom) => atom.axis !== view.atoms[gone]!.axis))
    return { ...view, axes: view.axes.filter((_, i) => i !== axis) };
  return { ...view, atoms, axes };
}

/** Some of the features: of a Dense, fewer units; else by a Dense that picks them. */
function features(r: NodeReader, view: RaisedView, atom: number, start: number, end: number): RaisedView {
  const { keras } = r;
  const { base } = view;
  const last = base.shape.length - 1;
  const number = (s: Size): number => keras.sizes.number(s) ?? r.fail('expected a known number of features');
  const parts = view.atoms
    .map(({ axis, size }, i) => (axis === last ? { i, n: number(size) } : null))
    .filter((p) => p !== null);
  const at = parts.findIndex(({ i }) => i === atom);
  const before = parts.slice(0, at).reduce((n, p) => n * p.n, 1);
  const after = parts.slice(at + 1).reduce((n, p) => n * p.n, 1);
  const size = parts[at]!.n;
  if (end <= start) r.fail('expected at least one feature');
  const chosen = (t: Tensor): Tensor => {
    const rows = t.rank === 2 ? t.shape[0]! : 1;
    const picked = t.reshape([rows * before, size, after]).narrow(1, start, end - start);
    const count = before * (end - start) * after;
    return picked.reshape(t.rank === 2 ? [rows, count] : [count]);
  };
  const source = keras.find(base.from.layer);
  const total = before * size * after;
  const dense = isLinearDense(source);
  if (!dense && total > 4096)
    r.fail(`expected features of a product with a matrix, received ${total} of another layer`);
  const units = before * (end - start) * after;
  const layer = keras.layer('Dense', [dense ? source.inputs[0]! : base], {
    units,
    activation: 'linear',
    use_bias: dense && source.config['use_bias'] === true,
    ...(dense ? {} : { trainable: false }),
  });
  const variables = dense ? source.group.variables : [{ name: 'kernel', value: identity(total) }];
  layer.group = groupOf(layer.name, Object.fromEntries(variables.map(({ name, value }) => [name, chosen(value)])));
  const y = { ...base, from: { layer: layer.name, output: 0 }, shape: [...base.shape.slice(0, -1), units] };
  const atoms = view.atoms.map((a, i) => (i === atom ? { ...a, size: known(end - start) } : a));
  return { ...view, base: y, atoms };
}

/** The tensor of one direction. */
function partAt(r: NodeReader, stack: RaisedStack, index: number): RaisedTensor {
  return stack.parts.at(index) ?? r.fail(`expected a direction among ${stack.parts.length}, received ${index}`);
}

/** A stack without its axis of directions is a tensor. */
function settle(stack: RaisedStack): Raised {
  const [part] = stack.parts;
  if (stack.axes.includes('D') || !part) return stack;
  const natural = stack.axes.includes('T') ? 'BTU' : 'BU';
  return { ...part, order: [...stack.axes].map((axis) => natural.indexOf(axis)) };
}

const transpose: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  if (x?.kind === 'repeated')
    return {
      ...x,
      value: r.broadcastRank(x).transpose(r.permutation(x.sizes.length)),
      sizes: r.permutation(x.sizes.length).map((a) => x.sizes[a]!),
    };
  if (x?.kind === 'stack')
    return {
      ...x,
      axes: r
        .permutation(x.axes.length)
        .map((a) => x.axes[a])
        .join(''),
    };
  if (x?.kind === 'view') return simple({ ...x, axes: r.permutation(x.axes.length).map((a) => x.axes[a]!) });
  const t = r.tensor(0);
  return { ...t, order: r.permutation(t.order.length).map((a) => t.order[a]!) };
};

const squeeze: Raise = (r: NodeReader) => {
  const x = r.input(0);
  const given = r.integers(1, 'axes');
  if (x?.kind === 'zeros') return x;
  if (x?.kind === 'stack' && x.parts.length === 1) {
    const axis = given?.length === 1 ? r.axis(given[0]!, x.axes.length) : -1;
    if (x.axes[axis] === 'D') return settle({ ...x, axes: x.axes.replace('D', '') });
  }
  const view = r.view(0);
  const { sizes } = r.keras;
  const isOne = (axis: number): boolean => sizes.equal(seenSize(view, sizes, axis), ONE) && !holdsBatch(view, axis);
  const axes = given?.map((a) => r.axis(a, view.axes.length)) ?? view.axes.map((_, i) => i).filter(isOne);
  if (!axes.every(isOne)) r.fail('expected axes of size 1 besides that of the batch');
  // What their parts are goes to an axis beside them.
  const kept = view.axes.map((_, i) => i).filter((i) => !axes.includes(i));
  return reshapedTo(
    r,
    view,
    kept.map((i) => seenSize(view, sizes, i)),
  );
};

const holdsBatch = ({ atoms, axes }: RaisedView, axis: number): boolean =>
  axes[axis]!.some((i) => atoms[i]!.axis === 0);

const unsqueeze: Raise = (r: NodeReader) => {
  const axes = r.integers(1, 'axes') ?? r.fail('expected axes');
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  const view = r.view(0);
  const rank = view.axes.length + axes.length;
  const result = [...view.axes];
  for (const a of axes.map((axis) => r.axis(axis, rank)).sort((m, n) => m - n)) result.splice(a, 0, []);
  return { ...view, axes: result };
};

/** A view under other sizes. */
function reshapedTo(r: NodeReader, view: RaisedView, targets: readonly Size[]): RaisedTensor | RaisedView {
  const found = regrouped(view, r.keras.sizes, targets);
  const text = (list: readonly Size[]): string =>
    list
      .map(({ n, of }) =>
        [...(n === 1 && of.length > 0 ? [] : [n]), ...of.map((name) => (name === 'batch' ? name : 'open'))].join('*'),
      )
      .join(', ');
  if (!found)
    return r.fail(
      `expected a shape that keeps the axis of the batch and the order of the elements, received [${text(targets)}] for [${text(view.axes.map((_, i) => seenSize(view, r.keras.sizes, i)))}]`,
    );
  return simple(found);
}

const reshape: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  const given = sizesAt(r, 1)?.list ?? r.ints('shape')?.map(known) ?? r.fail('expected a shape that the graph tells');
  const view = r.view(0);
  const { sizes } = r.keras;
  const seen = view.axes.map((_, i) => seenSize(view, sizes, i));
  const copied = given.map((s, i) =>
    s.n === 0 && r.int('allowzero', 0) === 0 ? (seen[i] ?? r.fail('expected an axis to copy the size of')) : s,
  );
  const total = seen.reduce((a, b) => sizes.times(a, b), ONE);
  const rest = copied.filter(({ n }) => n !== -1).reduce((a, b) => sizes.times(a, b), ONE);
  const targets = copied.map((s) =>
    s.n === -1 ? (sizes.over(total, rest) ?? r.fail('expected sizes that fit the elements')) : s,
  );
  const wanted = targets.reduce((a, b) => sizes.times(a, b), ONE);
  if (copied.filter(({ n }) => n === -1).length > 1) r.fail('expected at most one size of -1');
  if (!sizes.equal(wanted, total)) {
    const message = `ONNX: ${r.label}: expected a shape of as many elements`;
    const implied = sizes.implied(total, wanted);
    if (implied) throw new SizeIsKnown(message, ...implied);
    r.fail('expected a shape of as many elements');
  }
  return reshapedTo(r, view, targets);
};

const flatten: Raise = (r: NodeReader) => {
  if (r.int('axis', 1) !== 1) r.fail('expected axis 1');
  const x = r.keras.plain(r.tensor(0), r.label);
  const layer = r.keras.layer('Flatten', [x], {});
  const size = x.shape.slice(1).reduce<Dim>((a, b) => (a === null || b === null ? null : a * b), 1);
  return r.keras.output(layer, [x.shape[0]!, size]);
};

/** Final states of layers and directions behind each other, as PyTorch gives them: [directions, batch, units]. `null` where they are other tensors. */
function stacked(r: NodeReader, values: readonly (Raised | null)[]): RaisedStack | null {
  const states = values.map((v): RaisedStack | null => {
    if (v?.kind === 'stack') return v.axes === 'DBU' ? v : null;
    if (v?.kind !== 'view' || v.base.shape.length !== 2 || v.axes[0]?.length !== 0) return null;
    const own = simple({ ...v, axes: v.axes.slice(1) });
    return own.kind === 'tensor' && own.order.join() === '0,1' ? { kind: 'stack', parts: [own], axes: 'DBU' } : null;
  });
  const found = states.filter((s) => s !== null);
  if (found.length !== values.length || r.axis(r.int('axis', 0), 3) !== 0) return null;
  const parts = found.flatMap((s) => s.parts);
  return parts.every((p) => p.shape[1] === parts[0]!.shape[1]) ? { kind: 'stack', parts, axes: 'DBU' } : null;
}

const concat: Raise = (r: NodeReader) => {
  const { input } = r.node;
  const values = input.map((_, i) => r.input(i));
  if (values.every((v) => v?.kind === 'zeros')) return { kind: 'zeros' };
  const states = stacked(r, values);
  if (states) return states;
  const xs = input.map((_, i) => r.tensor(i));
  const used = inOneOrder(r, xs);
  const base = used[0]!;
  if (used.some((x) => x.order.length !== base.order.length)) r.fail('expected inputs of one rank');
  const axis = base.order[r.axis(r.int('axis', 0), base.order.length)]!;
  if (axis === 0 || (base.flipped && axis === 1))
    r.fail(
      'expected an axis after that of the batch. If the first axis is one of layers and directions, its parts have to be states.',
    );
  const layer = r.keras.layer('Concatenate', used, { axis }, { list: true });
  const total = used.reduce<Dim>((n, x) => (n === null || x.shape[axis] === null ? null : n + x.shape[axis]!), 0);
  return { ...base, from: { layer: layer.name, output: 0 }, shape: base.shape.map((d, i) => (i === axis ? total : d)) };
};

const slice: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  const [starts, ends] = [r.integers(1, 'starts') ?? [], r.integers(2, 'ends') ?? []];
  const axes = r.integers(3, 'axes') ?? starts.map((_, i) => i);
  const steps = r.integers(4, 'steps') ?? starts.map(() => 1);
  if (
    starts.length !== ends.length ||
    axes.length !== starts.length ||
    steps.length !== starts.length ||
    starts.length === 0
  )
    return r.fail('expected as many ends, axes and steps as starts');
  return starts.reduce<Raised>(
    (now, start, i) => sliced(r, now, { axis: axes[i]!, start, end: ends[i]!, step: steps[i]! }),
    x ?? r.fail('expected an input'),
  );
};

/** A slice of one axis. */
function sliced(
  r: NodeReader,
  x: Raised,
  { axis: given, start, end, step }: { axis: number; start: number; end: number; step: number },
): Raised {
  if (x.kind === 'stack') {
    const axis = r.axis(given, x.axes.length);
    if (x.axes[axis] === 'D') {
      if (step !== 1) return r.fail('expected neighbouring directions');
      return { ...x, parts: x.parts.slice(...bounds(start, end, x.parts.length)) };
    }
  }
  const view = r.viewed(x);
  const axis = r.axis(given, view.axes.length);
  const size = r.keras.sizes.number(seenSize(view, r.keras.sizes, axis));
  const list = view.axes[axis]!;
  if (step === 1 && size !== null && start <= 0 && (start === 0 || start <= -size) && end >= size) return x;
  if (step === 1 && start === 0 && end >= 2 ** 31 - 1) return x;
  if (step === 1 && isOfFeatures(view, list)) {
    const [from, to] = bounds(start, end, size ?? r.fail('expected a known number of features'));
    return simple(features(r, view, list[0]!, from, to));
  }
  const t = r.settled(x);
  const own = t.order[axis]!;
  if (
    step === -1 &&
    own === 1 &&
    t.shape.length === 3 &&
    (start === -1 || start === (size ?? -2) - 1 || start >= 2 ** 31 - 1) &&
    end < -(2 ** 31) + 1
  )
    return { ...t, flipped: !t.flipped };
  expectNoBatch(r, t, own);
  if (step !== 1 || own !== 1 || t.shape.length !== 3 || (t.flipped && size === null))
    return r.fail('expected a slice of steps [batch, time, features] or of features, or all steps backwards');
  let [before, after] = [start, -end];
  if (size !== null) {
    const [from, to] = bounds(start, end, size);
    [before, after] = t.flipped ? [size - to, from] : [from, size - to];
  } else {
    if (start < 0) {
      if (start !== -1 || end < 2 ** 31 - 1) return r.fail('expected a start counted from the front');
      const one = viewOf(r.keras, {
        ...stepAt(r, t, -1, null),
        order: t.order.filter((a) => a !== 1).map((a) => (a > 1 ? a - 1 : a)),
      });
      return { ...one, axes: [...one.axes.slice(0, axis), [], ...one.axes.slice(axis)] };
    }
    if (start === 0 && end === 1) {
      const one = viewOf(r.keras, {
        ...stepAt(r, t, 0, null),
        order: t.order.filter((a) => a !== 1).map((a) => (a > 1 ? a - 1 : a)),
      });
      return { ...one, axes: [...one.axes.slice(0, axis), [], ...one.axes.slice(axis)] };
    }
    after = end < 0 ? -end : end >= 2 ** 31 - 1 ? 0 : r.fail('expected an end counted from the back');
  }
  const length = size === null ? null : size - before - after;
  if (length !== null && length < 1) r.fail('expected at least one step');
  const layer = r.keras.layer('Cropping1D', [t], { cropping: [before, after] });
  return {
    ...t,
    flipped: t.flipped && length !== 1,
    from: { layer: layer.name, output: 0 },
    shape: t.shape.map((d, i) => (i === 1 ? length : d)),
  };
}

/** How long so many parts of an axis are. */
function partsOf(r: NodeReader, total: number): readonly number[] {
  const count = r.node.output.length;
  const part = Math.ceil(total / count);
  const given = r.integers(1, 'split') ?? Array.from({ length: count }, (_, i) => Math.min(part, total - i * part));
  if (given.length !== count || given.reduce((a, b) => a + b, 0) !== total || given.some((n) => n < 1))
    r.fail(`expected parts that make up ${total}, received [${given.join(', ')}]`);
  return given;
}

function splitConstant(r: NodeReader, { type, value }: Constant): Raised[] {
  const axis = r.axis(r.int('axis', 0), value.rank);
  let start = 0;
  return partsOf(r, value.shape[axis]!).map((n) => {
    start += n;
    return { kind: 'constant', constant: { type, value: value.narrow(axis, start - n, n) } };
  });
}

/** Parts of one axis. */
const split: Raise = (r: NodeReader) => {
  const x = r.input(0) ?? r.fail('expected an input');
  if (x.kind === 'zeros') return r.node.output.map(() => x);
  if (x.kind === 'constant') return splitConstant(r, x.constant);
  const rank = x.kind === 'stack' ? x.axes.length : r.viewed(x).axes.length;
  const axis = r.axis(r.int('axis', 0), rank);
  const total =
    x.kind === 'stack' && x.axes[axis] === 'D'
      ? x.parts.length
      : (r.keras.sizes.number(seenSize(r.viewed(x), r.keras.sizes, axis)) ?? r.fail('expected an axis of known size'));
  let start = 0;
  return partsOf(r, total).map((n) => {
    const result = sliced(r, x, { axis, start, end: start + n, step: 1 });
    start += n;
    return result;
  });
};

const shape: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind === 'constant') return sizesOf(r, x.constant.value.shape.map(known), 1);
  if (x?.kind === 'sizes') return sizesOf(r, x.rank === 0 ? [] : [known(x.list.length)], 1);
  const view = r.view(0);
  const all = view.axes.map((_, i) => seenSize(view, r.keras.sizes, i));
  return sizesOf(r, all.slice(...bounds(r.int('start', 0), r.int('end', all.length), all.length)), 1);
};

/** The sum over steps: of a product with shares [batch, time, 1], what an attention picks; else the mean, as often as there are steps. */
const reduceSum: Raise = (r: NodeReader) => {
  const x = r.tensor(0);
  const axes = (r.integers(1, 'axes') ?? []).map((a) => r.axis(a, x.order.length));
  if (x.order.length !== 3 || axes.length !== 1 || x.order[axes[0]!] !== 1)
    return r.fail('expected the sum over the steps of [batch, time, features]');
  const keep = r.int('keepdims', 1) !== 0;
  const layer = r.keras.find(x.from.layer);
  const width = x.shape[2] ?? r.fail('expected a known number of features');
  const [a, b] = layer.className === 'Multiply' && layer.inputs.length === 2 ? layer.inputs : [];
  const steps = x.shape[1] ?? null;
  let y: RaisedTensor;
  if (a && b && a.shape.length === 3 && b.shape.length === 3 && [a, b].some((t) => t.shape[2] === 1)) {
    const pair = a.shape[2] === 1 ? [a, b] : [b, a];
    const dot = r.keras.layer('Dot', pair, { axes: [1, 1], normalize: false }, { list: true });
    const one = r.keras.output(dot, [x.shape[0]!, 1, width]);
    y = r.keras.output(r.keras.layer('Reshape', [one], { target_shape: [width] }), [x.shape[0]!, width]);
  } else {
    if (steps === null)
      return r.fail(
        'expected a known number of steps, or a product with shares [batch, time, 1]: Keras has no layer that sums',
      );
    const mean = r.keras.output(r.keras.layer('GlobalAveragePooling1D', [x], {}), [x.shape[0]!, width]);
    y = r.keras.output(r.keras.layer('Rescaling', [mean], { scale: steps, offset: 0 }), mean.shape);
  }
  const result = { ...y, order: x.order.filter((i) => i !== 1).map((i) => (i > 1 ? i - 1 : i)) };
  if (!keep) return result;
  const flat = viewOf(r.keras, result);
  return { ...flat, axes: [...flat.axes.slice(0, axes[0]), [], ...flat.axes.slice(axes[0])] };
};

/** A tensor [batch, channels, time] as Keras' layers of convolution take it: as it is, or the one that it was transposed from. */
function channels(r: NodeReader): {
  readonly x: RaisedTensor;
  readonly format: string;
  readonly time: number;
  readonly channels: number;
} {
  const given = r.tensor(0);
  if (given.order.length !== 3) r.fail('expected one axis of time [batch, channels, time]');
  if (given.order.join() === '0,2,1' && !given.flipped)
    return { x: given, format: 'channels_last', time: 1, channels: 2 };
  return { x: r.keras.plain(given, r.label), format: 'channels_first', time: 2, channels: 1 };
}

/** One number of an attribute for the axis of time. */
function one(r: NodeReader, name: string, fallback: number): number {
  const list = r.ints(name);
  if (list && list.length !== 1) r.fail(`expected one axis of time, received ${name} [${list.join(', ')}]`);
  return list?.[0] ?? fallback;
}

/** Windows and what stands around the steps, as Keras says it; steps that Keras cannot say are added by a layer of their own. */
function windows(
  r: NodeReader,
  x: RaisedTensor,
  format: string,
  time: number,
  size: number,
  causalToo: boolean,
): { x: RaisedTensor; padding: string; stride: number; dilation: number; length: Dim } {
  const [stride, dilation] = [one(r, 'strides', 1), one(r, 'dilations', 1)];
  if (stride < 1 || dilation < 1 || size < 1 || size > 2 ** 20) r.fail('expected windows of at least one step');
  const auto = r.text('auto_pad', 'NOTSET');
  const [before, after] = r.ints('pads') ?? [0, 0];
  const span = (size - 1) * dilation + 1;
  const steps = x.shape[time] ?? null;
  const whole = steps === null ? null : Math.ceil(steps / stride);
  if (auto === 'SAME_UPPER') return { x, padding: 'same', stride, dilation, length: whole };
  if (auto !== 'NOTSET' && auto !== 'VALID')
    return r.fail(`expected auto_pad NOTSET, VALID or SAME_UPPER, received ${auto}`);
  if (auto === 'VALID' || (before === 0 && after === 0))
    return {
      x,
      padding: 'valid',
      stride,
      dilation,
      length: steps === null ? null : Math.floor((steps - span) / stride) + 1,
    };
  if (stride === 1 && before === Math.floor((span - 1) / 2) && after === Math.ceil((span - 1) / 2))
    return { x, padding: 'same', stride, dilation, length: whole };
  if (causalToo && before === span - 1 && after === 0 && format === 'channels_last')
    return { x, padding: 'causal', stride, dilation, length: whole };
  if (!causalToo) return r.fail(`expected pads of Keras' 'valid' or 'same', received [${before}, ${after}]`);
  if (!(before! >= 0 && after! >= 0)) r.fail('expected pads of at least 0');
  const layer = r.keras.layer('ZeroPadding1D', [x], { padding: [before!, after!], data_format: format });
  const longer = steps === null ? null : steps + before! + after!;
  const padded = {
    ...x,
    from: { layer: layer.name, output: 0 },
    shape: x.shape.map((d, i) => (i === time ? longer : d)),
  };
  return {
    x: padded,
    padding: 'valid',
    stride,
    dilation,
    length: longer === null ? null : Math.floor((longer - span) / stride) + 1,
  };
}

const conv: Raise = (r: NodeReader) => {
  const { x: given, format, time, channels: at } = channels(r);
  const weight = r.weight(1, 3);
  const [filters, inner, size] = weight.shape as readonly [number, number, number];
  const groups = r.int('group', 1);
  if (
    groups < 1 ||
    filters < 1 ||
    inner < 1 ||
    filters % groups !== 0 ||
    (given.shape[at] ?? inner * groups) !== inner * groups
  )
    r.fail('expected filters that fit the channels');
  const { x, padding, stride, dilation, length } = windows(r, given, format, time, size, true);
  const bias = r.input(2) ? r.weight(2, 1) : null;
  if (bias && bias.size !== filters) r.fail(`expected a bias of ${filters} elements`);
  const layer = r.keras.layer('Conv1D', [x], {
    filters,
    kernel_size: [size],
    strides: [stride],
    dilation_rate: [dilation],
    padding,
    data_format: format,
    groups,
    use_bias: bias !== null,
    activation: 'linear',
  });
  const kernel = weight.transpose([2, 1, 0]);
  layer.group = groupOf(layer.name, bias ? { kernel, bias } : { kernel });
  return {
    ...x,
    from: { layer: layer.name, output: 0 },
    shape: x.shape.map((d, i) => (i === time ? length : i === at ? filters : d)),
  };
};

const pool =
  (className: string): Raise =>
  (r: NodeReader) => {
    const { x: given, format, time } = channels(r);
    const size = one(r, 'kernel_shape', 0);
    if (r.int('ceil_mode', 0) !== 0) r.fail('expected ceil_mode 0');
    const { x, padding, stride, dilation, length } = windows(r, given, format, time, size, false);
    if (dilation !== 1) r.fail('expected no dilation');
    if (className === 'AveragePooling1D' && padding === 'same' && r.int('count_include_pad', 0) !== 0)
      r.fail('expected count_include_pad 0');
    const layer = r.keras.layer(className, [x], { pool_size: [size], strides: [stride], padding, data_format: format });
    return { ...x, from: { layer: layer.name, output: 0 }, shape: x.shape.map((d, i) => (i === time ? length : d)) };
  };

/** Mean or maximum over all steps. */
const overTime =
  (className: string, global: boolean): Raise =>
  (r: NodeReader) => {
    const x = r.tensor(0);
    const rank = x.order.length;
    const axes = global ? [2] : (r.integers(1, 'axes') ?? []).map((a) => r.axis(a, rank));
    const keep = global || r.int('keepdims', 1) !== 0;
    if (rank !== 3 || axes.length !== 1) return r.fail('expected one axis of [batch, time, features]');
    const axis = x.order[axes[0]!]!;
    if (axis === 0) r.fail('expected an axis after that of the batch');
    const layer = r.keras.layer(className, [x], {
      data_format: axis === 1 ? 'channels_last' : 'channels_first',
      keepdims: keep,
    });
    const from = { layer: layer.name, output: 0 };
    if (keep)
      return {
        ...x,
        from,
        shape: x.shape.map((d, i) => (i === axis ? 1 : d)),
        flipped: axis === 1 ? false : x.flipped,
      };
    const order = x.order.filter((a) => a !== axis).map((a) => (a > axis ? a - 1 : a));
    return { ...x, from, shape: x.shape.filter((_, i) => i !== axis), order, flipped: false };
  };

const batchNormalization: Raise = (r: NodeReader) => {
  if (r.int('training_mode', 0) !== 0) r.fail('expected training_mode 0');
  const x = r.tensor(0);
  const axis = x.order[1] ?? r.fail('expected [batch, channels, ...]');
  const [gamma, beta, moving_mean, moving_variance] = [1, 2, 3, 4].map((i) => r.weight(i, 1)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const size = x.shape[axis] ?? gamma.size;
  if ([gamma, beta, moving_mean, moving_variance].some((t) => t.size !== size))
    r.fail(`expected statistics of ${size} channels`);
  const layer = r.keras.layer('BatchNormalization', [x], { axis, epsilon: r.float('epsilon', 1e-5) });
  layer.group = groupOf(layer.name, { gamma, beta, moving_mean, moving_variance });
  return { ...x, from: { layer: layer.name, output: 0 } };
};

const layerNormalization: Raise = (r: NodeReader) => {
  const x = r.tensor(0);
  const rank = x.order.length;
  if (r.axis(r.int('axis', -1), rank) !== rank - 1 || x.order[rank - 1] !== rank - 1) r.fail('expected the last axis');
  const size = x.shape[rank - 1] ?? r.fail('expected a known number of features');
  const weight = (i: number): Tensor | null =>
    r.input(i) ? (flatVector(r.constant(i)!.value, size) ?? r.fail('expected weights that fit the features')) : null;
  const [gamma, beta] = [weight(1), weight(2)];
  const layer = r.keras.layer('LayerNormalization', [x], {
    axis: [rank - 1],
    epsilon: r.float('epsilon', 1e-5),
    center: beta !== null,
    ...(gamma ? {} : { scale: false }),
  });
  layer.group = groupOf(layer.name, { ...(gamma ? { gamma } : {}), ...(beta ? { beta } : {}) });
  return { ...x, from: { layer: layer.name, output: 0 } };
};

const cast: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind !== 'tensor') return x ?? r.fail('expected an input');
  const to = typeName(r.int('to', 1));
  const whole = (t: string): boolean => t === 'int32' || t === 'int64';
  if (to === x.dtype || (to && whole(to) && whole(x.dtype))) return x;
  // Ids that came as floats: an Embedding takes them as they are.
  if (to && whole(to)) return { ...x, dtype: to, rounded: true };
  if (to === 'float32') return pointwise('Rescaling', () => ({ scale: 1, offset: 0 }))(r);
  return r.fail(`expected float32 or integers, received ${to ?? r.int('to', 1)}`);
};

const pad: Raise = (r: NodeReader) => {
  const x = r.tensor(0);
  const pads = r.integers(1, 'pads') ?? [];
  const rank = x.order.length;
  if (
    r.text('mode', 'constant') !== 'constant' ||
    (r.input(2) && Number(r.constant(2)!.value.data[0]) !== 0) ||
    r.float('value', 0) !== 0
  )
    r.fail('expected zeros around');
  if (rank !== 3 || pads.length !== 6) r.fail('expected [batch, time, features]');
  const at = pads.findIndex((n) => n !== 0) % 3;
  if (at < 0) return x;
  const axis = x.order[at]!;
  if (axis === 0 || pads.some((n, i) => n < 0 || (n !== 0 && i % 3 !== at)) || x.flipped)
    r.fail('expected zeros around one axis after that of the batch');
  const [before, after] = [pads[at]!, pads[at + 3]!];
  const layer = r.keras.layer('ZeroPadding1D', [x], {
    padding: [before, after],
    data_format: axis === 1 ? 'channels_last' : 'channels_first',
  });
  return {
    ...x,
    from: { layer: layer.name, output: 0 },
    shape: x.shape.map((d, i) => (i === axis && d !== null ? d + before + after : d)),
  };
};

/** One number of whatever shape: as many as there are samples, say. */
const filled: Raise = (r: NodeReader) => {
  const fill = r.has('value') ? r.value().value : null;
  const value = Number(fill?.data[0] ?? 0);
  if (value === 0) return { kind: 'zeros' };
  const { list } = sizesAt(r, 0) ?? r.fail('expected sizes');
  return { kind: 'repeated', value: zeros(list.map(() => 1)).add(value), sizes: list };
};

const expand: Raise = (r: NodeReader) => {
  const x = r.input(0) ?? r.fail('expected an input');
  if (x.kind === 'zeros') return x;
  const { list } = sizesAt(r, 1) ?? r.fail('expected sizes that the graph tells');
  if (x.kind === 'constant' || x.kind === 'repeated') {
    const value = x.kind === 'constant' ? x.constant.value : x.value;
    if ([...value.data].every((v) => Number(v) === 0)) return { kind: 'zeros' };
    const rank = Math.max(list.length, value.rank);
    const at = <T>(all: readonly T[], i: number, otherwise: T): T => all[i - rank + all.length] ?? otherwise;
    const sizes = Array.from({ length: rank }, (_, i) => {
      const asked = at(list, i, ONE);
      return r.keras.sizes.equal(asked, ONE) ? known(at(value.shape, i, 1)) : asked;
    });
    return { kind: 'repeated', value, sizes };
  }
  const view = r.viewed(x);
  const seen = view.axes.map((_, i) => seenSize(view, r.keras.sizes, i));
  const same = list.every((size, i) => {
    const own = seen[i - list.length + seen.length];
    return r.keras.sizes.equal(size, ONE) || (own !== undefined && r.keras.sizes.equal(size, own));
  });
  return same && list.length <= seen.length
    ? x
    : r.fail('expected sizes that are there: Keras has no layer that repeats');
};

/** What each operator becomes. */
export const OPERATORS: Readonly<Record<string, Raise>> = {
  Add: arithmetic,
  AveragePool: pool('AveragePooling1D'),
  BatchNormalization: batchNormalization,
  Cast: cast,
  Celu: (r) => (r.float('alpha', 1) === 1 ? activation('celu')(r) : r.fail('expected alpha 1')),
  Clip: clip,
  Concat: concat,
  Constant: (r) => ({ kind: 'constant', constant: r.value() }),
  ConstantOfShape: filled,
  Conv: conv,
  Div: arithmetic,
  Dropout: same,
  Elu: pointwise('ELU', (r) => ({ alpha: r.float('alpha', 1) })),
  Exp: activation('exponential'),
  Expand: expand,
  Flatten: flatten,
  GRU: recurrent,
  Gather: gather,
  Gelu: (r) =>
    r.text('approximate', 'none') === 'none' ? activation('gelu')(r) : r.fail("expected approximate 'none'"),
  Gemm: gemm,
  GlobalAveragePool: overTime('GlobalAveragePooling1D', true),
  GlobalMaxPool: overTime('GlobalMaxPooling1D', true),
  HardSigmoid: (r) => {
    const alpha = r.float('alpha', 0.2);
    const slope = (
      [
        [1 / 6, 'hard_sigmoid'],
        [0.2, 'keras2_hard_sigmoid'],
      ] as const
    ).find(([own]) => Math.abs(alpha - own) < 1e-6);
    return slope && r.float('beta', 0.5) === 0.5
      ? activation(slope[1])(r)
      : r.fail("expected alpha 1/6 (Keras' hard_sigmoid) or 0.2 (that of Keras 2), and beta 0.5");
  },
  HardSwish: activation('hard_silu'),
  Identity: same,
  LSTM: recurrent,
  LayerNormalization: layerNormalization,
  LeakyRelu: pointwise('LeakyReLU', (r) => ({ negative_slope: r.float('alpha', 0.01) })),
  LogSoftmax: softmax('log_softmax'),
  MatMul: matmul,
  Max: arithmetic,
  MaxPool: pool('MaxPooling1D'),
  Mean: arithmetic,
  Min: arithmetic,
  Mish: activation('mish'),
  Mul: arithmetic,
  Pad: pad,
  RNN: recurrent,
  ReduceMax: overTime('GlobalMaxPooling1D', false),
  ReduceMean: overTime('GlobalAveragePooling1D', false),
  ReduceSum: reduceSum,
  Relu: activation('relu'),
  Reshape: reshape,
  Selu: activation('selu'),
  Shape: shape,
  Sigmoid: activation('sigmoid'),
  Slice: slice,
  Softmax: softmax('softmax'),
  Softplus: activation('softplus'),
  Softsign: activation('softsign'),
  Split: split,
  Squeeze: squeeze,
  Sub: arithmetic,
  Sum: arithmetic,
  Tanh: activation('tanh'),
  Transpose: transpose,
  Unsqueeze: unsqueeze,
};
