import { vjp } from '@recurra/autograd';
import * as t from '@recurra/tensor';
import { Tensor } from '@recurra/tensor';
import { camelCase, isFloating } from '@recurra/tensor/extend';
import { type Comparison, eagerly, MIN_NORMAL, TOLERANCES, type Tolerance } from './compare.js';
import { camelKeys, type GoldenCase, type GoldenTensor, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: arguments as the golden files write them
type Config = Record<string, any>;
type Op = (inputs: Tensor[], config: Config) => Tensor | Tensor[];

const unary =
  (f: (x: Tensor) => Tensor): Op =>
  ([x]) =>
    f(x!);
const binary =
  (f: (a: Tensor, b: Tensor) => Tensor): Op =>
  ([a, b]) =>
    f(a!, b!);
const reduction =
  (f: (x: Tensor, axis: t.Axes, options: { keepDims?: boolean; initial?: number }) => Tensor): Op =>
  ([x], c) =>
    f(x!, c['axis'], {
      keepDims: c['keepdims'] ?? false,
      ...(c['initial'] === undefined ? {} : { initial: c['initial'] }),
    });
const scan =
  (f: (x: Tensor, axis: number | null) => Tensor): Op =>
  ([x], c) =>
    f(x!, c['axis']);
const snake = (name: string): string => name.replace(/[A-Z]/g, (l) => `_${l.toLowerCase()}`);

/** Keras' names of operations, and how to say them here. */
const OPS: Record<string, Op> = {
  ...Object.fromEntries(
    (
      [
        'exp',
        'expm1',
        'abs',
        'sign',
        'floor',
        'ceil',
        'trunc',
        'sin',
        'cos',
        'tan',
        'sinh',
        'cosh',
        'tanh',
        'sigmoid',
        'relu',
        'erf',
        'square',
        'softplus',
        'exp2',
        'silu',
        'gelu',
        'elu',
        'selu',
        'leakyRelu',
        'softsign',
        'logSigmoid',
        'hardSigmoid',
        'cbrt',
        'log',
        'log1p',
        'log2',
        'log10',
        'sqrt',
        'rsqrt',
        'reciprocal',
        'erfinv',
        'logicalNot',
      ] as const
    ).map((name) => [snake(name), unary((x) => t[name](x))]),
  ),
  gelu: unary((x) => t.gelu(x, { approximate: true })), // the default of keras.ops.gelu
  negative: unary(t.neg),
  arcsin: unary(t.asin),
  arccos: unary(t.acos),
  arctan: unary(t.atan),
  arcsinh: unary(t.asinh),
  arccosh: unary(t.acosh),
  arctanh: unary(t.atanh),
  isnan: unary(t.isnan),
  isinf: unary(t.isinf),
  isfinite: unary(t.isfinite),
  round: ([x], c) => t.round(x!, c['decimals'] ?? 0),
  nan_to_num: ([x], c) => t.nanToNum(x!, { nan: c['nan'], posinf: c['posinf'], neginf: c['neginf'] }),
  add: binary(t.add),
  subtract: binary(t.sub),
  multiply: binary(t.mul),
  divide: binary(t.div),
  maximum: binary(t.maximum),
  minimum: binary(t.minimum),
  power: binary(t.pow),
  mod: binary(t.mod),
  floor_divide: binary(t.floorDivide),
  arctan2: binary(t.atan2),
  logaddexp: binary(t.logaddexp),
  divide_no_nan: binary(t.divideNoNan),
  equal: binary(t.equal),
  not_equal: binary(t.notEqual),
  less: binary(t.less),
  less_equal: binary(t.lessEqual),
  greater: binary(t.greater),
  greater_equal: binary(t.greaterEqual),
  logical_and: binary(t.logicalAnd),
  logical_or: binary(t.logicalOr),
  logical_xor: binary(t.logicalXor),
  sum: reduction(t.sum),
  mean: reduction(t.mean),
  max: reduction(t.max),
  min: reduction(t.min),
  prod: reduction(t.prod),
  var: reduction(t.variance),
  std: reduction(t.std),
  logsumexp: reduction(t.logsumexp),
  any: reduction(t.any),
  all: reduction(t.all),
  count_nonzero: reduction(t.countNonzero),
  argmax: ([x], c) => t.argmax(x!, c['axis'], { keepDims: c['keepdims'] ?? false }),
  argmin: ([x], c) => t.argmin(x!, c['axis'], { keepDims: c['keepdims'] ?? false }),
  cumsum: scan(t.cumsum),
  cumprod: scan(t.cumprod),
  norm: ([x], c) => t.norm(x!, c['axis'], { ord: c['ord'] === 'inf' ? Infinity : (c['ord'] ?? 2) }),
  median: ([x], c) => t.median(x!, c['axis']),
  matmul: binary(t.matmul),
  dot: binary(t.dot),
  outer: binary(t.outer),
  tensordot: ([a, b], c) => t.tensordot(a!, b!, c['axes']),
  einsum: (inputs, c) => t.einsum(c['subscripts'], ...inputs),
  transpose: ([x], c) => t.transpose(x!, c['axes']),
  swapaxes: ([x], c) => t.swapaxes(x!, c['axis1'], c['axis2']),
  moveaxis: ([x], c) => t.moveaxis(x!, c['source'], c['destination']),
  reshape: ([x], c) => t.reshape(x!, c['newshape']),
  concatenate: (inputs, c) => t.concat(inputs, c['axis']),
  stack: (inputs, c) => t.stack(inputs, c['axis']),
  unstack: ([x], c) => t.unstack(x!, c['axis']),
  split: ([x], c) => t.split(x!, c['indices_or_sections'], c['axis']),
  strided_slice: ([x], c) =>
    t.stridedSlice(
      x!,
      c['slices'].map((s: Config) =>
        'index' in s ? s['index'] : s['newaxis'] ? 'newaxis' : s['ellipsis'] ? '...' : s,
      ),
    ),
  take: ([x, i], c) => t.take(x!, i!, c['axis']),
  take_along_axis: ([x, i], c) => t.takeAlongAxis(x!, i!, c['axis']),
  where: ([condition, a, b]) => t.where(condition!, a!, b!),
  one_hot: ([x], c) => t.oneHot(x!, c['num_classes'], c['axis']),
  pad: ([x], c) => t.pad(x!, c['pad_width'], { mode: c['mode'], value: c['constant_values'] ?? 0 }),
  clip: ([x], c) => t.clip(x!, c['x_min'], c['x_max']),
  tile: ([x], c) => t.tile(x!, c['repeats']),
  repeat: ([x], c) => t.repeat(x!, c['repeats'], c['axis']),
  flip: ([x], c) => t.flip(x!, c['axis']),
  roll: ([x], c) => t.roll(x!, c['shift'], c['axis']),
  expand_dims: ([x], c) => t.expandDims(x!, c['axis']),
  squeeze: ([x], c) => t.squeeze(x!, c['axis']),
  broadcast_to: ([x], c) => t.broadcastTo(x!, c['shape']),
  tril: ([x], c) => t.tril(x!, c['k']),
  triu: ([x], c) => t.triu(x!, c['k']),
  diagonal: ([x], c) => t.diagonal(x!, c['offset']),
  arange: (_, c) => t.arange(c['start'], c['stop'], c['step']),
  linspace: (_, c) => t.linspace(c['start'], c['stop'], c['num'], { endpoint: c['endpoint'] ?? true }),
  // keras.ops.eye on TensorFlow pads the matrix by the diagonal's offset, which NumPy's (and ours) does not.
  eye: (_, c) => t.eye(c['N'] + Math.abs(c['k']), c['M'] + Math.abs(c['k']), c['k']),
  cast: ([x], c) => t.cast(x!, c['dtype']),
  sort: ([x], c) => t.sort(x!, c['axis']),
  argsort: ([x], c) => t.argsort(x!, c['axis']),
  top_k: ([x], c) => {
    const { values, indices } = t.topK(x!, c['k']);
    return [values, indices];
  },
  in_top_k: ([targets, predictions], c) => t.inTopK(targets!, predictions!, c['k']),
  unique: unary(t.unique),
  searchsorted: ([sorted, x], c) => t.searchsorted(sorted!, x!, { side: c['side'] }),
  digitize: binary(t.digitize),
  bincount: ([x], c) => t.bincount(x!, { minLength: c['minlength'] }),
  segment_sum: ([data, ids], c) => t.segmentSum(data!, ids!, c['num_segments']),
  segment_max: ([data, ids], c) => t.segmentMax(data!, ids!, c['num_segments']),
  scatter: ([indices, values], c) => t.scatter(indices!, values!, c['shape']),
  scatter_update: ([x, indices, updates]) => t.scatterUpdate(x!, indices!, updates!),
  softmax: ([x], c) => t.softmax(x!, c['axis']),
  log_softmax: ([x], c) => t.logSoftmax(x!, c['axis']),
  categorical_crossentropy: ([target, output], c) =>
    t.categoricalCrossentropy(target!, output!, { fromLogits: c['from_logits'] }),
  sparse_categorical_crossentropy: ([target, output], c) =>
    t.sparseCategoricalCrossentropy(target!, output!, { fromLogits: c['from_logits'] }),
  binary_crossentropy: ([target, output], c) =>
    t.binaryCrossentropy(target!, output!, { fromLogits: c['from_logits'] }),
  conv1d: ([x, kernel], c) =>
    t.conv1d(x!, kernel!, {
      strides: c['strides'],
      padding: c['padding'],
      dilationRate: c['dilation_rate'],
      groups: c['groups'],
    }),
  depthwise_conv1d: ([x, kernel], c) =>
    t.depthwiseConv1d(x!, kernel!, { strides: c['strides'], padding: c['padding'] }),
  conv1d_transpose: ([x, kernel], c) =>
    t.conv1dTranspose(x!, kernel!, { strides: c['strides'], padding: c['padding'] }),
  max_pool: ([x], c) => t.maxPool1d(x!, c['pool_size'], { strides: c['strides'], padding: c['padding'] }),
  average_pool: ([x], c) => t.averagePool1d(x!, c['pool_size'], { strides: c['strides'], padding: c['padding'] }),
};

/** Operations that sum: their float32 reference carries a rounding per term. */
const SUMMING =
  /^(sum|mean|prod|var|std|logsumexp|cumsum|cumprod|norm|matmul|dot|outer|tensordot|einsum|softmax|log_softmax|.*crossentropy|.*conv1d.*|average_pool|segment_sum|logaddexp|scatter)$/;

/** Gradients of sum(outputs * cotangent) with respect to the floating ones among `inputs`. */
function goldenGradients(
  f: (inputs: Tensor[]) => Tensor | Tensor[],
  inputs: Tensor[],
  cotangents: Record<string, GoldenTensor | number>,
): { outputs: Tensor[]; gradients: Tensor[] } {
  const floating = inputs.filter((x) => isFloating(x.dtype));
  const { value, pullback } = vjp((leaves: Tensor[]) => {
    const rest = [...leaves];
    return f(inputs.map((x) => (isFloating(x.dtype) ? rest.shift()! : x)));
  }, floating);
  const outputs = value instanceof Tensor ? [value] : value;
  const seeds = outputs.map((output, i) => {
    const given = cotangents[outputs.length === 1 ? 'out' : `out${i}`];
    return given === undefined ? output.zerosLike() : toTensor(given);
  });
  const [gradients] = pullback(value instanceof Tensor ? (seeds[0]! as typeof value) : (seeds as typeof value));
  return { outputs, gradients };
}

/** Replays one case through a function: outputs, and gradients for the inputs where the case has them. */
async function replayFunction(
  c: GoldenCase,
  f: (inputs: Tensor[]) => Tensor | Tensor[],
  tolerance: Tolerance,
  comparison: Comparison,
): Promise<void> {
  const names = Object.keys(c['inputs']);
  const inputs = names.map((n) => toTensor(c['inputs'][n]));
  const golden = Object.entries<GoldenTensor>(c['outputs']);
  let outputs: Tensor[];
  if (c['gradients']) {
    const result = await comparison.run((xs: Tensor[]) => goldenGradients(f, xs, c['gradients'].cotangent), inputs);
    outputs = result.outputs;
    const floating = names.filter((n) => isFloating(toTensor(c['inputs'][n]).dtype));
    floating.forEach((name, i) => {
      if (c['gradients'].inputs[name] !== undefined)
        comparison.tensor(`gradient of ${name}`, result.gradients[i], c['gradients'].inputs[name], tolerance);
    });
  } else {
    const result = await comparison.run(f, inputs);
    outputs = result instanceof Tensor ? [result] : result;
  }
  for (const [i, [name, expected]] of golden.entries()) comparison.tensor(name, outputs[i], expected, tolerance);
}

/** The case with subnormal inputs and outputs flushed to zero: TensorFlow flushes them, some operations only half. */
function withoutSubnormals(c: GoldenCase): GoldenCase {
  const flush = (tensors: Record<string, GoldenTensor>): Record<string, GoldenTensor> =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, dtype, data }]) => [
        name,
        { shape, dtype, data: data.map((v) => (typeof v === 'number' && v !== 0 && Math.abs(v) < MIN_NORMAL ? 0 : v)) },
      ]),
    );
  return { ...c, inputs: flush(c['inputs']), outputs: flush(c['outputs']) };
}

