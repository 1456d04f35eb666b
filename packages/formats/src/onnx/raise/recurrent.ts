import { concat, type Tensor } from '@recurra/tensor';
import type { Json, WeightGroup } from '../../model-file.js';
import { recurrentNames } from '../activations.js';
import { groupOf } from './builder.js';
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
  if (r.input(4))
    r.fail(
      'expected sequences of one length, received sequence_lens, for which Keras has masks. Read a file that was written here, or export without lengths.',
    );
  if (!isZero(r.input(7))) r.fail('expected no peepholes');
  if (r.has('clip') || r.int('input_forget', 0) !== 0) r.fail('expected neither clip nor input_forget');
  const layout = r.int('layout', 0);
  const x = r.tensor(0);
  const expected = layout === 1 ? '0,1,2' : '1,0,2';
  if (x.order.join() !== expected || x.flipped)
    r.fail(
      `expected a sequence whose axes are ${layout === 1 ? '[batch, time, features]' : '[time, batch, features], transposed from [batch, time, features]'}`,
    );
  const initial = [5, 6].slice(0, kind === 'LSTM' ? 2 : 1).map((i) => r.input(i));
  if (initial.some((s) => !isZero(s))) r.fail('expected initial states of zeros');
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
  const stacked = (parts: readonly RaisedTensor[], axes: string): Raised => ({ kind: 'stack', parts, axes });
  const [sequenceAxes, stateAxes] = layout === 1 ? ['BTDU', 'BDU'] : ['TDBU', 'DBU'];
  const sequenceShape = [batch, time, units];
  const stateShape = [batch, units];
  if (directions === 1) {
    const backwards = direction === 'reverse';
    const layer = keras.layer(CLASSES[kind], [input], configOf(0, backwards));
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
  const layer = keras.layer('Bidirectional', [input], { merge_mode: null, layer: inner(0), backward_layer: inner(1) });
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
