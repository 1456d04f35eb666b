import { leakyRelu } from '../activations.js';
import type { Size, Value } from '../graph.js';
import { masked } from '../graph.js';
import { isValue, type LayerCall } from '../layer-call.js';

/** How a layer becomes nodes: what it gives, with masks. */
export type Lower = (call: LayerCall) => Value | readonly Value[];

/** Layers that give what they get, once training is over. */
export const identity: Lower = (call: LayerCall) => {
  const x = call.x;
  return { ...call.g.unary('Identity', x), mask: x.mask };
};

/** An elementwise layer: the mask passes through. */
const elementwise =
  (f: (call: LayerCall, x: Value) => Value): Lower =>
  (call) =>
    masked(f(call, call.floating), call.x.mask);

export const dense: Lower = (call: LayerCall) => {
  const x = call.floating;
  const units = call.count('units');
  const kernel = call.weight(0, 'kernel', 2);
  if (call.get('lora_rank') ?? null) call.fail('expected no lora_rank');
  if (x.shape.length < 2) call.fail('expected inputs [batch, ..., features]');
  if (kernel.shape[1] !== units || (x.shape.at(-1) ?? kernel.shape[0]) !== kernel.shape[0])
    call.fail(`expected a kernel [features, ${units}] that fits the inputs, received [${kernel.shape.join(', ')}]`);
  let y = call.g.matmul(x, kernel);
  if (call.flag('use_bias', true)) y = call.g.add(y, call.weight(1, 'bias', 1));
  return masked(call.activation(y), call.x.mask);
};

const EQUATION = /^\s*(\.\.\.)?[a-zA-Z]{1,16}\s*,\s*[a-zA-Z]{1,16}\s*->\s*(\.\.\.)?[a-zA-Z]{1,16}\s*$/;

/** The equation's letters, where it is one that a product of matrices computes. */
export const einsumDense: Lower = (call: LayerCall) => {
  const x = call.floating;
  const equation = call.get('equation');
  if (typeof equation !== 'string') call.fail('expected an equation');
  const rank = /,([^-]*)->/.exec(equation)?.[1]?.trim().length ?? 0;
  const kernel = call.weight(0, 'kernel', rank);
  if (!EQUATION.test(equation)) call.fail(`expected an equation like ab,bc->ac, received ${JSON.stringify(equation)}`);
  const term = equation.split('->')[1]!.trim().replace('...', '');
  const lead = x.shape.length - (equation.split(',')[0]!.replace('...', '').trim().length ?? 0);
  const all = [...(equation.includes('...') ? x.shape.slice(0, lead) : []), ...sizesFor(equation, x, kernel, term)];
  let y = call.g.node('Einsum', [x, kernel], { shape: all }, { equation: { text: equation.replaceAll(' ', '') } });
  const biasAxes = call.get('bias_axes') ?? null;
  if (biasAxes !== null) {
    const bias = call.weight(1, 'bias', call.layer.group?.variables[1]?.value.shape.length ?? 0);
    y = call.g.add(y, bias);
  }
  return masked(call.activation(y), call.x.mask);
};

/** The sizes of the letters of the output. */
function sizesFor(equation: string, x: Value, kernel: Value, term: string): (number | null)[] {
  const [left, right] = equation
    .split('->')[0]!
    .split(',')
    .map((t) => t.trim()) as [string, string];
  const sizes = new Map<string, number | null>();
  for (const [i, letter] of [...right].entries()) sizes.set(letter, kernel.shape[i] ?? null);
  const letters = left.replace('...', '');
  const offset = left.startsWith('...') ? x.shape.length - letters.length : 0;
  [...letters].forEach((letter, i) => {
    if (!sizes.get(letter)) sizes.set(letter, x.shape[i + offset] ?? null);
  });
  return [...term].map((letter) => sizes.get(letter) ?? null);
}

