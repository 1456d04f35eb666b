import type { Json } from '../model-file.js';
import type { Attribute, GraphBuilder, Value } from './graph.js';

type Apply = (g: GraphBuilder, x: Value, options: Options) => Value;
type Options = (key: string, fallback: number) => number;

const op =
  (name: string, attributes: Readonly<Record<string, Attribute>> = {}): Apply =>
  (g, x) =>
    g.unary(name, x, attributes);

const f = (g: GraphBuilder, n: number): Value => g.number(n);
const max = (g: GraphBuilder, x: Value, n: number): Value => g.node('Max', [x, f(g, n)]);
const min = (g: GraphBuilder, x: Value, n: number): Value => g.node('Min', [x, f(g, n)]);
const sigmoid = (g: GraphBuilder, x: Value): Value => g.unary('Sigmoid', x);
const hardSigmoid = (g: GraphBuilder, x: Value, slope = 1 / 6): Value =>
  g.unary('HardSigmoid', x, { alpha: { float: slope }, beta: { float: 0.5 } });
const relu6 = (g: GraphBuilder, x: Value): Value => min(g, max(g, x, 0), 6);

/** The numbers of Keras' `relu`. */
export interface ReluNumbers {
  readonly slope?: number;
  readonly threshold?: number;
  readonly maximum?: number | null;
}

/** x above the threshold (at most `maximum`), a slope below: Keras' `relu` with all it takes. */
export function leakyRelu(
  g: GraphBuilder,
  x: Value,
  { slope = 0, threshold = 0, maximum = null }: ReluNumbers = {},
): Value {
  let y = threshold === 0 ? g.unary('Relu', x) : g.where(g.greater(x, f(g, threshold)), x, f(g, 0));
  if (maximum !== null) y = min(g, y, maximum);
  if (slope === 0) return y;
  const below = g.unary('Relu', g.sub(f(g, threshold), x));
  return g.sub(y, g.mul(below, f(g, slope)));
}

/** Activations by Keras' names, as operators of ONNX. */
const ACTIVATIONS: Readonly<Record<string, Apply>> = {
  linear: (_g, x) => x,
  relu: (g, x, option) => leakyRelu(g, x, { slope: option('negative_slope', 0), threshold: option('threshold', 0) }),
  relu6: (g, x) => relu6(g, x),
  leaky_relu: (g, x, option) => g.unary('LeakyRelu', x, { alpha: { float: option('negative_slope', 0.2) } }),
  elu: (g, x, option) => g.unary('Elu', x, { alpha: { float: option('alpha', 1) } }),
  celu: (g, x, option) => g.unary('Celu', x, { alpha: { float: option('alpha', 1) } }),
  selu: op('Selu', { alpha: { float: 1.6732632423543772 }, gamma: { float: 1.0507009873554805 } }),
  tanh: op('Tanh'),
  sigmoid: op('Sigmoid'),
  exponential: op('Exp'),
  softplus: op('Softplus'),
  softsign: op('Softsign'),
  softmax: op('Softmax', { axis: { int: -1 } }),
  log_softmax: op('LogSoftmax', { axis: { int: -1 } }),
  log_sigmoid: (g, x) => g.unary('Neg', g.unary('Softplus', g.unary('Neg', x))),
  silu: (g, x) => g.mul(x, sigmoid(g, x)),
  gelu: (g, x) => g.mul(g.mul(x, f(g, 0.5)), g.add(g.unary('Erf', g.mul(x, f(g, Math.SQRT1_2))), f(g, 1))),
  mish: (g, x) => g.mul(x, g.unary('Tanh', g.unary('Softplus', x))),
  hard_sigmoid: (g, x) => hardSigmoid(g, x),
  keras2_hard_sigmoid: (g, x) => hardSigmoid(g, x, 0.2),
  hard_silu: (g, x) => g.mul(x, hardSigmoid(g, x)),
  hard_tanh: (g, x) => min(g, max(g, x, -1), 1),
  hard_shrink: (g, x) => g.where(g.greater(g.unary('Abs', x), f(g, 0.5)), x, f(g, 0)),
  soft_shrink: op('Shrink', { lambd: { float: 0.5 }, bias: { float: 0.5 } }),
  tanh_shrink: (g, x) => g.sub(x, g.unary('Tanh', x)),
  squareplus: (g, x) => g.div(g.add(x, g.unary('Sqrt', g.add(g.mul(x, x), f(g, 4)))), f(g, 2)),
  sparse_plus: (g, x) => {
    const lifted = g.add(x, f(g, 1));
    const inside = g.mul(g.mul(lifted, lifted), f(g, 0.25));
    return g.where(g.greater(x, f(g, -1)), g.where(g.less(x, f(g, 1)), inside, x), f(g, 0));
  },
  sparse_sigmoid: (g, x) => min(g, max(g, g.mul(g.add(x, f(g, 1)), f(g, 0.5)), 0), 1),
};

