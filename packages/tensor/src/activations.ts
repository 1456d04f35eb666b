import { toFloating } from './dtype.js';
import { ValueError } from './errors.js';
import { lookupByName, type SnakeCase } from './names.js';
import { arange } from './ops/creation.js';
import { exp, where } from './ops/elementwise.js';
import { split } from './ops/shape.js';
import { logSoftmax, softmax } from './ops/softmax.js';
import { sort } from './ops/sorting.js';
import { customObject, type Registrable } from './registry.js';
import { anyNumber, checkRules, flag, orNull, type Rules, required } from './rules.js';
import { isSerializedFunction, type SerializedFunction } from './serialized-function.js';
import { asTensor, type Tensor, type TensorLike } from './tensor.js';

/** An activation: a function of one tensor, of the same shape (but for `glu`). */
export type Activation = (x: Tensor) => Tensor;

/** Whole numbers as float32: sums and products of int32 wrap around. */
function asFloating(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.cast(toFloating(t.dtype));
}

/** x */
export function linear(x: TensorLike): Tensor {
  return asTensor(x);
}
/** tanh(x) */
export function tanh(x: TensorLike): Tensor {
  return asTensor(x).tanh();
}
/** 1 / (1 + e^-x) */
export function sigmoid(x: TensorLike): Tensor {
  return asTensor(x).sigmoid();
}
/** e^x */
export function exponential(x: TensorLike): Tensor {
  return exp(x);
}
/** log(1 + e^x) */
export function softplus(x: TensorLike): Tensor {
  return asTensor(x).softplus();
}
/** x / (1 + |x|) */
export function softsign(x: TensorLike): Tensor {
  const t = asFloating(x);
  return t.div(t.abs().add(1));
}
/** log(sigmoid(x)) = -softplus(-x) */
export function logSigmoid(x: TensorLike): Tensor {
  return asFloating(x).neg().softplus().neg();
}

/** Options of {@link relu}. */
export interface ReluOptions {
  /** Slope below the threshold; 0 by default. */
  readonly negativeSlope?: number;
  /** Upper bound; none by default. */
  readonly maxValue?: number | null;
  /** Where it begins to pass; 0 by default. */
  readonly threshold?: number;
}

const RELU = {
  negativeSlope: anyNumber,
  maxValue: orNull(anyNumber),
  threshold: anyNumber,
} satisfies Rules<ReluOptions>;

/** max(x, 0); with options: x above the threshold (at most maxValue), negativeSlope * (x - threshold) below. */
export function relu(x: TensorLike, options: ReluOptions = {}): Tensor {
  checkRules('relu', options, RELU);
  const { negativeSlope = 0, maxValue = null, threshold = 0 } = options;
  const t = asTensor(x);
  let y = threshold === 0 ? t.relu() : t.lessEqual(threshold).select(0, t);
  if (maxValue !== null) y = atMost(threshold < 0 ? y.relu() : y, maxValue);
  if (negativeSlope === 0) return y;
  const below = threshold === 0 ? t.neg().relu() : t.neg().add(threshold).relu();
  return y.sub(below.mul(negativeSlope));
}
/** The smaller one; the gradient is 0 from the bound on. */
function atMost(x: Tensor, bound: number): Tensor {
  return x.greaterEqual(bound).select(bound, x);
}
/** min(max(x, 0), 6); the gradient is 0 at both ends (Keras) */
export function relu6(x: TensorLike): Tensor {
  return atMost(asTensor(x).relu(), 6);
}
const LEAKY_RELU = { negativeSlope: anyNumber };
const ELU = { alpha: anyNumber };
const GELU = { approximate: flag };
const SHRINK = { threshold: anyNumber };
const THRESHOLD = { threshold: required(anyNumber), defaultValue: required(anyNumber) };
const SQUAREPLUS = { b: anyNumber };