/** Their shapes depend on data: a compiled step refuses them. */
const DATA_DEPENDENT = /^(unique|bincount)$/;

/** Replays one case of the area `ops`; false where the operation does not exist here. */
export async function replayOp(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const name = c['config'].op as string;
  const op = OPS[name];
  if (!op) return false;
  if (DATA_DEPENDENT.test(name) && comparison.run !== eagerly) {
    const refused = comparison.run(
      (xs: Tensor[]) => op(xs, c['config']),
      Object.values<GoldenTensor>(c['inputs']).map(toTensor),
    );
    const reason = await refused.then(
      () => null,
      (error: unknown) => error,
    );
    comparison.check('a TraceError', reason instanceof t.TraceError);
    return true;
  }
  const relative = /extreme|^tan|^power/.test(c.name);
  const tolerance = SUMMING.test(name)
    ? TOLERANCES.reduction
    : relative
      ? { rtol: 1e-5, atol: 1e-6 }
      : TOLERANCES.elementwise;
  await replayFunction(
    c.name.endsWith('_extreme') ? withoutSubnormals(c) : c,
    (inputs) => op(inputs, c['config']),
    tolerance,
    comparison,
  );
  return true;
}

/** Replays one case of the area `activations`. */
export async function replayActivation(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const { activation, ...config } = c['config'] as Config;
  const name = camelCase(activation as string);
  const options = camelKeys(config);
  // The axis is an argument of its own, everything else one object of options.
  const rest = 'axis' in options ? [options['axis']] : Object.keys(options).length > 0 ? [options] : [];
  const f = name === 'threshold' ? t.threshold : t.activations[name as t.ActivationName];
  if (!f) return false;
  const tolerance = /softmax|sparsemax/.test(activation) ? TOLERANCES.reduction : TOLERANCES.elementwise;
  await replayFunction(
    c,
    ([x]) => (f as (x: Tensor, ...rest: unknown[]) => Tensor)(x!, ...rest),
    tolerance,
    comparison,
  );
  return true;
}
