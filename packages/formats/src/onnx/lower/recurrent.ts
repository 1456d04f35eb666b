/**
 * Recurrent layers as ONNX' own LSTM, GRU and RNN.
 *
 * Masks are kept exactly, whatever they look like: the steps that count are gathered at the front (in their order), the operator walks as many of them
 * as there are (`sequence_lens`), and each step of the output takes that of the last step that counted. That is what Keras computes when it carries
 * state and output over skipped steps.
 */
import { concat, type Tensor, zeros } from '@recurra/tensor';
import type { JsonObject, WeightGroup } from '../../model-file.js';
import { type RecurrentActivation, recurrentActivation } from '../activations.js';
import { type Attribute, masked, type Value, valueOf } from '../graph.js';
import { type Argument, isObject, isValue, LayerCall, type LayerNode } from '../layer-call.js';
import type { Lower } from './simple.js';

/** The kinds of cells that ONNX has. */
type Kind = 'LSTM' | 'GRU' | 'RNN';

const KINDS: Readonly<Record<string, Kind>> = {
  LSTM: 'LSTM',
  GRU: 'GRU',
  SimpleRNN: 'RNN',
  LSTMCell: 'LSTM',
  GRUCell: 'GRU',
  SimpleRNNCell: 'RNN',
};

/** Keras' gates in ONNX' order: i f c o -> i o f c; z r h stays. */
const GATES: Readonly<Record<Kind, readonly number[]>> = { LSTM: [0, 3, 1, 2], GRU: [0, 1, 2], RNN: [0] };
const STATES: Readonly<Record<Kind, number>> = { LSTM: 2, GRU: 1, RNN: 1 };

/** One direction: a cell with its weights. */
interface Direction {
  readonly kind: Kind;
  readonly units: number;
  readonly activations: readonly RecurrentActivation[];
  readonly resetAfter: boolean;
  /** [1, gates units, features], [1, gates units, units], [1, 2 gates units] */
  readonly weights: readonly [kernel: () => Tensor, recurrent: () => Tensor, bias: (() => Tensor) | null];
  readonly path: string;
  readonly backwards: boolean;
  /** [batch, units] each; none for zeros. */
  readonly initial: readonly Value[];
}

/** What a direction gives. */
interface Walked {
  /** [batch, time, units], steps where the input has them, those that are skipped as the one walked before. */
  readonly sequence: Value;
  /** [batch, units]: the output of the step walked last. */
  readonly last: Value;
  readonly states: readonly Value[];
}

/** [n, gates units] -> [1, gates units, n], gates in ONNX' order. */
function gates(kernel: Tensor, kind: Kind, units: number): Tensor {
  return reordered(kernel.transpose([1, 0]), kind, units).expandDims(0);
}

/** Gates along the first axis in ONNX' order. */
function reordered(t: Tensor, kind: Kind, units: number): Tensor {
  const order = GATES[kind];
  return order.length === 1
    ? t
    : concat(
        order.map((k) => t.narrow(0, k * units, units)),
        0,
      );
}

/** Keras' bias as ONNX' two: that of the inputs, then that of the state. */
function biases(bias: Tensor, kind: Kind, units: number): Tensor {
  const two = bias.shape.length === 2;
  const input = reordered(two ? bias.at(0) : bias, kind, units);
  const state = two ? reordered(bias.at(1), kind, units) : zeros(input.shape, bias.dtype);
  return concat([input, state], 0).expandDims(0);
}

/** A cell's configuration and weights as a direction. */
function directionOf(
  call: LayerCall,
  kind: Kind,
  group: WeightGroup | null,
  path: string,
  backwards: boolean,
  initial: readonly Value[],
): Direction {
  const units = call.count('units');
  const activation = recurrentActivation(call.get('activation') ?? null, (m) => call.fail(m));
  const recurrent =
    kind === 'RNN' ? null : recurrentActivation(call.get('recurrent_activation') ?? null, (m) => call.fail(m));
  const bias = call.flag('use_bias', true);
  const resetAfter = kind === 'GRU' && call.flag('reset_after', true);
  const width = units * GATES[kind].length;
  const own = (index: number, name: string, rank: number): Tensor => {
    const t = call.tensor(index, name, rank, group);
    if (t.shape.at(-1) !== width)
      call.fail(`expected a weight ${name} for ${units} units, received shape [${t.shape.join(', ')}]`);
    return t;
  };
  const used = { RNN: [activation], GRU: [recurrent!, activation], LSTM: [recurrent!, activation, activation] };
  return {
    kind,
    units,
    resetAfter,
    path,
    backwards,
    initial,
    activations: used[kind],
    weights: [
      () => gates(own(0, 'kernel', 2), kind, units),
      () => gates(own(1, 'recurrent_kernel', 2), kind, units),
      bias ? () => biases(own(2, 'bias', resetAfter ? 2 : 1), kind, units) : null,
    ],
  };
}

