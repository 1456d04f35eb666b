import { type DType, type FloatDType, isFloating } from './dtype.js';
import { DTypeError, ValueError } from './errors.js';
import { nextAfter, rounded, roundedDown, roundedUp } from './internal/neighbours.js';
import { denseData, ndarray } from './ndarray.js';
import { argsort } from './ops/sorting.js';
import { type RandomKind, random } from './primitives/random.js';
import {
  anyNumber,
  callable,
  checkRules,
  checkValue,
  countOrZero,
  dtype,
  instanceOf,
  isNumber,
  notNegative,
  orNull,
  type Rules,
} from './rules.js';
import { checkShape, type Shape } from './shape.js';
import { asTensor, bind, expectFloating, Tensor, type TensorLike } from './tensor.js';

/**
 * Random numbers come from Philox 4x32-10, a counter-based generator: a key names a stream, and the same key always gives
 * the same numbers, on every machine. Functions take a `key`; without one they draw the next key of a seeded global.
 */
export interface RandomOptions {
  /** A key from {@link randomKey}; by default the next one of the global generator (see {@link setSeed}). */
  readonly key?: Tensor;
  /** float32 by default. */
  readonly dtype?: DType;
}

const KEY = instanceOf(Tensor, 'a key as randomKey() makes');
const KEY_OR_NULL = orNull(KEY);
const KEYED = { key: KEY } satisfies Rules<Pick<RandomOptions, 'key'>>;
const DRAWN = { key: KEY, dtype } satisfies Rules<RandomOptions>;
const UNIFORM = { ...DRAWN, low: isNumber, high: isNumber };
const NORMAL = { ...DRAWN, mean: anyNumber, std: notNegative };

function keyTensor(high: number, low: number): Tensor {
  return new Tensor([2], 'int32', ndarray('int32', [2], Int32Array.of(high, low)));
}

/** The key of a seed: a non-negative integer below 2^53. int32 [2]. */
export function randomKey(seed: number): Tensor {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ValueError(`randomKey: expected an integer seed in 0..2^53 - 1, received ${seed}`);
  return keyTensor(Math.floor(seed / 2 ** 32) | 0, seed | 0);
}

/** Counters of drawn numbers have this word 0; another value keeps derived keys apart from them. */
const KEY_STREAM = 0x5eed;

/** `count` new keys from one, whose streams are independent of it and of each other. */
export function splitKey(key: Tensor, count = 2): Tensor[] {
  checkValue('splitKey', 'the key', key, KEY);
  checkValue('splitKey', 'the number of keys', count, countOrZero);
  const params = { kind: 'bits', shape: [count, 4], dtype: 'int32', stream: KEY_STREAM } as const;
  const words = bind(random, [key], params)[0]!;
  return Array.from({ length: count }, (_, i) => words.at(i).narrow(0, 0, 2));
}

let globalKey: Tensor | null = null;
/** Where keys come from inside of {@link withKeys}. */
let scopedKey: { key: Tensor } | null = null;

/** Seeds the global generator, which functions use that get no key: same seed, same numbers from here on. */
export function setSeed(seed: number): void {
  globalKey = randomKey(seed);
}

/**
 * The next key of the global generator (seeded from the clock and `Math.random` until {@link setSeed} is called), or of the
 * key that {@link withKeys} gives.
 */
export function nextKey(): Tensor {
  if (scopedKey) {
    const [next, use] = splitKey(scopedKey.key);
    scopedKey.key = next!;
    return use!;
  }
  globalKey ??= randomKey(Math.floor(Math.random() * 2 ** 52));
  const [next, use] = splitKey(globalKey);
  globalKey = next!;
  return use!;
}

/**
 * Runs `f` while {@link nextKey} derives its keys from `key`, and does not touch the global generator; `null`: from the global generator again,
 * inside of another such call.
 */
export function withKeys<R>(key: Tensor | null, f: () => R): R {
  checkValue('withKeys', 'the key', key, KEY_OR_NULL);
  checkValue('withKeys', 'f', f, callable);
  const outer = scopedKey;
  scopedKey = key && { key };
  try {
    return f();
  } finally {
    scopedKey = outer;
  }
}

function draw(operation: string, kind: RandomKind, shape: Shape, options: RandomOptions): Tensor {
  checkShape(shape, operation);
  const dtype = options.dtype ?? 'float32';
  if (!isFloating(dtype))
    throw new DTypeError(
      `${operation}: expected a floating dtype (float32 or float64), received ${dtype}. For integers take randomInteger, or cast the result.`,
    );
  return bind(random, [options.key ?? nextKey()], { kind, shape, dtype })[0]!;
}

/**
 * Uniform in [low, high); [0, 1) by default. Every value is at least `low` and less than `high`, as they are given and as the dtype holds
 * them: where scaling rounds beyond them, the nearest number within is taken. `low` alone where both are equal (as in NumPy).
 * Throws `ValueError` unless low <= high, both finite in the dtype, with a number of the dtype between them; `DTypeError` for other dtypes.
 */
export function randomUniform(shape: Shape, options: RandomOptions & { low?: number; high?: number } = {}): Tensor {
  checkRules('randomUniform', options, UNIFORM);
  const { low = 0, high = 1 } = options;
  const u = draw('randomUniform', 'uniform', shape, options);
  return low === 0 && high === 1 ? u : scaled(u, low, high);
}

