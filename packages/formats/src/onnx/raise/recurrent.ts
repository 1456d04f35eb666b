import { concat, type Tensor, zeros } from '@recurra/tensor';
import type { Json, WeightGroup } from '../../model-file.js';
import { recurrentNames } from '../activations.js';
import { BatchElsewhere, groupOf } from './builder.js';
import type { NodeReader } from './node-reader.js';
import type { Raised, RaisedTensor } from './values.js';

type Kind = 'LSTM' | 'GRU' | 'RNN';
const CLASSES: Readonly<Record<Kind, string>> = { LSTM: 'LSTM', GRU: 'GRU', RNN: 'SimpleRNN' };
/** ONNX' gates in Keras' order: i o f c -> i f c o; z r h stays. */
const GATES: Readonly<Record<Kind, readonly number[]>> = { LSTM: [0, 2, 3, 1], GRU: [0, 1, 2], RNN: [0] };
const DEFAULTS: Readonly<Record<Kind, readonly string[]>> = {
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  RNN: ['Tanh'],
};
/** What activations take where they are given no numbers. */
const ALPHAS: Readonly<Record<string, number>> = { hardsigmoid: 0.2, leakyrelu: 0.01, elu: 1, affine: 1 };
const BETAS: Readonly<Record<string, number>> = { hardsigmoid: 0.5, affine: 0 };
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

/** Keras' names of the activations of one direction. */
function activations(r: NodeReader, kind: Kind, directions: number): string[][] {
  const given = r.texts('activations');
  const per = DEFAULTS[kind].length;
  const names = given.length > 0 ? given : Array.from({ length: directions }, () => DEFAULTS[kind]).flat();
  if (names.length !== per * directions) r.fail(`expected ${per * directions} activations, received ${names.length}`);
  const [alphas, betas] = [[...r.floats('activation_alpha')], [...r.floats('activation_beta')]];
  const keras = names.map((name) => {
    const key = name.toLowerCase();
    const known = recurrentNames(key);
    if (known.length === 0) return r.fail(`expected activations that Keras has, received ${name}`);
    const a = Object.hasOwn(ALPHAS, key) ? (alphas.shift() ?? ALPHAS[key]!) : null;
    const b = Object.hasOwn(BETAS, key) ? (betas.shift() ?? BETAS[key]!) : null;
    const same = (own: number | null, other: number | null): boolean =>
      own === null || other === null || near(own, other);
    const found = known.find(([, { alpha, beta }]) => same(alpha, a) && same(beta, b));
    if (found) return found[0];
    const numbers = known.map(([, { alpha, beta }]) => `(${alpha}, ${beta})`).join(' or ');
    return r.fail(`expected ${name} with the numbers that Keras has ${numbers}, received ${a}, ${b}`);
  });
  return Array.from({ length: directions }, (_, d) => keras.slice(d * per, (d + 1) * per));
}

/** Gates along the first axis in Keras' order. */
const reordered = (t: Tensor, kind: Kind, units: number): Tensor =>
  concat(
    GATES[kind].map((k) => t.narrow(0, k * units, units)),
    0,
  );

/** Is it left out, or nothing but zeros? */
const isZero = (x: Raised | null): boolean =>
  x === null ||
  x.kind === 'zeros' ||
  (x.kind === 'constant' && [...x.constant.value.data].every((v) => Number(v) === 0));

/** Throws `BatchElsewhere` where the batch of a tensor is not the axis that the operator takes for it. */
function expectBatch(r: NodeReader, x: RaisedTensor, axis: number): void {
  const at = x.order.indexOf(0);
  if (at === axis) return;
  throw new BatchElsewhere(
    `ONNX: ${r.label}: expected the batch on axis ${axis}, received it on axis ${at}`,
    r.keras.inputsOf(x),
    axis,
  );
}

/** The mask that `sequence_lens` stand for; `null` where they are the length of the sequence, or left out. */
function maskOf(r: NodeReader, x: RaisedTensor): RaisedTensor | null {
  const lengths = r.input(4);
  if (lengths === null) return null;
  const { keras } = r;
  const steps = keras.sizeOf(x, 1);
  if (lengths.kind === 'sizes' && lengths.list.every((size) => keras.sizes.equal(size, steps))) return null;
  const value =
    lengths.kind === 'constant' ? lengths.constant.value : lengths.kind === 'repeated' ? lengths.value : null;
  if (value && [...value.data].every((n) => keras.sizes.number(steps) === Number(n))) return null;
  if (lengths.kind !== 'tensor' || lengths.order.length !== 1)
    return r.fail(
      'expected sequence_lens that are the length of the sequence, or an input (or computed of one) [batch]: constant lengths of single samples are none of a model',
    );
  const layer = keras.layer('SequenceMask', [x, lengths], {}, { list: true });
  return keras.output(layer, [x.shape[0]!, x.shape[1]!], { dtype: 'bool' });
}

interface Place {
  /** The sequence [batch, time, features]. */
  readonly x: RaisedTensor;
  readonly layout: number;
  readonly directions: number;
  readonly units: number;
}

