import { type Tensor, tensor, zeros } from '@recurra/tensor';
import type { Json } from '../../model-file.js';
import { broadcast, type Dim } from '../graph.js';
import { typeName } from '../read.js';
import { type FoundLayer, groupOf } from './builder.js';
import type { NodeReader } from './node-reader.js';
import { recurrent } from './recurrent.js';
import type { Raised, RaisedConstant, RaisedStack, RaisedTensor } from './values.js';

/** How an operator becomes layers: what its outputs stand for. */
type Raise = (r: NodeReader) => Raised | readonly Raised[];

const constantOf = (value: Tensor): RaisedConstant => ({ kind: 'constant', constant: { type: 'float32', value } });

/** A layer that gives each element by itself: axes may lie in any order. */
const pointwise =
  (className: string, config: (r: NodeReader) => Readonly<Record<string, Json>>): Raise =>
  (r: NodeReader) => {
    const x = r.tensor(0);
    const layer = r.keras.layer(className, [x], config(r));
    return { ...x, from: { layer: layer.name, output: 0 }, dtype: 'float32' };
  };

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
    const x = r.tensor(0);
    const axis = x.order[r.axis(r.int('axis', -1), x.order.length)]!;
    const last = axis === x.shape.length - 1;
    if (name === 'log_softmax' && !last) r.fail('expected the last axis');
    const layer = last
      ? r.keras.layer('Activation', [x], { activation: name })
      : r.keras.layer('Softmax', [x], { axis });
    return { ...x, from: { layer: layer.name, output: 0 } };
  };

/** A product with a matrix as Dense, its bias still to come. */
function dense(r: NodeReader, x: RaisedTensor, kernel: Tensor, bias: Tensor | null): RaisedTensor {
  const rank = x.order.length;
  if (x.order[rank - 1] !== rank - 1 || rank < 2) r.fail('expected features on the last axis');
  const [features, units] = kernel.shape as readonly [number, number];
  if ((x.shape[rank - 1] ?? features) !== features || units < 1)
    r.fail(`expected ${features} features, received ${x.shape[rank - 1]}`);
  const layer = r.keras.layer('Dense', [x], { units, activation: 'linear', use_bias: bias !== null });
  layer.group = groupOf(layer.name, bias ? { kernel, bias } : { kernel });
  return { ...x, from: { layer: layer.name, output: 0 }, shape: [...x.shape.slice(0, -1), units] };
}

const matmul: Raise = (r: NodeReader) => {
  const b = r.input(1);
  if (b?.kind !== 'constant') return r.fail('expected a product with a constant matrix, as Dense has it');
  return dense(r, r.tensor(0), r.weight(1, 2), null);
};

const gemm: Raise = (r: NodeReader) => {
  if (r.float('alpha', 1) !== 1 || r.float('beta', 1) !== 1 || r.int('transA', 0) !== 0)
    r.fail('expected alpha 1, beta 1 and transA 0');
  const given = r.weight(1, 2);
  const kernel = r.int('transB', 0) ? given.transpose([1, 0]) : given;
  const units = kernel.shape[1]!;
  const bias = r.input(2) ? flatVector(r.constant(2)!.value, units) : null;
  if (r.input(2) && !bias) r.fail(`expected a bias of ${units} elements`);
  return dense(r, r.keras.plain(r.tensor(0), r.label), kernel, bias);
};