/** Uniforms of [0, 1) in [low, high). */
function scaled(u: Tensor, low: number, high: number): Tensor {
  const dtype = u.dtype as FloatDType;
  if (!(low <= high && Number.isFinite(rounded(low, dtype)) && Number.isFinite(rounded(high, dtype))))
    throw new ValueError(
      `randomUniform: expected low <= high, both finite in ${dtype}, received low ${low} and high ${high}`,
    );
  if (low === high) return u.mul(0).add(low);
  const first = roundedUp(low, dtype);
  if (!(first < high))
    throw new ValueError(
      `randomUniform: there is no ${dtype} in [${low}, ${high}). Take ${dtype === 'float32' ? "dtype 'float64' or " : ''}bounds that are farther apart.`,
    );
  const range = high - low;
  // Where the distance of the bounds is no number, half of all is taken.
  const y = Number.isFinite(rounded(range, dtype))
    ? u.mul(range).add(low)
    : u
        .mul(high / 2 - low / 2)
        .add(low / 2)
        .mul(2);
  const inside = y.minimum(Math.max(first, nextAfter(rounded(high, dtype), -1, dtype)));
  return first > rounded(low, dtype) ? inside.maximum(first) : inside;
}

/**
 * Normal with the given mean (0) and standard deviation (1), by the method of Box and Muller. Throws `ValueError` unless both are finite
 * and std >= 0.
 */
export function randomNormal(shape: Shape, options: RandomOptions & { mean?: number; std?: number } = {}): Tensor {
  checkRules('randomNormal', options, NORMAL);
  const { mean = 0, std = 1 } = options;
  return draw('randomNormal', 'normal', shape, options).mul(std).add(mean);
}

/**
 * Normal, redrawn beyond two standard deviations from the mean (by inversion, so that nothing is rejected): within
 * [mean - 2 std, mean + 2 std], where rounding to the dtype would leave it too. Throws `ValueError` as {@link randomNormal}.
 */
export function truncatedNormal(shape: Shape, options: RandomOptions & { mean?: number; std?: number } = {}): Tensor {
  checkRules('truncatedNormal', options, NORMAL);
  const { mean = 0, std = 1 } = options;
  const z = draw('truncatedNormal', 'truncatedNormal', shape, options);
  const dtype = z.dtype as FloatDType;
  const near = rounded(mean, dtype);
  return z
    .mul(std)
    .add(mean)
    .maximum(Math.min(near, roundedUp(mean - 2 * std, dtype)))
    .minimum(Math.max(near, roundedDown(mean + 2 * std, dtype)));
}

/**
 * true with probability p: never for 0, always for 1. bool. p is compared with uniforms of `dtype`: float32 (the default) tells multiples of
 * 2^-24 apart, float64 of 2^-53. Throws `ValueError` for probabilities outside of 0..1 (those that a compiled step computes are not seen).
 */
export function bernoulli(p: TensorLike, shape: Shape, options: RandomOptions = {}): Tensor {
  checkRules('bernoulli', options, DRAWN);
  const u = draw('bernoulli', 'uniform', shape, options);
  const chance = asTensor(p, u.dtype);
  if (!chance.trace)
    for (const value of denseData(chance.concrete('bernoulli')))
      if (!(value >= 0 && value <= 1))
        throw new ValueError(`bernoulli: expected probabilities in 0..1, received ${value}`);
  return u.less(chance);
}

/**
 * Class indices drawn with probabilities softmax(logits) over the last axis, by the Gumbel-max trick: never one of logit -Infinity. int32.
 * Throws `ValueError` where a row's largest logit is not finite: NaN, Infinity, or all -Infinity (logits that a compiled step computes are not
 * seen); `DTypeError` for logits that are not floating.
 */
export function categorical(logits: TensorLike, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  checkRules('categorical', options, KEYED);
  const scores = asTensor(logits);
  expectFloating(scores, 'categorical');
  // From the largest, so that the noise counts beside large logits.
  const largest = scores.max(-1, { keepDims: true });
  if (!largest.trace)
    for (const value of denseData(largest.concrete('categorical')))
      if (!Number.isFinite(value))
        throw new ValueError(
          `categorical: expected a finite largest logit in every row, received ${value}. A class of probability 0 has logit -Infinity, but not all may.`,
        );
  const u = draw('categorical', 'uniform', scores.shape, { ...options, dtype: 'float64' }).maximum(Number.MIN_VALUE);
  return scores.cast('float64').sub(largest.cast('float64')).sub(u.log().neg().log()).argmax(-1);
}

/** 0..n-1 in random order. int32 [n]. */
export function permutation(n: number, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  checkRules('permutation', options, KEYED);
  return argsort(draw('permutation', 'uniform', [n], { ...options, dtype: 'float64' }), 0);
}

/**
 * Integers in low <= i < high, uniform: of 2^53 equally likely draws, each has its share or one more. int32.
 * Throws `ValueError` unless both are integers, low < high, and int32 holds low and high - 1.
 */
export function randomInteger(
  shape: Shape,
  low: number,
  high: number,
  options: Pick<RandomOptions, 'key'> = {},
): Tensor {
  checkRules('randomInteger', options, KEYED);
  if (!(high > low)) throw new ValueError(`randomInteger: expected low < high, received ${low} and ${high}`);
  if (!(Number.isInteger(low) && Number.isInteger(high) && low >= -(2 ** 31) && high <= 2 ** 31))
    throw new ValueError(`randomInteger: expected integers in -2^31..2^31, received ${low} and ${high}`);
  // Rounded down before the sum, which would round up near a large bound.
  return draw('randomInteger', 'uniform', shape, { ...options, dtype: 'float64' })
    .mul(high - low)
    .floor()
    .add(low)
    .cast('int32');
}

/** Raw 32-bit words of the stream of a key, as int32. */
export function randomBits(shape: Shape, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  checkRules('randomBits', options, KEYED);
  checkShape(shape, 'randomBits');
  return bind(random, [options.key ?? nextKey()], { kind: 'bits', shape, dtype: 'int32' })[0]!;
}