/** Can two directions be one operator? */
const together = ([a, b]: readonly Direction[]): boolean =>
  a !== undefined &&
  b !== undefined &&
  !a.backwards &&
  b.backwards &&
  a.kind === b.kind &&
  a.units === b.units &&
  a.resetAfter === b.resetAfter &&
  a.initial.length === b.initial.length &&
  (a.weights[2] === null) === (b.weights[2] === null);

/** How the steps that count are found again. */
interface Packing {
  /** [batch, time, 1]: the place of the n-th step that counts. */
  readonly order: Value;
  /** int64 [batch, time]: how many steps count, up to this one and with it. */
  readonly upTo: Value;
  readonly counted: Value;
  /** int64 [batch, 1] */
  readonly length: Value;
}

function pack(call: LayerCall, x: Value, mask: Value): Packing {
  const { g } = call;
  if (mask.shape.length !== 2) call.fail('expected a mask of steps [batch, time]');
  const counted = g.cast(mask, 'bool');
  const numbers = g.cast(counted, 'int64');
  const steps = g.range(x, 1);
  // Steps that count come first, in their order: all others lie behind the end.
  const key = g.where(counted, steps, g.add(steps, g.sizeOf(x, 1)));
  const [, order] = g.nodeOf(
    'TopK',
    [key, g.sizeOf(x, 1)],
    [{ shape: counted.shape }, { shape: counted.shape, type: 'int64' }],
    { axis: { int: 1 }, largest: { int: 0 }, sorted: { int: 1 } },
  ) as [Value, Value];
  return {
    order: g.unsqueeze(order, [2]),
    upTo: g.node('CumSum', [numbers, g.number(1, 'int64')]),
    counted,
    length: g.sum(numbers, [1], true),
  };
}

const gatherSteps = (call: LayerCall, x: Value, indices: Value): Value =>
  call.g.node('GatherND', [x, indices], { shape: x.shape }, { batch_dims: { int: 1 } });

/** Walks one or two directions along x [batch, time, features]. */
function walk(call: LayerCall, x: Value, mask: Value | null, directions: readonly Direction[]): Walked[] {
  const { g } = call;
  const packing = mask ? pack(call, x, mask) : null;
  // Time first, as ONNX' operators have it.
  const xs = g.transpose(packing ? gatherSteps(call, x, packing.order) : x, [1, 0, 2]);
  const groups = together(directions) ? [directions] : directions.map((d) => [d]);
  return groups.flatMap((group) => run(call, x, xs, packing, group));
}