/** x where x > 0, negativeSlope * x (0.2 by default) below */
export function leakyRelu(x: TensorLike, options: { negativeSlope?: number } = {}): Tensor {
  checkRules('leakyRelu', options, LEAKY_RELU);
  const t = asTensor(x);
  return t.greater(0).select(t, t.mul(options.negativeSlope ?? 0.2));
}
/** x where x > 0, alpha * (e^x - 1) below (alpha 1 by default) */
export function elu(x: TensorLike, options: { alpha?: number } = {}): Tensor {
  checkRules('elu', options, ELU);
  const t = asTensor(x);
  const positive = t.greater(0);
  // e^x of what is not chosen could be infinite.
  const below = positive.select(0, t).expm1();
  return positive.select(t, below.mul(options.alpha ?? 1));
}
/** scale * elu(x, alpha) with the constants of Klambauer et al. 2017 that keep mean 0 and variance 1 */
export function selu(x: TensorLike): Tensor {
  return elu(x, { alpha: 1.6732632423543772 }).mul(1.0507009873554805);
}
/** x where x > 0, alpha * (e^(x/alpha) - 1) below, alpha 1 by default */
export function celu(x: TensorLike, options: { alpha?: number } = {}): Tensor {
  checkRules('celu', options, ELU);
  const alpha = options.alpha ?? 1;
  const t = asTensor(x);
  const positive = t.greater(0);
  return positive.select(t, positive.select(0, t).div(alpha).expm1().mul(alpha));
}
/** x * sigmoid(x) (also called swish) */
export function silu(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.mul(t.sigmoid());
}
/** x * P(X <= x) = x/2 erfc(-x / sqrt 2) for standard normal X; `approximate` (not the default here) uses tanh */
export function gelu(x: TensorLike, options: { approximate?: boolean } = {}): Tensor {
  checkRules('gelu', options, GELU);
  const t = asFloating(x);
  if (options.approximate) {
    const inner = t.add(t.mul(t).mul(t).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return t.mul(0.5).mul(inner.tanh().add(1));
  }
  return t.gelu();
}
/** x * tanh(softplus(x)) */
export function mish(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.mul(t.softplus().tanh());
}
/** relu6(x + 3) / 6 */
export function hardSigmoid(x: TensorLike): Tensor {
  return relu6(asFloating(x).add(3)).div(6);
}
/** min(max(x / 5 + 1/2, 0), 1): what Keras 2 and TensorFlow.js call hard_sigmoid */
export function keras2HardSigmoid(x: TensorLike): Tensor {
  return asFloating(x).mul(0.2).add(0.5).clip(0, 1);
}
/** x * hardSigmoid(x) (also called hard swish) */
export function hardSilu(x: TensorLike): Tensor {
  const t = asFloating(x);
  return t.mul(hardSigmoid(t));
}
/** min(max(x, -1), 1) */
export function hardTanh(x: TensorLike): Tensor {
  return asTensor(x).clip(-1, 1);
}
/** x where |x| > threshold (0.5 by default), else 0 */
export function hardShrink(x: TensorLike, options: { threshold?: number } = {}): Tensor {
  checkRules('hardShrink', options, SHRINK);
  const t = asTensor(x);
  return t
    .abs()
    .lessEqual(options.threshold ?? 0.5)
    .select(t.zerosLike(), t);
}
/** x moved towards 0 by the threshold (0.5 by default), 0 within it */
export function softShrink(x: TensorLike, options: { threshold?: number } = {}): Tensor {
  checkRules('softShrink', options, SHRINK);
  const threshold = options.threshold ?? 0.5;
  const t = asTensor(x);
  const beyond = t.less(-threshold).select(t.add(threshold), t.sub(threshold));
  return t.abs().lessEqual(threshold).select(beyond.zerosLike(), beyond);
}
/** x - tanh(x) */
export function tanhShrink(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.sub(t.tanh());
}
/** x where x > threshold, else defaultValue */
export function threshold(x: TensorLike, options: { threshold: number; defaultValue: number }): Tensor {
  checkRules('threshold', options, THRESHOLD);
  const t = asTensor(x);
  return t.lessEqual(options.threshold).select(options.defaultValue, t);
}
/** (x + sqrt(x^2 + b)) / 2, b = 4 by default */
export function squareplus(x: TensorLike, options: { b?: number } = {}): Tensor {
  checkRules('squareplus', options, SQUAREPLUS);
  const t = asFloating(x);
  return t
    .add(
      t
        .square()
        .add(options.b ?? 4)
        .sqrt(),
    )
    .div(2);
}
/** 0 below -1, (x + 1)^2 / 4 in between, x above 1 */
export function sparsePlus(x: TensorLike): Tensor {
  const t = asTensor(x);
  return where(t.lessEqual(-1), t.zerosLike(), where(t.less(1), t.add(1).square().mul(0.25), t));
}
/** 0 below -1, (x + 1) / 2 in between, 1 above 1 */
export function sparseSigmoid(x: TensorLike): Tensor {
  const t = asTensor(x);
  return where(t.lessEqual(-1), t.zerosLike(), where(t.greaterEqual(1), t.onesLike(), t.add(1).mul(0.5)));
}
/** The first half times the sigmoid of the second half, along an axis (-1 by default) */
export function glu(x: TensorLike, axis = -1): Tensor {
  const [a, b] = split(x, 2, axis);
  return a!.mul(b!.sigmoid());
}
/**
 * Sparse probabilities max(x - tau, 0) along an axis, after Martins & Astudillo 2016. As in Keras 3, tau sums the running
 * sums over the whole support (the paper takes the last one alone), so that the results do not always add up to 1.
 */
export function sparsemax(x: TensorLike, axis = -1): Tensor {
  const t = asTensor(x).moveaxis(axis, -1);
  const n = t.shape[t.rank - 1]!;
  const sorted = sort(t, -1, { descending: true });
  const sums = sorted.cumsum(-1);
  const support = sorted
    .sub(sums.sub(1).div(arange(1, n + 1, 1, t.dtype)))
    .greater(0)
    .cast(t.dtype);
  const tau = sums
    .mul(support)
    .sum(-1, { keepDims: true })
    .sub(1)
    .div(support.sum(-1, { keepDims: true }));
  return t.sub(tau).relu().moveaxis(-1, axis);
}

/** Names of activations: 'tanh', 'sigmoid', 'relu', ... */
export type ActivationName =
  | 'celu'
  | 'elu'
  | 'exponential'
  | 'gelu'
  | 'glu'
  | 'hardShrink'
  | 'hardSigmoid'
  | 'hardSilu'
  | 'hardSwish'
  | 'hardTanh'
  | 'keras2HardSigmoid'
  | 'leakyRelu'
  | 'linear'
  | 'logSigmoid'
  | 'logSoftmax'
  | 'mish'
  | 'relu'
  | 'relu6'
  | 'selu'
  | 'sigmoid'
  | 'silu'
  | 'softShrink'
  | 'softmax'
  | 'softplus'
  | 'softsign'
  | 'sparsePlus'
  | 'sparseSigmoid'
  | 'sparsemax'
  | 'squareplus'
  | 'swish'
  | 'tanh'
  | 'tanhShrink';

/** The activations that can be named by a string, in camelCase. */
export const activations: Record<ActivationName, (x: TensorLike) => Tensor> = {
  celu,
  elu,
  exponential,
  gelu,
  glu,
  hardShrink,
  hardSigmoid,
  hardSilu,
  hardTanh,
  keras2HardSigmoid,
  leakyRelu,
  linear,
  logSigmoid,
  logSoftmax,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softShrink,
  softmax,
  softplus,
  softsign,
  sparsePlus,
  sparseSigmoid,
  sparsemax,
  squareplus,
  swish: silu,
  hardSwish: hardSilu,
  tanh,
  tanhShrink,
};

/**
 * An activation by name (camelCase or Keras' snake_case), or a function of one's own, as it is or as configurations have it; `null` is linear. Functions of one's
 * own have the name that `registerSerializable` or `customObjects` give them, too.
 */
export type ActivationIdentifier = ActivationName | SnakeCase<ActivationName> | Activation | SerializedFunction | null;

function expectFunction(own: Registrable, name: string): Activation {
  if (typeof own === 'function' && !('fromConfig' in own)) return own as unknown as Activation;
  throw new ValueError(`activation: expected a function under the name "${name}", received a class`);
}

/** The activation that an identifier names. Throws `ValueError` with the known names. */
export function resolveActivation(identifier: ActivationIdentifier | undefined): Activation {
  if (identifier === null || identifier === undefined) return linear;
  if (typeof identifier === 'function') return identifier;
  if (isSerializedFunction(identifier)) {
    const own = customObject(identifier.config) ?? (Object.hasOwn(activations, identifier.config) ? null : undefined);
    if (own === undefined)
      throw new ValueError(
        `activation: expected a function that is known, received the description of "${identifier.config}". Pass it as customObjects: { ${JSON.stringify(identifier.config)}: f }, or make it known with registerSerializable.`,
      );
    return own === null
      ? resolveActivation(identifier.config as ActivationName)
      : expectFunction(own, identifier.config);
  }
  if (typeof identifier === 'string') {
    const own = customObject(identifier);
    if (own !== null) return expectFunction(own, identifier);
  }
  return lookupByName<Activation>(activations, identifier, 'activation', 'or a function');
}