/** Other names of the same. */
const ALIASES: Readonly<Record<string, string>> = {
  swish: 'silu',
  hard_swish: 'hard_silu',
};

/** Name and options of an activation in a configuration: a name, or `{ class_name, config }`. */
function named(given: Json): { readonly name: string | null; readonly options: Readonly<Record<string, Json>> } {
  if (given === null) return { name: 'linear', options: {} };
  if (typeof given === 'string') return { name: ALIASES[given] ?? given, options: {} };
  const config = (given as { readonly config?: Json }).config ?? {};
  const className = (given as { readonly class_name?: Json }).class_name;
  // A function is written as { class_name: 'function', config: its name }.
  if (typeof config === 'string') return { name: ALIASES[config] ?? config, options: {} };
  return {
    name: typeof className === 'string' ? className.toLowerCase() : null,
    options: config as Readonly<Record<string, Json>>,
  };
}

/** Applies the activation that a configuration names. */
export function applyActivation(g: GraphBuilder, x: Value, given: Json, fail: (message: string) => never): Value {
  const { name, options } = named(given);
  const apply = name !== null && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (!apply)
    fail(
      `expected an activation among ${Object.keys(ACTIVATIONS).join(', ')}, received ${JSON.stringify(given)}, which has no operators in ONNX`,
    );
  return apply(g, x, (key, fallback) => {
    const value = options[key];
    return typeof value === 'number' ? value : fallback;
  });
}

/** An activation inside of ONNX' LSTM, GRU and RNN, with its numbers. */
export interface RecurrentActivation {
  readonly name: string;
  readonly alpha: number | null;
  readonly beta: number | null;
}

/** What those operators know, by Keras' names. */
const RECURRENT: Readonly<Record<string, RecurrentActivation>> = {
  linear: { name: 'Affine', alpha: 1, beta: 0 },
  relu: { name: 'Relu', alpha: null, beta: null },
  tanh: { name: 'Tanh', alpha: null, beta: null },
  sigmoid: { name: 'Sigmoid', alpha: null, beta: null },
  hard_sigmoid: { name: 'HardSigmoid', alpha: 1 / 6, beta: 0.5 },
  keras2_hard_sigmoid: { name: 'HardSigmoid', alpha: 0.2, beta: 0.5 },
  leaky_relu: { name: 'LeakyRelu', alpha: 0.2, beta: null },
  elu: { name: 'Elu', alpha: 1, beta: null },
  softsign: { name: 'Softsign', alpha: null, beta: null },
  softplus: { name: 'Softplus', alpha: null, beta: null },
};

/** Keras' activations that an activation of recurrent operators can be, with their numbers. */
export const recurrentNames = (onnx: string): readonly (readonly [keras: string, numbers: RecurrentActivation])[] =>
  Object.entries(RECURRENT).filter(([, own]) => own.name.toLowerCase() === onnx.toLowerCase());

/** The activation of a recurrent operator that a configuration names. */
export function recurrentActivation(given: Json, fail: (message: string) => never): RecurrentActivation {
  const { name } = named(given);
  const found = name !== null && Object.hasOwn(RECURRENT, name) ? RECURRENT[name] : undefined;
  if (!found)
    fail(
      `expected an activation that ONNX' recurrent operators have (${Object.keys(RECURRENT).join(', ')}), received ${JSON.stringify(given)}`,
    );
  return found;
}