function run(
  call: LayerCall,
  x: Value,
  xs: Value,
  packing: Packing | null,
  directions: readonly Direction[],
): Walked[] {
  const { g } = call;
  const { kind, units, resetAfter } = directions[0]!;
  const two = directions.length === 2;
  const join = (parts: readonly (() => Tensor)[]): Tensor =>
    concat(
      parts.map((p) => p()),
      0,
    );
  const name = two ? call.layer.path : directions[0]!.path;
  const constant = (suffix: string, index: 0 | 1 | 2): Value | null => {
    const makers = directions.map((d) => d.weights[index]);
    return makers.some((m) => m === null)
      ? null
      : g.weight(`${name}/${suffix}`, () => join(makers as (() => Tensor)[]));
  };
  const [w, r, b] = [constant('W', 0), constant('R', 1), constant('B', 2)];
  if ((x.shape[2] ?? w!.shape[2]) !== w!.shape[2])
    call.fail(`expected inputs of ${w!.shape[2]} features, received ${x.shape[2]}`);
  // An operator that walks no step may give anything: it walks one, and what it gives is not taken.
  const lengths = packing
    ? g.cast(g.squeeze(g.binary('Max', packing.length, g.number(1, 'int64')), [1]), 'int32')
    : null;
  const states = STATES[kind];
  const start = Array.from({ length: states }, (_, k) =>
    directions.some((d) => d.initial.length === 0)
      ? null
      : g.concat(
          directions.map((d) => g.unsqueeze(g.cast(d.initial[k]!, 'float32'), [0])),
          0,
        ),
  );
  const all = directions.flatMap((d) => d.activations);
  const attributes: Record<string, Attribute> = {
    hidden_size: { int: units },
    direction: { text: two ? 'bidirectional' : directions[0]!.backwards ? 'reverse' : 'forward' },
    activations: { texts: all.map((a) => a.name) },
    ...numbersOf(all),
    ...(kind === 'GRU' ? { linear_before_reset: { int: resetAfter ? 1 : 0 } } : {}),
  };
  const [batch, time] = [x.shape[0]!, x.shape[1]!];
  const outputs = g.nodeOf(
    kind,
    [xs, w, r, b, lengths, ...start],
    [
      { shape: [time, directions.length, batch, units] },
      ...Array.from({ length: states }, () => ({ shape: [directions.length, batch, units] })),
    ],
    attributes,
  );
  return directions.map((direction, k) => {
    const of = (v: Value, axis: number): Value => g.squeeze(two ? g.slice(v, axis, k, k + 1) : v, [axis]);
    const walked = g.transpose(of(outputs[0]!, 1), [1, 0, 2]);
    const finals = outputs.slice(1).map((v) => of(v, 0));
    if (!packing) return { sequence: walked, last: finals[0]!, states: finals };
    const some = g.greater(packing.length, g.number(0, 'int64'));
    const zero = g.number(0);
    const kept = finals.map((v, i) => g.where(some, v, direction.initial[i] ?? zero));
    return {
      sequence: unpack(call, walked, packing, direction.backwards),
      last: g.where(some, finals[0]!, zero),
      states: kept,
    };
  });
}

/** Outputs at the steps of the input: a step that is skipped has the output before it, in the order of the walk, and zeros where there is none. */
function unpack(call: LayerCall, walked: Value, packing: Packing, backwards: boolean): Value {
  const { g } = call;
  const { upTo, counted, length } = packing;
  const one = g.number(1, 'int64');
  const place = backwards ? g.sub(upTo, g.cast(counted, 'int64')) : g.sub(upTo, one);
  const found = backwards ? g.less(place, length) : g.greater(upTo, g.number(0, 'int64'));
  const safe = g.where(found, place, g.number(0, 'int64'));
  return g.where(g.unsqueeze(found, [2]), gatherSteps(call, walked, g.unsqueeze(safe, [2])), g.number(0));
}

/** Numbers of activations: ONNX takes them from the list one by one, so that each that needs one needs all before it to have theirs. */
function numbersOf(all: readonly RecurrentActivation[]): Record<string, Attribute> {
  if (all.every((a) => a.alpha === null)) return {};
  const alpha = all.flatMap((a) => (a.alpha === null ? [] : [a.alpha]));
  const beta = all.flatMap((a) => (a.beta === null ? [] : [a.beta]));
  return {
    activation_alpha: { floats: alpha },
    ...(beta.length > 0 ? { activation_beta: { floats: beta } } : {}),
  };
}

/** The states that a call begins with: from `initial_state`, or what stands behind the sequence among the inputs. */
function initialOf(call: LayerCall): readonly Value[] {
  const given = call.kwargs['initial_state'] ?? null;
  if (given !== null) {
    const list: readonly Argument[] = Array.isArray(given) ? given : [given];
    if (!list.every(isValue)) call.fail('expected initial states that are tensors of the graph');
    return list as readonly Value[];
  }
  return Array.isArray(call.inputs) ? (call.inputs.slice(1) as readonly Argument[]).filter(isValue) : [];
}

function sequenceOf(call: LayerCall): Value {
  const given = Array.isArray(call.inputs) ? call.inputs[0] : call.inputs;
  if (!isValue(given)) call.fail('expected a sequence [batch, time, features]');
  call.rank(given, 3, '[batch, time, features]');
  return given;
}

/** The mask by which steps are skipped, and that which the output has. */
interface Masks {
  readonly used: Value | null;
  readonly kept: Value | null;
}

/** What the call is given counts, else what came with the input: but as in Keras, a call with more tensors than its sequence is not told of that. */
function masksOf(call: LayerCall, x: Value, initial: readonly Value[]): Masks {
  const given = call.kwargs['mask'];
  if (given === undefined || given === null) return { used: initial.length > 0 ? null : x.mask, kept: x.mask };
  if (!isValue(given)) call.fail('expected a mask that is a tensor of the graph');
  return { used: given, kept: given };
}

