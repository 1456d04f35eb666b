import type { Tensor } from '@recurra/tensor';
import { masked, type Value } from '../graph.js';
import type { LayerCall } from '../layer-call.js';
import type { Lower } from './simple.js';

/** A weight made for axes, so that it broadcasts over all others of an input of some rank. */
function spread(call: LayerCall, index: number, name: string, axes: readonly number[], rank: number): Value {
  return call.weight(index, name, axes.length, (t) => along(t, axes, rank));
}

function along(t: Tensor, axes: readonly number[], rank: number): Tensor {
  // Axes in front of the first one are not needed: what broadcasts is aligned at the end.
  const shape = Array.from({ length: rank }, (_, i) => (axes.includes(i) ? t.shape[axes.indexOf(i)]! : 1));
  return t.reshape(shape.slice(axes[0]!));
}

/** Where gamma and beta stand among the variables. */
function scaleOffset(call: LayerCall): { gamma: number | null; beta: number | null; next: number } {
  const scale = call.flag('scale', true);
  const center = call.flag('center', true);
  return { gamma: scale ? 0 : null, beta: center ? Number(scale) : null, next: Number(scale) + Number(center) };
}

export const batchNormalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const rank = x.shape.length;
  const axes = call.axes('axis', rank);
  if (axes.length !== 1) call.fail('expected one axis');
  const { gamma, beta, next } = scaleOffset(call);
  const mean = spread(call, next, 'moving_mean', axes, rank);
  const variance = spread(call, next + 1, 'moving_variance', axes, rank);
  const deviation = g.unary('Sqrt', g.add(variance, g.number(call.number('epsilon', 1e-3))));
  let y = g.div(g.sub(x, mean), deviation);
  if (gamma !== null) y = g.mul(y, spread(call, gamma, 'gamma', axes, rank));
  if (beta !== null) y = g.add(y, spread(call, beta, 'beta', axes, rank));
  return masked(y, call.x.mask);
};

/** (x - mean) / sqrt(variance + epsilon) over axes. */
function standardize(call: LayerCall, x: Value, axes: readonly number[], epsilon: number): Value {
  const { g } = call;
  const centred = g.sub(x, g.reduce('ReduceMean', x, axes, true));
  const variance = g.reduce('ReduceMean', g.mul(centred, centred), axes, true);
  return g.div(centred, g.unary('Sqrt', g.add(variance, g.number(epsilon))));
}

export const layerNormalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const rank = x.shape.length;
  const axes = call.axes('axis', rank);
  const epsilon = call.number('epsilon', 1e-3);
  const last = axes.length === 1 && axes[0] === rank - 1;
  if (call.flag('rms_scaling', false)) {
    const centred = g.sub(x, g.reduce('ReduceMean', x, axes, true));
    const variance = g.reduce('ReduceMean', g.mul(centred, centred), axes, true);
    const y = g.div(x, g.unary('Sqrt', g.add(variance, g.number(epsilon))));
    return masked(g.mul(y, spread(call, 0, 'gamma', axes, rank)), call.x.mask);
  }
  const { gamma, beta } = scaleOffset(call);
  if (last && gamma !== null) {
    const inputs = [x, call.weight(gamma, 'gamma', 1), beta === null ? null : call.weight(beta, 'beta', 1)];
    const y = g.node('LayerNormalization', inputs, {}, { axis: { int: -1 }, epsilon: { float: epsilon } });
    return masked(y, call.x.mask);
  }
  let y = standardize(call, x, axes, epsilon);
  if (gamma !== null) y = g.mul(y, spread(call, gamma, 'gamma', axes, rank));
  if (beta !== null) y = g.add(y, spread(call, beta, 'beta', axes, rank));
  return masked(y, call.x.mask);
};

export const rmsNormalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const rank = x.shape.length;
  const axes = call.axes('axis', rank);
  const power = g.reduce('ReduceMean', g.mul(x, x), axes, true);
  const y = g.div(x, g.unary('Sqrt', g.add(power, g.number(call.number('epsilon', 1e-6)))));
  // As in Keras, no mask goes on.
  return masked(g.mul(y, spread(call, 0, 'scale', axes, rank)), null);
};

export const unitNormalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const axes = call.axes('axis', x.shape.length);
  const squares = g.sum(g.mul(x, x), axes, true);
  return masked(g.div(x, g.unary('Sqrt', g.node('Max', [squares, g.number(1e-24)]))), call.x.mask);
};

export const groupNormalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const rank = x.shape.length;
  const [axis] = call.axes('axis', rank) as [number];
  if (axis === 0) call.fail('expected channels on an axis after that of the batch');
  const channels = call.known(x, axis);
  const given = call.number('groups');
  const groups = given === -1 ? channels : given;
  if (!(Number.isInteger(groups) && groups > 0 && channels % groups === 0))
    call.fail(`expected groups that divide ${channels} channels, received ${given}`);
  const sizes = x.shape.map((_, i) => g.dim(x, i));
  const grouped = g.reshape(x, [...sizes.slice(0, axis), groups, channels / groups, ...sizes.slice(axis + 1)]);
  const axes = Array.from({ length: rank + 1 }, (_, i) => i).filter((i) => i !== 0 && i !== axis);
  let y = g.reshape(standardize(call, grouped, axes, call.number('epsilon', 1e-3)), sizes);
  const { gamma, beta } = scaleOffset(call);
  if (gamma !== null) y = g.mul(y, spread(call, gamma, 'gamma', [axis], rank));
  if (beta !== null) y = g.add(y, spread(call, beta, 'beta', [axis], rank));
  return masked(y, call.x.mask);
};

/** Keras' `Normalization`: statistics of the data, learned before training or given. */
export const normalization: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  const rank = x.shape.length;
  const axes = (call.get('axis') ?? null) === null ? [] : call.axes('axis', rank);
  const place = (index: number, name: 'mean' | 'variance'): Value => {
    const given = call.get(name) ?? null;
    if (given === null) {
      if (axes.length === 0) return call.weight(index, name, 0);
      return spread(call, index, name, axes, rank);
    }
    const numbers = (Array.isArray(given) ? given.flat(8) : [given]) as unknown[];
    if (!numbers.every((n) => typeof n === 'number')) call.fail(`expected ${name} to be numbers`);
    if (numbers.length === 1) return g.number(numbers[0] as number);
    if (axes.length !== 1) call.fail(`expected ${name} as one number, or as a list for one axis`);
    return g.table(name, [numbers.length, ...Array<number>(rank - 1 - axes[0]!).fill(1)], (data) =>
      data.set(numbers as number[]),
    );
  };
  const [mean, variance] = [place(0, 'mean'), place(1, 'variance')];
  const deviation = g.binary('Max', g.unary('Sqrt', variance), g.number(1e-7));
  const y = call.flag('invert', false) ? g.add(g.mul(x, deviation), mean) : g.div(g.sub(x, mean), deviation);
  return masked(y, null);
};
