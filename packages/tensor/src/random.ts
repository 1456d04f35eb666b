import type { DType } from './dtype.js';
import { ValueError } from './errors.js';
import { ndarray } from './ndarray.js';
import { argsort } from './ops/sorting.js';
import { type RandomKind, random } from './primitives/random.js';
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

/** Runs `f` while {@link nextKey} derives its keys from `key`, and does not touch the global generator. */
export function withKeys<R>(key: Tensor, f: () => R): R {
  const outer = scopedKey;
  scopedKey = { key };
  try {
    return f();
  } finally {
    scopedKey = outer;
  }
}

function draw(kind: RandomKind, shape: Shape, options: RandomOptions): Tensor {
  checkShape(shape, kind);
  const dtype = options.dtype ?? 'float32';
  return bind(random, [options.key ?? nextKey()], { kind, shape, dtype })[0]!;
}

/** Uniform in [low, high); [0, 1) by default. */
export function randomUniform(shape: Shape, options: RandomOptions & { low?: number; high?: number } = {}): Tensor {
  const { low = 0, high = 1 } = options;
  const u = draw('uniform', shape, options);
  return low === 0 && high === 1 ? u : u.mul(high - low).add(low);
}

/** Normal with the given mean (0) and standard deviation (1), by the method of Box and Muller. */
export function randomNormal(shape: Shape, options: RandomOptions & { mean?: number; std?: number } = {}): Tensor {
  const { mean = 0, std = 1 } = options;
  return draw('normal', shape, options).mul(std).add(mean);
}

/** Normal, redrawn beyond two standard deviations from the mean (by inversion, so that nothing is rejected). */
export function truncatedNormal(shape: Shape, options: RandomOptions & { mean?: number; std?: number } = {}): Tensor {
  const { mean = 0, std = 1 } = options;
  return draw('truncatedNormal', shape, options).mul(std).add(mean);
}

/** true with probability p. bool. */
export function bernoulli(p: TensorLike, shape: Shape, options: RandomOptions = {}): Tensor {
  return draw('uniform', shape, options).less(p);
}

/** Class indices drawn with probabilities softmax(logits) over the last axis, by the Gumbel-max trick. int32. */
export function categorical(logits: TensorLike, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  const scores = asTensor(logits);
  expectFloating(scores, 'categorical');
  const u = draw('uniform', scores.shape, { ...options, dtype: 'float64' }).maximum(Number.MIN_VALUE);
  return scores.cast('float64').sub(u.log().neg().log()).argmax(-1);
}

/** 0..n-1 in random order. int32 [n]. */
export function permutation(n: number, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  return argsort(draw('uniform', [n], { ...options, dtype: 'float64' }), 0);
}

/** Integers in low <= i < high, uniform. int32. */
export function randomInteger(
  shape: Shape,
  low: number,
  high: number,
  options: Pick<RandomOptions, 'key'> = {},
): Tensor {
  if (!(high > low)) throw new ValueError(`randomInteger: expected low < high, received ${low} and ${high}`);
  return draw('uniform', shape, { ...options, dtype: 'float64' })
    .mul(high - low)
    .add(low)
    .floor()
    .cast('int32');
}

/** Raw 32-bit words of the stream of a key, as int32. */
export function randomBits(shape: Shape, options: Pick<RandomOptions, 'key'> = {}): Tensor {
  return draw('bits', shape, { ...options, dtype: 'int32' });
}