/** Settings of a recurrent layer, beside its cell. */
function settingsOf(call: LayerCall): { sequences: boolean; states: boolean; backwards: boolean; zero: boolean } {
  return {
    sequences: call.flag('return_sequences', false),
    states: call.flag('return_state', false),
    backwards: call.flag('go_backwards', false),
    zero: call.flag('zero_output_for_mask', false),
  };
}

/** Sequence or last output as Keras gives it: skipped steps zero where asked, steps in the order of the walk. */
function outputOf(
  call: LayerCall,
  walked: Walked,
  mask: Value | null,
  { sequences, backwards, zero }: { sequences: boolean; backwards: boolean; zero: boolean },
): Value {
  const { g } = call;
  if (!sequences) {
    if (!zero || !mask) return walked.last;
    // The step walked last, if it counts.
    const end = backwards ? g.slice(mask, 1, 0, 1) : g.slice(mask, 1, -1, null);
    return g.where(end, walked.last, g.number(0));
  }
  const y = zero && mask ? g.where(g.unsqueeze(mask, [2]), walked.sequence, g.number(0)) : walked.sequence;
  return backwards ? g.flip(y, 1) : y;
}

/** The initial states of a stateful layer: inputs of the graph, whose next values are outputs. */
function statefulInputs(call: LayerCall, x: Value, kind: Kind, units: number): Value[] {
  const { g } = call;
  return ['h', 'c'].slice(0, STATES[kind]).map((state): Value => {
    const value = valueOf(g.fresh(`${call.layer.path}/state_${state}`), [x.shape[0]!, units], 'float32');
    g.stateInputs.push(value);
    return value;
  });
}

function keepStates(call: LayerCall, inputs: readonly Value[], states: readonly Value[]): void {
  inputs.forEach((input, i) => {
    call.g.stateOutputs.push([states[i]!, `${input.name}/next`]);
  });
}

/** LSTM, GRU and SimpleRNN. */
export const recurrent: Lower = (call: LayerCall) => {
  const kind = KINDS[call.layer.className]!;
  const given = sequenceOf(call);
  const x = call.g.cast(given, 'float32');
  const settings = settingsOf(call);
  const stateful = call.flag('stateful', false);
  let initial = initialOf(call);
  const { used: mask, kept: outer } = masksOf(call, given, initial);
  const kept = stateful && initial.length === 0 ? statefulInputs(call, x, kind, call.count('units')) : [];
  if (kept.length > 0) initial = kept;
  if (initial.length > 0 && initial.length !== STATES[kind])
    call.fail(`expected ${STATES[kind]} initial state(s), received ${initial.length}`);
  const direction = directionOf(call, kind, call.child('cell'), call.layer.path, settings.backwards, initial);
  const [walked] = walk(call, x, mask, [direction]) as [Walked];
  keepStates(call, kept, walked.states);
  const y = masked(outputOf(call, walked, mask, settings), settings.sequences ? outer : null);
  return settings.states ? [y, ...walked.states] : y;
};

/** `RNN` of one of Keras' cells, or of several, one upon the other. */
export const rnn: Lower = (call: LayerCall) => {
  const given = sequenceOf(call);
  const settings = settingsOf(call);
  if (call.flag('stateful', false)) call.fail('expected stateful: false; use LSTM, GRU or SimpleRNN');
  if (call.kwargs['constants'] ?? null) call.fail('expected no constants');
  const { className, config } = call.object('cell');
  const stacked = className === 'StackedRNNCells';
  const cells = stacked ? config['cells'] : [call.get('cell')!];
  if (!Array.isArray(cells) || cells.length === 0) call.fail('expected cells');
  const groups = stacked ? [...(call.child('cell', 'cells')?.children.values() ?? [])] : [call.child('cell')];
  let initial = [...initialOf(call)];
  const { used: mask, kept: outer } = masksOf(call, given, initial);
  let x = call.g.cast(given, 'float32');
  let y = x;
  const finals: Value[] = [];
  for (const [i, cell] of (cells as readonly unknown[]).entries()) {
    const cellClass = isObject(cell) ? cell['class_name'] : undefined;
    const kind = typeof cellClass === 'string' && Object.hasOwn(KINDS, cellClass) ? KINDS[cellClass] : undefined;
    if (!isObject(cell) || !kind || !isObject(cell['config']))
      return call.fail(`expected cells SimpleRNNCell, LSTMCell and GRUCell, received ${String(cellClass)}`);
    const layer: LayerNode = {
      ...call.layer,
      className: cellClass as string,
      config: cell['config'] as JsonObject,
      group: groups[i] ?? null,
      path: stacked ? `${call.layer.path}/cell_${i}` : call.layer.path,
    };
    const own = new LayerCall(call.g, layer, x, {}, () => call.fail('expected no layer in a cell'));
    const start = initial.length > 0 ? initial.slice(0, STATES[kind]) : [];
    initial = initial.slice(start.length);
    const direction = directionOf(own, kind, layer.group, layer.path, settings.backwards, start);
    const [walked] = walk(own, x, mask, [direction]) as [Walked];
    finals.push(...walked.states);
    x = walked.sequence;
    y = i === cells.length - 1 ? outputOf(call, walked, mask, settings) : x;
  }
  const output = masked(y, settings.sequences ? outer : null);
  return settings.states ? [output, ...finals] : output;
};