/** A constant as a vector of so many elements (one is repeated); `null` where it has other axes. */
function flatVector(value: Tensor, size: number): Tensor | null {
  if (value.size === 1) return zeros([size]).add(Number(value.data[0]));
  return value.size === size && (value.shape.at(-1) ?? 1) === size ? value.reshape([size]).cast('float32') : null;
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

/** Elementwise operators of two tensors, or of one and a constant. */
const arithmetic: Raise = (r: NodeReader) => {
  const { opType, input } = r.node;
  const values = input.map((_, i) => r.input(i));
  if (values.every((v) => v?.kind === 'tensor')) {
    const className = MERGING[opType];
    if (!className) return r.fail('expected one of the inputs to be a constant');
    const xs = values as RaisedTensor[];
    const [first] = xs as [RaisedTensor];
    if (xs.length < 2 && opType !== 'Sum' && opType !== 'Mean') r.fail('expected two inputs');
    const alike = xs.every((x) => x.order.join() === first.order.join() && x.flipped === first.flipped);
    const used = alike ? xs : xs.map((x) => r.keras.plain(x, r.label));
    const layer = r.keras.layer(className, used, {}, { list: true });
    const rank = used[0]!.shape.length;
    if (used.some((x) => x.shape.length !== rank)) r.fail('expected inputs of one rank');
    const shape = used.map((x) => x.shape).reduce<readonly Dim[]>((a, b) => broadcast(a, b), []);
    return { ...used[0]!, from: { layer: layer.name, output: 0 }, shape };
  }
  if (values.length !== 2) return r.fail('expected two inputs');
  const at = values.findIndex((v) => v?.kind === 'tensor');
  const x = values[at];
  const other = values[1 - at];
  if (x?.kind !== 'tensor' || other?.kind !== 'constant') return r.fail('expected tensors and constants');
  const value = other.constant.value.cast('float32');
  const rank = x.order.length;
  const last = x.order[rank - 1] === rank - 1;
  const size = x.shape[rank - 1] ?? null;
  if (opType === 'Add' && last && size !== null) {
    const layer = openDense(r, x, input[at]!);
    const bias = flatVector(value, size);
    if (layer && bias) {
      layer.config['use_bias'] = true;
      layer.group = groupOf(layer.name, { kernel: layer.group.variables[0]!.value, bias });
      return x;
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
    return { ...x, from: { layer: layer.name, output: 0 }, dtype: 'float32' };
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
    const ids = r.input(1);
    if (ids?.kind === 'constant') {
      const { value } = table.constant;
      const picked = [...ids.constant.value.data].map(Number);
      if (value.shape.length !== 1 || picked.length > 64) return r.fail('expected ids that are computed');
      const data = picked.map((i) => Number(value.data.at(i) ?? r.fail('expected an index that is there')));
      return constantOf(tensor(Float64Array.from(data), { shape: [...ids.constant.value.shape] }));
    }
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
  const index = r.constant(1)!.value;
  if (table?.kind === 'stack' && index.size === 1 && table.axes[r.axis(r.int('axis', 0), table.axes.length)] === 'D')
    return settle({
      ...table,
      parts: [partAt(r, table, Number(index.data[0]))],
      axes: index.rank === 0 ? table.axes.replace('D', '') : table.axes,
    });
  return r.fail('expected rows of a constant table, or a direction of a recurrent operator');
};

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
  if (x?.kind === 'constant') {
    const { value } = x.constant;
    const perm = r.ints('perm') ?? value.shape.map((_, i) => value.rank - 1 - i);
    checkOrder(r, perm, value.rank);
    return { kind: 'constant', constant: { ...x.constant, value: value.transpose([...perm]) } };
  }
  const rank = x?.kind === 'stack' ? x.axes.length : r.tensor(0).order.length;
  const perm = r.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  checkOrder(r, perm, rank);
  if (x?.kind === 'stack') return { ...x, axes: perm.map((a) => x.axes[a]).join('') };
  const t = r.tensor(0);
  return { ...t, order: perm.map((a) => t.order[a]!) };
};

function checkOrder(r: NodeReader, perm: readonly number[], rank: number): void {
  if (perm.length !== rank || [...perm].sort((a, b) => a - b).some((a, i) => a !== i))
    r.fail(`expected perm to name each of ${rank} axes`);
}

const squeeze: Raise = (r: NodeReader) => {
  const x = r.input(0);
  const axes = r.integers(1, 'axes');
  if (x?.kind === 'zeros') return x;
  if (!axes) return r.fail('expected axes');
  if (x?.kind === 'stack') {
    const [axis] = axes.map((a) => r.axis(a, x.axes.length));
    if (axes.length !== 1 || x.axes[axis!] !== 'D' || x.parts.length > 1) r.fail('expected the axis of one direction');
    return settle({ ...x, axes: x.axes.replace('D', '') });
  }
  if (x?.kind === 'constant') {
    const { value } = x.constant;
    return {
      kind: 'constant',
      constant: {
        ...x.constant,
        value: value.reshape(value.shape.filter((_, i) => !axes.map((a) => r.axis(a, value.rank)).includes(i))),
      },
    };
  }
  const t = r.keras.plain(r.tensor(0), r.label);
  const dropped = axes.map((a) => r.axis(a, t.shape.length));
  if (dropped.includes(0) || dropped.some((a) => t.shape[a] !== 1))
    r.fail('expected axes of size 1 after that of the batch');
  return reshaped(r, t, t.shape.filter((_, i) => !dropped.includes(i)).slice(1));
};

const unsqueeze: Raise = (r: NodeReader) => {
  const axes = r.integers(1, 'axes') ?? r.fail('expected axes');
  const x = r.input(0);
  if (x?.kind === 'zeros') return x;
  const rank = (x?.kind === 'constant' ? x.constant.value.rank : r.tensor(0).order.length) + axes.length;
  const added = axes.map((a) => r.axis(a, rank)).sort((a, b) => a - b);
  const insert = (shape: readonly Dim[]): Dim[] => {
    const result = [...shape];
    for (const a of added) result.splice(a, 0, 1);
    return result;
  };
  if (x?.kind === 'constant')
    return {
      kind: 'constant',
      constant: { ...x.constant, value: x.constant.value.reshape(insert(x.constant.value.shape) as number[]) },
    };
  const t = r.keras.plain(r.tensor(0), r.label);
  if (added[0] === 0) r.fail('expected axes after that of the batch');
  return reshaped(r, t, insert(t.shape).slice(1));
};

/** The same elements in another shape, without the axis of the batch; one size may be open. */
function reshaped(r: NodeReader, x: RaisedTensor, target: readonly Dim[]): RaisedTensor {
  if (target.filter((d) => d === null).length > 1) r.fail('expected at most one size that is open');
  const layer = r.keras.layer('Reshape', [x], { target_shape: target.map((d) => d ?? -1) });
  return r.keras.output(layer, [x.shape[0]!, ...target], { dtype: x.dtype });
}

/** Both directions behind each other, where the axes of direction and units are joined. */
function joined(r: NodeReader, stack: RaisedStack): Raised {
  if (!stack.axes.endsWith('DU') || stack.parts.length === 0)
    return r.fail(`expected directions beside units, received axes ${stack.axes}`);
  const axes = stack.axes.replace('D', '');
  if (stack.parts.length === 1) return settle({ ...stack, axes });
  const layer = r.keras.layer('Concatenate', stack.parts, { axis: -1 }, { list: true });
  const [part] = stack.parts as [RaisedTensor];
  const shape = [
    ...part.shape.slice(0, -1),
    stack.parts.reduce<Dim>((n, p) => (n === null || p.shape.at(-1) === null ? null : n + p.shape.at(-1)!), 0),
  ];
  return settle({ kind: 'stack', parts: [r.keras.output(layer, shape)], axes });
}

const reshape: Raise = (r: NodeReader) => {
  const x = r.input(0);
  const sizes = r.integers(1, 'shape') ?? r.fail('expected a shape that is a constant');
  if (x?.kind === 'zeros') return x;
  if (x?.kind === 'stack') {
    if (sizes.length !== x.axes.length - 1) r.fail('expected both directions joined');
    return joined(r, x);
  }
  if (x?.kind === 'constant') {
    const { value } = x.constant;
    const open = sizes.indexOf(-1);
    const rest = sizes.filter((d) => d !== -1).reduce((a, b) => a * b, 1);
    const shape = sizes.map((d, i) => (i === open ? value.size / rest : d));
    if (shape.some((d) => !Number.isInteger(d) || d < 0)) r.fail('expected a shape that fits');
    return { kind: 'constant', constant: { ...x.constant, value: value.reshape(shape) } };
  }
  const t = r.keras.plain(r.tensor(0), r.label);
  const total = t.shape.slice(1).reduce<Dim>((a, b) => (a === null || b === null ? null : a * b), 1);
  const [first, ...rest] = sizes.map((d, i) => (d === 0 && r.int('allowzero', 0) === 0 ? (t.shape[i] ?? null) : d));
  if (first === undefined || (first === -1 && rest.includes(-1)))
    return r.fail('expected a shape with the batch first');
  const known = rest.filter((d) => d !== -1 && d !== null).reduce<number>((a, b) => a * b!, 1);
  // The axis of the batch stays what it is: what is behind it has to be the elements of one sample.
  const stays =
    sizes[0] === 0 ||
    (first === -1 && total !== null && !rest.includes(null) && known === total) ||
    (t.shape[0] !== null && first === t.shape[0]);
  if (!stays) return r.fail(`expected a shape that keeps the axis of the batch, received [${sizes.join(', ')}]`);
  return reshaped(
    r,
    t,
    rest.map((d) => (d === -1 ? (total === null || rest.includes(null) ? null : total / known) : d!)),
  );
};

const flatten: Raise = (r: NodeReader) => {
  if (r.int('axis', 1) !== 1) r.fail('expected axis 1');
  const x = r.keras.plain(r.tensor(0), r.label);
  const layer = r.keras.layer('Flatten', [x], {});
  const size = x.shape.slice(1).reduce<Dim>((a, b) => (a === null || b === null ? null : a * b), 1);
  return r.keras.output(layer, [x.shape[0]!, size]);
};

const concat: Raise = (r: NodeReader) => {
  const { input } = r.node;
  const values = input.map((_, i) => r.input(i));
  if (values.some((v) => v?.kind === 'zeros')) return { kind: 'zeros' };
  if (values.every((v) => v?.kind === 'constant')) {
    const data = values.flatMap((v) => [...(v as RaisedConstant).constant.value.data].map(Number));
    if (data.length > 64 || values.some((v) => (v as RaisedConstant).constant.value.rank !== 1))
      r.fail('expected tensors');
    return constantOf(tensor(Float64Array.from(data), { shape: [data.length] }));
  }
  const xs = input.map((_, i) => r.tensor(i));
  const [first] = xs as [RaisedTensor];
  const alike = xs.every((x) => x.order.join() === first.order.join() && x.flipped === first.flipped);
  const used = alike ? xs : xs.map((x) => r.keras.plain(x, r.label));
  const base = used[0]!;
  if (used.some((x) => x.order.length !== base.order.length)) r.fail('expected inputs of one rank');
  const axis = base.order[r.axis(r.int('axis', 0), base.order.length)]!;
  if (axis === 0 || (base.flipped && axis === 1)) r.fail('expected an axis after that of the batch');
  const layer = r.keras.layer('Concatenate', used, { axis }, { list: true });
  const total = used.reduce<Dim>((n, x) => (n === null || x.shape[axis] === null ? null : n + x.shape[axis]!), 0);
  return { ...base, from: { layer: layer.name, output: 0 }, shape: base.shape.map((d, i) => (i === axis ? total : d)) };
};

const slice: Raise = (r: NodeReader) => {
  const x = r.input(0);
  const [starts, ends] = [r.integers(1, 'starts'), r.integers(2, 'ends')];
  const axes = r.integers(3, 'axes');
  const steps = r.integers(4, 'steps') ?? [1];
  if (starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || steps.length !== 1)
    return r.fail('expected a slice of one axis');
  const [start, end, step] = [starts[0]!, ends[0]!, steps[0]!];
  if (x?.kind === 'stack') {
    const axis = r.axis(axes[0]!, x.axes.length);
    if (x.axes[axis] !== 'D' || step !== 1) return r.fail('expected a slice of directions');
    return { ...x, parts: x.parts.slice(start, end) };
  }
  const t = r.tensor(0);
  const axis = t.order[r.axis(axes[0]!, t.order.length)]!;
  const size = t.shape[axis] ?? null;
  if (
    step === -1 &&
    axis === 1 &&
    t.shape.length === 3 &&
    (start === -1 || start === (size ?? -2) - 1) &&
    end < -(2 ** 31) + 1
  )
    return { ...t, flipped: !t.flipped };
  if (step !== 1 || axis !== 1 || t.shape.length !== 3 || t.flipped)
    return r.fail('expected a slice of steps [batch, time, features], or all of them backwards');
  const before =
    start >= 0 ? start : size === null ? r.fail('expected a start counted from the front') : Math.max(0, size + start);
  const after =
    end < 0
      ? -end
      : size !== null
        ? Math.max(0, size - end)
        : end >= 2 ** 31 - 1
          ? 0
          : r.fail('expected an end counted from the back');
  const length = size === null ? null : size - before - after;
  if (length !== null && length < 1) r.fail('expected at least one step');
  const layer = r.keras.layer('Cropping1D', [t], { cropping: [before, after] });
  return { ...t, from: { layer: layer.name, output: 0 }, shape: t.shape.map((d, i) => (i === 1 ? length : d)) };
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
  const gamma = r.weight(1, 1);
  const beta = r.input(2) ? r.weight(2, 1) : null;
  if ([gamma, beta].some((t) => t && t.size !== (x.shape[rank - 1] ?? t.size)))
    r.fail('expected weights that fit the features');
  const layer = r.keras.layer('LayerNormalization', [x], {
    axis: [rank - 1],
    epsilon: r.float('epsilon', 1e-5),
    center: beta !== null,
  });
  layer.group = groupOf(layer.name, beta ? { gamma, beta } : { gamma });
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

/** Zeros of whatever shape. */
const filled: Raise = (r: NodeReader) => {
  const value = r.has('value') ? Number(r.value().value.data[0]) : 0;
  return value === 0 ? { kind: 'zeros' } : r.fail('expected zeros');
};

const expand: Raise = (r: NodeReader) => {
  const x = r.input(0);
  if (x?.kind === 'zeros' || (x?.kind === 'constant' && [...x.constant.value.data].every((v) => Number(v) === 0)))
    return { kind: 'zeros' };
  return r.fail('expected zeros');
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
  Relu: activation('relu'),
  Reshape: reshape,
  Selu: activation('selu'),
  Sigmoid: activation('sigmoid'),
  Slice: slice,
  Softmax: softmax('softmax'),
  Softplus: activation('softplus'),
  Softsign: activation('softsign'),
  Squeeze: squeeze,
  Sub: arithmetic,
  Sum: arithmetic,
  Tanh: activation('tanh'),
  Transpose: transpose,
  Unsqueeze: unsqueeze,
};
