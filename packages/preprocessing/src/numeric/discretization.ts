import { type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { refuseEndless } from '../internal/endless.js';
import { flattenNumbers, type Numbers } from '../internal/nested.js';
import { encodeIds } from '../lookup/encode.js';

/** Options of {@link Discretization}; those of Keras. One of `binBoundaries` and `numBins` is needed. */
export interface DiscretizationOptions {
  /** Where bins end, rising: n boundaries make n + 1 bins, each with its lower bound. */
  readonly binBoundaries?: readonly number[] | null;
  /** How many bins `adapt` shall find, of about as many values each. */
  readonly numBins?: number | null;
  /** Precision of the quantiles that `adapt` finds; 0.01. */
  readonly epsilon?: number;
  /** 'int' (default), 'oneHot', 'multiHot' or 'count' */
  readonly outputMode?: 'int' | 'oneHot' | 'multiHot' | 'count';
}

/** Values, and how many each stands for. */
interface Summary {
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

/** Every so-many-th of the sorted values: 1 / epsilon of them at most. */
function summarize(values: ArrayLike<number>, epsilon: number): Summary {
  const sorted = Float32Array.from(values).sort();
  const step = Math.max(sorted.length * epsilon, 1);
  const kept: number[] = [];
  for (let i = Math.trunc(step - 1); i < sorted.length; i += Math.trunc(step)) kept.push(sorted[i]!);
  return { values: Float32Array.from(kept), weights: new Float32Array(kept.length).fill(step) };
}

/** y at x between known points (NumPy's `interp`). */
function interpolate(x: number, xs: ArrayLike<number>, ys: ArrayLike<number>): number {
  const n = xs.length;
  if (x <= xs[0]!) return ys[0]!;
  if (x >= xs[n - 1]!) return ys[n - 1]!;
  let low = 0;
  let high = n - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle]! <= x) low = middle;
    else high = middle;
  }
  return ys[low]! + ((ys[high]! - ys[low]!) * (x - xs[low]!)) / (xs[high]! - xs[low]!);
}

/** The quantiles of a summary, 1 / epsilon of them. */
function compress(summary: Summary, epsilon: number): Summary {
  const n = summary.values.length;
  if (n * epsilon < 1) return summary;
  // Sums and shares are float32, as in Keras.
  const cumulated = new Float32Array(n);
  let sum = 0;
  summary.weights.forEach((w, i) => {
    sum = Math.fround(sum + w);
    cumulated[i] = sum;
  });
  const shares = cumulated.map((c) => c / sum);
  const count = Math.ceil(1 / epsilon);
  const percents = Array.from({ length: count }, (_, i) => epsilon + i * epsilon);
  const values = percents.map((p) => interpolate(p, shares, summary.values));
  const totals = percents.map((p) => interpolate(p, shares, cumulated));
  return {
    values: Float32Array.from(values),
    weights: Float32Array.from(totals, (t, i) => t - (i === 0 ? 0 : totals[i - 1]!)),
  };
}

function merge(a: Summary, b: Summary, epsilon: number): Summary {
  const pairs = [a, b].flatMap((s) => Array.from(s.values, (v, i) => [v, s.weights[i]!] as const));
  pairs.sort((x, y) => x[0] - y[0]);
  return compress(
    { values: Float32Array.from(pairs, (p) => p[0]), weights: Float32Array.from(pairs, (p) => p[1]) },
    epsilon,
  );
}

const DISCRETIZATION_RULES = {
  binBoundaries: rules.orNull(rules.numbers),
  numBins: rules.orNull(rules.count),
  epsilon: rules.openDecay,
  outputMode: rules.oneOf('int', 'oneHot', 'multiHot', 'count'),
} satisfies Rules<DiscretizationOptions>;

/**
 * Numbers to the bins that they fall into: bin i holds boundary[i - 1] <= x < boundary[i]. `adapt` finds boundaries such that bins hold about
 * as many values each, from a sketch of bounded size (Keras' one). Keras `Discretization`.
 *
 * Throws `ValueError` for neither or both of `binBoundaries` and `numBins`, boundaries that do not rise, and use before `adapt`.
 */
export class Discretization {
  private boundaries: Float64Array | null = null;
  private readonly numBins: number | null;
  private readonly epsilon: number;
  private readonly outputMode: 'int' | 'oneHot' | 'multiHot' | 'count';

  constructor(options: DiscretizationOptions = {}) {
    checkRules('Discretization', options, DISCRETIZATION_RULES);
    const { binBoundaries = null, numBins = null, epsilon = 0.01, outputMode = 'int' } = options;
    if ((binBoundaries === null) === (numBins === null))
      throw new ValueError('Discretization: expected one of binBoundaries and numBins, received both or neither');
    if (binBoundaries?.some((b, i) => !(i === 0 || b > binBoundaries[i - 1]!)))
      throw new ValueError(`Discretization: expected binBoundaries to rise, received ${JSON.stringify(binBoundaries)}`);
    this.numBins = numBins;
    this.epsilon = epsilon;
    this.outputMode = outputMode;
    if (binBoundaries) this.boundaries = Float64Array.from(binBoundaries);
  }

  /** Where bins end; `null` before `adapt`. */
  get binBoundaries(): number[] | null {
    return this.boundaries && [...this.boundaries];
  }

  /** Finds the boundaries. */
  adapt(data: Numbers): void {
    this.finish(this.add(null, data));
  }

  /** {@link Discretization.adapt} over a stream of batches. Throws `ValueError` for an endless data set. */
  async adaptStream(stream: AsyncIterable<Numbers>): Promise<void> {
    refuseEndless('Discretization.adaptStream', stream);
    let summary: Summary | null = null;
    for await (const batch of stream) summary = this.add(summary, batch);
    if (summary) this.finish(summary);
  }

  private add(before: Summary | null, data: Numbers): Summary {
    if (this.numBins === null)
      throw new ValueError('Discretization: expected numBins for adapt, received binBoundaries: they are fixed');
    const batch = summarize(flattenNumbers('Discretization', data).flat, this.epsilon);
    const none = { values: new Float32Array(0), weights: new Float32Array(0) };
    return merge(batch, before ?? none, this.epsilon);
  }

  private finish(summary: Summary): void {
    this.boundaries = Float64Array.from(compress(summary, 1 / this.numBins!).values.slice(0, -1));
  }

  /** Bins, int32 [...shape]; or rows of numbers, as `outputMode` says. */
  call(x: Numbers): Tensor {
    const { boundaries } = this;
    if (!boundaries)
      throw new ValueError('Discretization: expected binBoundaries, or adapt before use; received neither');
    const { flat, shape } = flattenNumbers('Discretization', x);
    const bins = Int32Array.from(flat, (v) => {
      let low = 0;
      let high = boundaries.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        // NaN goes behind all others, as in NumPy.
        if (v < boundaries[middle]!) high = middle;
        else low = middle + 1;
      }
      return low;
    });
    if (this.outputMode === 'int') return tensor(bins, { shape, dtype: 'int32' });
    return encodeIds('Discretization', bins, shape, this.outputMode, boundaries.length + 1, 'float32');
  }
}
