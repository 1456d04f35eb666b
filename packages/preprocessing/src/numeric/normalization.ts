import { type Axes, type Tensor, type TensorLike, tensor, ValueError } from '@recurra/tensor';
import { asTensor, checkRules, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { refuseEndless } from '../internal/endless.js';
import { flatten, type Nested } from '../internal/nested.js';

/** Options of {@link Normalization}; those of Keras. */
export interface NormalizationOptions {
  /** Axes that have a mean and variance for each index; -1 (the features). `null`: one for all. */
  readonly axis?: number | readonly number[] | null;
  /** Given, instead of `adapt`. */
  readonly mean?: Nested<number> | null;
  readonly variance?: Nested<number> | null;
  /** x * deviation + mean instead: back from normalized values; false. */
  readonly invert?: boolean;
}

/** One number, or nested lists of such. */
function nested(one: Rule): Rule {
  const accepts = (v: unknown): boolean => (Array.isArray(v) ? v.length > 0 && v.every(accepts) : one.accepts(v));
  return { expected: `${one.expected}, or lists of such`, accepts };
}

const NORMALIZATION_RULES = {
  axis: {
    expected: 'an axis, a list of axes, or null',
    accepts: (v) =>
      v === null || rules.integer.accepts(v) || (Array.isArray(v) && v.every((axis) => rules.integer.accepts(axis))),
  },
  mean: rules.orNull(nested(rules.anyNumber)),
  variance: rules.orNull(nested(rules.notNegative)),
  invert: rules.flag,
} satisfies Rules<NormalizationOptions>;

/** The smallest deviation that is divided by (Keras' epsilon). */
const EPSILON = 1e-7;

/**
 * (x - mean) / max(sqrt(variance), 1e-7), mean and variance for each index of `axis`, given or learnt by `adapt` (sums are float64, over streams
 * merged exactly). Learn from training data alone. Keras `Normalization`.
 *
 * Throws `ValueError` for one of `mean` and `variance` without the other, axes that the data lack, and use before `adapt`.
 */
export class Normalization {
  private readonly axis: readonly number[];
  private readonly inverted: boolean;
  private statistics: {
    readonly shape: readonly number[];
    readonly mean: Float64Array;
    readonly variance: Float64Array;
  } | null = null;

  constructor(options: NormalizationOptions = {}) {
    checkRules('Normalization', options, NORMALIZATION_RULES);
    const { axis = -1, mean = null, variance = null, invert = false } = options;
    this.axis = axis === null ? [] : typeof axis === 'number' ? [axis] : [...axis];
    this.inverted = invert;
    if ((mean === null) !== (variance === null))
      throw new ValueError('Normalization: expected mean and variance, or neither; received one of them');
    if (mean !== null && variance !== null) {
      const m = flatten('Normalization', mean);
      const v = flatten('Normalization', variance);
      if (m.shape.join() !== v.shape.join() || m.shape.length > this.axis.length)
        throw new ValueError(
          `Normalization: expected mean and variance of one shape, of at most ${this.axis.length} axes, received ${JSON.stringify(m.shape)} and ${JSON.stringify(v.shape)}`,
        );
      this.statistics = { shape: m.shape, mean: Float64Array.from(m.flat), variance: Float64Array.from(v.flat) };
    }
  }

  /** The mean of each index of `axis`; `null` before `adapt`. */
  get mean(): Tensor | null {
    const s = this.statistics;
    return s && tensor(Float32Array.from(s.mean), { shape: s.shape, dtype: 'float32' });
  }

  /** The variance (of the population) of each index of `axis`; `null` before `adapt`. */
  get variance(): Tensor | null {
    const s = this.statistics;
    return s && tensor(Float32Array.from(s.variance), { shape: s.shape, dtype: 'float32' });
  }

  private keptAxes(rank: number): number[] {
    const kept = this.axis.map((a) => (a < 0 ? a + rank : a)).sort((a, b) => a - b);
    if (kept.some((a) => a < 0 || a >= rank))
      throw new ValueError(
        `Normalization: expected data with axes ${JSON.stringify(this.axis)}, received data of rank ${rank}`,
      );
    return kept;
  }

  /** For each element of data of this shape, the index of its mean. */
  private groupsOf(shape: readonly number[], kept: readonly number[]): (i: number) => number {
    const strides = new Array<number>(shape.length).fill(0);
    let size = 1;
    for (let k = kept.length - 1; k >= 0; k--) {
      strides[kept[k]!] = size;
      size *= shape[kept[k]!]!;
    }
    const last = shape.length - 1;
    // The usual case: the last axis alone.
    if (kept.length === 1 && kept[0] === last) return (i) => i % shape[last]!;
    if (kept.length === 0) return () => 0;
    return (i) => {
      let rest = i;
      let group = 0;
      for (let a = last; a >= 0; a--) {
        group += (rest % shape[a]!) * strides[a]!;
        rest = Math.floor(rest / shape[a]!);
      }
      return group;
    };
  }

  /** Learns mean and variance. */
  adapt(data: TensorLike): void {
    const sums = new Sums();
    this.add(sums, asTensor(data));
    this.statistics = sums.finish();
  }

  /** {@link Normalization.adapt} over a stream of batches. Throws `ValueError` for an empty one, and for an endless data set. */
  async adaptStream(stream: AsyncIterable<TensorLike>): Promise<void> {
    refuseEndless('Normalization.adaptStream', stream);
    const sums = new Sums();
    for await (const batch of stream) this.add(sums, asTensor(batch));
    this.statistics = sums.finish();
  }

  private add(sums: Sums, x: Tensor): void {
    const kept = this.keptAxes(x.rank);
    const shape = kept.map((a) => x.shape[a]!);
    sums.add(x.data, this.groupsOf(x.shape, kept), shape);
  }

  /** The normalized values, float32 (float64 stays). */
  call(x: TensorLike): Tensor {
    const s = this.statistics;
    if (!s) throw new ValueError('Normalization: expected mean and variance, or adapt before use; received neither');
    const t = asTensor(x);
    const kept = this.keptAxes(t.rank);
    const shape = kept.map((a) => t.shape[a]!);
    const scalar = s.mean.length === 1;
    if (!scalar && shape.join() !== s.shape.join())
      throw new ValueError(
        `Normalization: expected data with ${JSON.stringify(s.shape)} on axes ${JSON.stringify(this.axis)}, received shape ${JSON.stringify(t.shape)}`,
      );
    const group = scalar ? () => 0 : this.groupsOf(t.shape, kept);
    const deviations = s.variance.map((v) => Math.max(Math.sqrt(v), EPSILON));
    const out = t.dtype === 'float64' ? new Float64Array(t.size) : new Float32Array(t.size);
    const { data } = t;
    for (let i = 0; i < out.length; i++) {
      const k = group(i);
      out[i] = this.inverted ? data[i]! * deviations[k]! + s.mean[k]! : (data[i]! - s.mean[k]!) / deviations[k]!;
    }
    return tensor(out, { shape: t.shape, dtype: t.dtype === 'float64' ? 'float64' : 'float32' });
  }
}

/** Counts, means and sums of squared deviations of groups, batch by batch (Chan et al. 1979). */
class Sums {
  private shape: readonly number[] | null = null;
  private count = 0;
  private mean = new Float64Array(0);
  private squares = new Float64Array(0);

  add(data: ArrayLike<number>, group: (i: number) => number, shape: readonly number[]): void {
    const groups = shape.reduce((a, b) => a * b, 1);
    if (this.shape === null) {
      this.shape = shape;
      this.mean = new Float64Array(groups);
      this.squares = new Float64Array(groups);
    } else if (this.shape.join() !== shape.join())
      throw new ValueError(
        `Normalization: expected batches of one shape, ${JSON.stringify(this.shape)}, received ${JSON.stringify(shape)}`,
      );
    if (data.length === 0) return;
    const n = data.length / groups;
    const mean = new Float64Array(groups);
    for (let i = 0; i < data.length; i++) mean[group(i)]! += data[i]! / n;
    const squares = new Float64Array(groups);
    for (let i = 0; i < data.length; i++) {
      const k = group(i);
      squares[k]! += (data[i]! - mean[k]!) ** 2;
    }
    const total = this.count + n;
    for (let k = 0; k < groups; k++) {
      const delta = mean[k]! - this.mean[k]!;
      this.mean[k]! += (delta * n) / total;
      this.squares[k]! += squares[k]! + (delta * delta * this.count * n) / total;
    }
    this.count = total;
  }

  finish(): { shape: readonly number[]; mean: Float64Array; variance: Float64Array } {
    const { shape, count } = this;
    if (shape === null || count === 0)
      throw new ValueError('Normalization: expected at least one value to learn from, received none');
    return { shape, mean: this.mean, variance: this.squares.map((s) => s / count) };
  }
}

/** x / |x|, the norm over `axis`, of order 1, 2 (default) or Infinity; rows of zeros stay. Keras `normalize`. */
export function normalize(x: TensorLike, options: { readonly axis?: Axes; readonly order?: number } = {}): Tensor {
  checkRules('normalize', options, { axis: rules.anything, order: rules.oneOf(1, 2, Infinity) });
  const { axis = -1, order = 2 } = options;
  const t = asTensor(x);
  let norm: Tensor;
  if (order === 2) norm = t.square().sum(axis, { keepDims: true }).sqrt();
  else if (order === 1) norm = t.abs().sum(axis, { keepDims: true });
  else if (order === Infinity) norm = t.abs().max(axis, { keepDims: true });
  else throw new ValueError(`normalize: expected order 1, 2 or Infinity, received ${order}`);
  return t.div(norm.equal(0).select(norm.onesLike(), norm));
}