/** The states that a call begins with, direction by direction; `null` where they are zeros. */
function initialStates(r: NodeReader, given: readonly (Raised | null)[], place: Place): RaisedTensor[] | null {
  if (given.every(isZero)) return null;
  const states = given.map((state) => statesOf(r, state, place));
  return Array.from({ length: place.directions }, (_, d) => states.map((list) => list[d]!)).flat();
}

/** A state of each direction. */
function statesOf(r: NodeReader, state: Raised | null, { x, layout, directions, units }: Place): RaisedTensor[] {
  const { keras } = r;
  const each = Array.from({ length: directions }, (_, d) => d);
  const [batchAxis, directionAxis] = layout === 1 ? [0, 1] : [1, 0];
  if (isZero(state)) return each.map(() => constantState(r, x, zeros([units])));
  if (state?.kind === 'constant' || state?.kind === 'repeated') {
    const value = state.kind === 'constant' ? state.constant.value : r.broadcastRank(state);
    const [d, b] = [value.shape[directionAxis!], value.shape[batchAxis!]];
    if (value.rank !== 3 || (d !== directions && d !== 1) || (value.shape[2] !== units && value.shape[2] !== 1))
      return r.fail(
        `expected initial states [${layout === 1 ? 'batch, directions' : 'directions, batch'}, ${units}], received [${value.shape.join(', ')}]`,
      );
    return each.map((k) => {
      const rows = value
        .narrow(directionAxis!, d === 1 ? 0 : k, 1)
        .reshape([b!, value.shape[2]!])
        .broadcastTo([b!, units]);
      const first = rows.at(0);
      if (Number(rows.sub(first).abs().max().item()) !== 0)
        return r.fail('expected initial states that are the same for all samples, or an input');
      return constantState(r, x, first);
    });
  }
  const natural = layout === 1 ? 'BDU' : 'DBU';
  if (state?.kind === 'stack' && state.axes === natural && state.parts.length === directions)
    return state.parts.map((part) => part);
  const view = state?.kind === 'view' ? state : null;
  if (view && view.axes.length === 3 && directions === 1 && view.axes[directionAxis!]!.length === 0) {
    const own = r.settled({ ...view, axes: view.axes.filter((_, i) => i !== directionAxis) });
    if (own.order.join() === '0,1') return [own];
  }
  const t = r.settled(state, 5);
  if (t.order.length !== 3) r.fail(`expected initial states of rank 3, received rank ${t.order.length}`);
  expectBatch(r, t, batchAxis!);
  if (t.order[2] !== 2 || t.shape[1] !== directions || t.shape[2] !== units)
    r.fail(
      `expected initial states of ${directions} directions and ${units} units, received [${t.shape.map((d) => d ?? 'open').join(', ')}]`,
    );
  return each.map((d) => {
    const one =
      directions === 1
        ? t
        : keras.output(keras.layer('Cropping1D', [t], { cropping: [d, directions - 1 - d] }), [t.shape[0]!, 1, units]);
    return keras.output(keras.layer('Reshape', [one], { target_shape: [units] }), [t.shape[0]!, units]);
  });
}

/** A state that is the same for all samples: the bias of a Dense whose kernel is zeros. */
function constantState(r: NodeReader, x: RaisedTensor, value: Tensor): RaisedTensor {
  const { keras } = r;
  const features = x.shape[2] ?? r.fail('expected a known number of features');
  const pooled = keras.output(keras.layer('GlobalAveragePooling1D', [x], {}), [x.shape[0]!, features]);
  const units = value.shape[0]!;
  const layer = keras.layer('Dense', [pooled], { units, activation: 'linear', use_bias: true, trainable: false });
  layer.group = groupOf(layer.name, { kernel: zeros([features, units]), bias: value.cast('float32') });
  return keras.output(layer, [x.shape[0]!, units]);
}