export const embedding: Lower = (call: LayerCall) => {
  const { g, x } = call;
  const table = call.weight(0, 'embeddings', 2);
  const ids = x.type === 'int32' || x.type === 'int64' ? x : g.cast(x, 'int32');
  const y = g.node('Gather', [table, ids], { shape: [...x.shape, table.shape[1]!] }, { axis: { int: 0 } });
  const mask = call.flag('mask_zero', false) ? g.notEqual(ids, g.number(0, ids.type)) : null;
  return masked(y, mask);
};

export const masking: Lower = (call: LayerCall) => {
  const { g, floating: x } = call;
  const valid = g.any(g.notEqual(x, g.number(call.number('mask_value', 0))), [x.shape.length - 1]);
  const y = g.mul(x, g.cast(g.unsqueeze(valid, [valid.shape.length]), 'float32'));
  return masked(y, valid);
};

export const sequenceMask: Lower = (call: LayerCall) => {
  const { g } = call;
  const [x, lengths] = call.list;
  if (!x || !lengths || call.list.length !== 2 || x.shape.length < 2) call.fail('expected sequences and their lengths');
  const steps = g.unsqueeze(g.range(x, 1), [0]);
  const flat = g.reshape(g.cast(lengths, 'int64'), [g.dim(x, 0), 1]);
  return masked(g.less(steps, flat), null);
};

export const activationLayer: Lower = elementwise((call, x) => call.activation(x));

export const relu: Lower = elementwise((call, x) =>
  leakyRelu(call.g, x, {
    slope: call.number('negative_slope', 0),
    threshold: call.number('threshold', 0),
    maximum: (call.get('max_value') ?? null) === null ? null : call.number('max_value'),
  }),
);

export const leakyReluLayer: Lower = elementwise((call, x) =>
  call.g.unary('LeakyRelu', x, { alpha: { float: call.number('negative_slope', 0.3) } }),
);

export const elu: Lower = elementwise((call, x) =>
  call.g.unary('Elu', x, { alpha: { float: call.number('alpha', 1) } }),
);

export const prelu: Lower = elementwise((call, x) =>
  call.g.node('PRelu', [x, call.weight(0, 'alpha', x.shape.length - 1)]),
);

export const softmax: Lower = (call: LayerCall) => {
  const { g } = call;
  const { x } = call;
  const input = call.floating;
  const rank = x.shape.length;
  const axes = call.axes('axis', rank);
  if (axes.length > 1) call.fail('expected one axis');
  const extra = call.kwargs['mask'];
  if (extra !== undefined && extra !== null && !isValue(extra))
    call.fail('expected a mask that is a tensor of the graph');
  const mask = isValue(extra) ? extra : x.mask;
  if (!mask) return masked(g.softmax(input, axes[0]!), x.mask);
  const valid = g.cast(mask, 'bool');
  const lowest = g.where(valid, input, g.number(-1e9));
  return masked(g.where(valid, g.softmax(lowest, axes[0]!), g.number(0)), x.mask);
};

export const flatten: Lower = (call: LayerCall) => {
  const { g, x } = call;
  const rank = x.shape.length;
  if (rank === 1) return masked(g.unsqueeze(x, [1]), null);
  const first = call.get('data_format') === 'channels_first' && rank > 2;
  const order = Array.from({ length: rank }, (_, i) => i);
  const moved = first ? g.transpose(x, [0, ...order.slice(2), 1]) : x;
  const sizes = x.shape.slice(1);
  const known = sizes.every((s) => s !== null) ? sizes.reduce<number>((a, b) => a * b!, 1) : null;
  if (known !== null) return masked(g.reshape(moved, [g.dim(x, 0), known]), null);
  const y = g.node('Reshape', [moved, g.ints([0, -1])], { shape: [x.shape[0]!, null] });
  return masked(y, null);
};