/** Two layers, one forwards and one backwards. */
export const bidirectional: Lower = (call: LayerCall) => {
  const { g } = call;
  const given = sequenceOf(call);
  const x = g.cast(given, 'float32');
  const initial = initialOf(call);
  const { used: mask, kept: outer } = masksOf(call, given, initial);
  const merge =
    call.get('merge_mode') === null ? null : call.text('merge_mode', ['concat', 'sum', 'mul', 'ave'], 'concat');
  const parts = (['layer', 'backward_layer'] as const).map((key) => {
    const { className, config } = call.object(key);
    const kind = Object.hasOwn(KINDS, className) && !className.endsWith('Cell') ? KINDS[className] : undefined;
    if (!kind) return call.fail(`expected layers LSTM, GRU and SimpleRNN, received ${className}`);
    const group = call.child(key === 'layer' ? 'forward_layer' : key);
    const layer: LayerNode = {
      className,
      name: typeof config['name'] === 'string' ? config['name'] : key,
      config,
      group,
      path: `${call.layer.path}/${key === 'layer' ? 'forward' : 'backward'}`,
    };
    return { kind, own: new LayerCall(g, layer, x, {}, () => call.fail('expected no layer within')) };
  });
  const settings = parts.map(({ own }) => ({ ...settingsOf(own), stateful: own.flag('stateful', false) }));
  const [a, b] = settings as [(typeof settings)[0], (typeof settings)[0]];
  if (a.backwards === b.backwards || a.sequences !== b.sequences || a.states !== b.states || a.stateful !== b.stateful)
    call.fail('expected layers that walk in opposite directions and agree in what they return');
  const kept = parts.map(({ own, kind }) =>
    a.stateful && initial.length === 0 ? statefulInputs(own, x, kind, own.count('units')) : [],
  );
  let next = 0;
  const directions = parts.map(({ kind, own }, i) => {
    const start = kept[i]!.length > 0 ? kept[i]! : initial.slice(next, next + STATES[kind]);
    next += initial.length > 0 ? STATES[kind] : 0;
    return directionOf(own, kind, own.child('cell'), own.layer.path, settings[i]!.backwards, start);
  });
  if (initial.length !== next) call.fail(`expected ${next} initial states, received ${initial.length}`);
  const walked = walk(call, x, mask, directions);
  walked.forEach((w, i) => {
    keepStates(call, kept[i]!, w.states);
  });
  // Sequences have zeros where steps are skipped, and stay in the order that the first layer walks.
  const outputs = walked.map((w, i) => outputOf(call, w, mask, { ...settings[i]!, zero: settings[i]!.sequences })) as [
    Value,
    Value,
  ];
  const [y] = outputs;
  const z = a.sequences ? g.flip(outputs[1], 1) : outputs[1];
  const own = a.sequences ? outer : null;
  const merged = (): Value[] => {
    switch (merge) {
      case 'concat':
        return [g.concat([y, z], y.shape.length - 1)];
      case 'sum':
        return [g.add(y, z)];
      case 'ave':
        return [g.div(g.add(y, z), g.number(2))];
      case 'mul':
        return [g.mul(y, z)];
      default:
        return [y, z];
    }
  };
  const states = a.states ? walked.flatMap((w) => w.states) : [];
  const all = [...merged().map((v) => masked(v, own)), ...states];
  return all.length === 1 ? all[0]! : all;
};