/** LSTM, GRU and RNN as Keras' layers. */
export function recurrent(r: NodeReader): Raised[] {
  const kind = r.node.opType as Kind;
  const { keras } = r;
  const direction = r.text('direction', 'forward');
  if (!['forward', 'reverse', 'bidirectional'].includes(direction))
    r.fail(`expected a direction, received ${direction}`);
  const directions = direction === 'bidirectional' ? 2 : 1;
  const gates = GATES[kind].length;
  const [w, recurrentKernel] = [r.weight(1, 3), r.weight(2, 3)];
  const units = recurrentKernel.shape[2]!;
  const features = w.shape[2]!;
  if (
    units < 1 ||
    w.shape[0] !== directions ||
    w.shape[1] !== gates * units ||
    recurrentKernel.shape[0] !== directions ||
    recurrentKernel.shape[1] !== gates * units
  )
    r.fail(
      `expected weights [${directions}, ${gates * units}, ...], received [${w.shape.join(', ')}] and [${recurrentKernel.shape.join(', ')}]`,
    );
  const bias = r.input(3) ? r.weight(3, 2) : null;
  if (bias && (bias.shape[0] !== directions || bias.shape[1] !== 2 * gates * units))
    r.fail('expected a bias that fits the weights');
  if (!isZero(r.input(7))) r.fail('expected no peepholes');
  if (r.has('clip') || r.int('input_forget', 0) !== 0) r.fail('expected neither clip nor input_forget');
  const layout = r.int('layout', 0);
  const x = r.tensor(0);
  const axes = layout === 1 ? [0, 1, 2] : [1, 0, 2];
  if (x.order.length !== 3) r.fail(`expected a sequence of rank 3, received rank ${x.order.length}`);
  expectBatch(r, x, axes.indexOf(0));
  if (x.order.join() !== axes.join() || x.flipped)
    r.fail(`expected a sequence [${layout === 1 ? 'batch, time' : 'time, batch'}, features], its steps in order`);
  const initial = [5, 6].slice(0, kind === 'LSTM' ? 2 : 1).map((i) => r.input(i));
  const mask = maskOf(r, x);
  const resetAfter = kind === 'GRU' && r.int('linear_before_reset', 0) !== 0;
  const names = activations(r, kind, directions);
  const [usesY, usesH, usesC] = [r.isUsed(0), r.isUsed(1), r.isUsed(2)];
  const returnState = usesC || (usesY && usesH);
  const configOf = (d: number, backwards: boolean): Record<string, Json> => {
    const own = names[d]!;
    if (kind === 'LSTM' && own[1] !== own[2]) r.fail('expected one activation for cell and output, as Keras has it');
    return {
      units,
      activation: own.at(-1)!,
      ...(kind === 'RNN' ? {} : { recurrent_activation: own[0]! }),
      use_bias: bias !== null,
      ...(kind === 'GRU' ? { reset_after: resetAfter } : {}),
      return_sequences: usesY,
      ...(mask && usesY ? { zero_output_for_mask: true } : {}),
      return_state: returnState,
      go_backwards: backwards,
    };
  };
  const cellOf = (d: number): WeightGroup => {
    const variables: Record<string, Tensor> = {
      kernel: reordered(w.at(d), kind, units).transpose([1, 0]),
      recurrent_kernel: reordered(recurrentKernel.at(d), kind, units).transpose([1, 0]),
    };
    if (bias) {
      const own = bias.at(d);
      const [input, state] = [0, 1].map((k) =>
        reordered(own.narrow(0, k * gates * units, gates * units), kind, units),
      ) as [Tensor, Tensor];
      variables['bias'] = resetAfter ? concat([input.expandDims(0), state.expandDims(0)], 0) : input.add(state);
    }
    return groupOf('cell', variables);
  };
  if ((x.shape[2] ?? features) !== features) r.fail(`expected ${features} features, received ${x.shape[2]}`);
  const [batch, time] = [x.shape[0]!, x.shape[1]!];
  const input: RaisedTensor = { ...x, order: [0, 1, 2] };
  const states = kind === 'LSTM' ? 2 : 1;
  const begins = initialStates(r, initial, { x: input, layout, directions, units });
  const kwargs = { ...(mask ? { mask } : {}), ...(begins ? { initial_state: begins } : {}) };
  const stacked = (parts: readonly RaisedTensor[], axes: string): Raised => ({ kind: 'stack', parts, axes });
  const [sequenceAxes, stateAxes] = layout === 1 ? ['BTDU', 'BDU'] : ['TDBU', 'DBU'];
  const sequenceShape = [batch, time, units];
  const stateShape = [batch, units];
  if (directions === 1) {
    const backwards = direction === 'reverse';
    const layer = keras.layer(CLASSES[kind], [input], configOf(0, backwards), { kwargs });
    layer.group = groupOf(layer.name, {}, { cell: cellOf(0) });
    const state = (k: number): RaisedTensor => keras.output(layer, stateShape, { output: returnState ? 1 + k : 0 });
    const y = keras.output(layer, usesY ? sequenceShape : stateShape, { flipped: backwards && usesY });
    const sequence = usesY ? [stacked([y], sequenceAxes)] : [stacked([], sequenceAxes)];
    return [...sequence, ...Array.from({ length: states }, (_, k) => stacked([state(k)], stateAxes))];
  }
  const inner = (d: number): { readonly [key: string]: Json } => ({
    module: 'keras.layers',
    class_name: CLASSES[kind],
    config: { name: `${d === 0 ? 'forward' : 'backward'}_${CLASSES[kind].toLowerCase()}`, ...configOf(d, d === 1) },
    registered_name: null,
  });
  const layer = keras.layer(
    'Bidirectional',
    [input],
    { merge_mode: null, layer: inner(0), backward_layer: inner(1) },
    { kwargs },
  );
  const group = (d: number): WeightGroup => groupOf(null, {}, { cell: cellOf(d) });
  layer.group = groupOf(layer.name, {}, { forward_layer: group(0), backward_layer: group(1) });
  const shape = usesY ? sequenceShape : stateShape;
  const ys = [0, 1].map((d) => keras.output(layer, shape, { output: d }));
  const state = (d: number, k: number): RaisedTensor =>
    returnState ? keras.output(layer, stateShape, { output: 2 + d * states + k }) : ys[d]!;
  return [
    stacked(usesY ? ys : [], sequenceAxes),
    ...Array.from({ length: states }, (_, k) => stacked([state(0, k), state(1, k)], stateAxes)),
  ];
}