export const reshape: Lower = (call: LayerCall) => {
  const { g, x } = call;
  const target = [...call.ints('target_shape')];
  const total = x.shape.slice(1).reduce<number | null>((a, b) => (a === null || b === null ? null : a * b), 1);
  const rest = target.filter((d) => d !== -1).reduce((a, b) => a * b, 1);
  const shape = target.map((d) => (d !== -1 ? d : total === null ? null : total / rest));
  if (shape.includes(null)) {
    // The size of the batch is copied: what is left is found.
    const y = g.node('Reshape', [x, g.ints([0, ...target])], { shape: [x.shape[0]!, ...shape] });
    return masked(y, null);
  }
  return masked(g.reshape(x, [g.dim(x, 0), ...(shape as number[])]), null);
};

export const permute: Lower = (call: LayerCall) => {
  const dims = call.ints('dims');
  const rank = call.x.shape.length;
  if ([...dims].sort((a, b) => a - b).some((d, i) => d !== i + 1) || dims.length !== rank - 1)
    call.fail(`expected dims that name each of the axes 1..${rank - 1}, received ${dims.join(', ')}`);
  return masked(call.g.transpose(call.x, [0, ...dims]), null);
};

export const repeatVector: Lower = (call: LayerCall) => {
  const { g, x } = call;
  call.rank(x, 2, '[batch, features]');
  const n = call.count('n');
  return masked(g.expand(g.unsqueeze(x, [1]), [g.dim(x, 0), n, g.dim(x, 1)]), null);
};

export const zeroPadding: Lower = (call: LayerCall) => {
  const { x } = call;
  call.rank(x, 3, '[batch, time, channels]');
  const given = call.ints('padding');
  const [before, after] = (given.length === 1 ? [given[0]!, given[0]!] : given) as [number, number];
  const time = call.get('data_format') === 'channels_first' ? 2 : 1;
  return masked(padTime(call, x, time, before, after, 0), null);
};

/** Steps of one value before and after. */
export function padTime(call: LayerCall, x: Value, axis: number, before: number, after: number, value: number): Value {
  const { g } = call;
  if (before === 0 && after === 0) return x;
  const starts = x.shape.map((_, i) => (i === axis ? before : 0));
  const ends = x.shape.map((_, i) => (i === axis ? after : 0));
  return g.node('Pad', [x, g.ints([...starts, ...ends]), g.number(value, x.type)], {
    shape: x.shape.map((d, i) => (i === axis && d !== null ? d + before + after : d)),
  });
}

export const cropping: Lower = (call: LayerCall) => {
  const { g, x } = call;
  call.rank(x, 3, '[batch, time, channels]');
  const given = call.ints('cropping');
  const [before, after] = (given.length === 1 ? [given[0]!, given[0]!] : given) as [number, number];
  return masked(g.slice(x, 1, before, after === 0 ? null : -after), null);
};

export const upSampling: Lower = (call: LayerCall) => {
  const { g, x } = call;
  call.rank(x, 3, '[batch, time, channels]');
  const size = call.count('size');
  const [batch, time, channels] = [g.dim(x, 0), x.shape[1] ?? null, g.dim(x, 2)];
  const wide = g.expand(g.unsqueeze(x, [2]), [batch, g.dim(x, 1), size, channels]);
  const steps: Size = time === null ? g.node('Mul', [g.sizeOf(x, 1), g.ints([size])]) : time * size;
  return masked(g.reshape(wide, [batch, steps, channels]), null);
};

export const rescaling: Lower = (call: LayerCall) => {
  const { g } = call;
  const like = (key: string, fallback: number): Value => {
    const value = call.get(key) ?? fallback;
    if (!Array.isArray(value)) return g.number(call.number(key, fallback));
    if (!value.every((n) => typeof n === 'number')) call.fail(`expected ${key} to be numbers`);
    return g.table(key, [value.length], (data) => data.set(value as number[]));
  };
  const x = call.floating;
  return masked(g.add(g.mul(x, like('scale', 1)), like('offset', 0)), call.x.mask);
};
