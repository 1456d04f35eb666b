import { initializers } from '@recurra/cells';
import { type NormalizationOptions as Arguments, Normalization as Statistics } from '@recurra/preprocessing';
import { type Shape, ShapeError, type Tensor, type TensorLike } from '@recurra/tensor';
import { asTensor } from '@recurra/tensor/extend';
import { behindBatch } from '../../base/independence.js';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { floating } from '../../internal/floating.js';

/** Options of {@link Normalization}; those of Keras. */
export interface NormalizationOptions extends LayerOptions, Arguments {}

/** The smallest deviation that is divided by (Keras' epsilon). */
const EPSILON = 1e-7;

/**
 * (x - mean) / max(sqrt(variance), 1e-7), mean and variance for each index of `axis`, given or learnt by `adapt`; with `invert`: back from normalized values.
 * The statistics are weights (`mean`, `variance`, `count`; not trained), saved with the model; before `adapt` they are 0 and 1, as in Keras. Learn from training data
 * alone. How they are learnt: `Normalization` of `@recurra/preprocessing`. Keras `Normalization`.
 *
 * Throws `ValueError` for one of `mean` and `variance` without the other, `ShapeError` for axes that the data lack or whose size is open.
 */
export class Normalization extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<NormalizationOptions>;
  private readonly axes: readonly number[];
  private readonly statistics: Statistics;
  private learnt: readonly [mean: Variable, variance: Variable] | null = null;

  constructor(options: NormalizationOptions = {}) {
    super(options);
    const s = settle<NormalizationOptions>('Normalization', options, {
      axis: -1,
      mean: null,
      variance: null,
      invert: false,
    });
    this.settled = s;
    this.statistics = new Statistics(s);
    this.axes = s.axis === null ? [] : typeof s.axis === 'number' ? [s.axis] : [...s.axis];
  }

  override get className(): string {
    return 'Normalization';
  }

  protected override get independentSamples(): boolean {
    return behindBatch(this.axes);
  }

  /** The axes that have statistics of their own, in inputs of this rank. */
  private kept(shape: PartialShape): number[] {
    const kept = this.axes.map((a) => (a < 0 ? a + shape.length : a)).sort((a, b) => a - b);
    if (kept.some((a) => !(a >= 0 && a < shape.length)))
      throw new ShapeError(
        `${this.label}: expected inputs with axes ${JSON.stringify(this.axes)}, received ${formatPartial(shape)}`,
      );
    return kept;
  }

  override build(inputShape: PartialShape): void {
    if (this.settled.mean !== null) return;
    const shape = this.kept(inputShape).map((a) => inputShape[a]!);
    if (shape.some((d) => d === null))
      throw new ShapeError(
        `${this.label}: expected known sizes of axes ${JSON.stringify(this.axes)}, received ${formatPartial(inputShape)}`,
      );
    const make = (name: string, initializer: 'zeros' | 'ones'): Variable =>
      this.variable({ name, shape, initializer: initializers[initializer](), trainable: false });
    this.learnt = [make('mean', 'zeros'), make('variance', 'ones')];
    // Written by Keras for files of long ago, and always 0.
    this.variable({ name: 'count', shape: [], dtype: 'int32', initializer: initializers.zeros(), trainable: false });
  }

  /** Learns mean and variance from data [samples, ...]. */
  adapt(data: TensorLike): void {
    const x = asTensor(data);
    this.statistics.adapt(x);
    this.take(x.shape);
  }

  /** {@link Normalization.adapt} over a stream of batches. */
  async adaptStream(stream: AsyncIterable<TensorLike>): Promise<void> {
    let shape: Shape = [];
    const seen = async function* (): AsyncGenerator<Tensor> {
      for await (const batch of stream) {
        const x = asTensor(batch);
        shape = x.shape;
        yield x;
      }
    };
    await this.statistics.adaptStream(Object.assign(seen(), { size: (stream as { size?: number }).size }));
    this.take(shape);
  }

  private take(shape: Shape): void {
    this.build(shape);
    this.learnt?.[0].assign(this.statistics.mean!.cast(this.dtype));
    this.learnt?.[1].assign(this.statistics.variance!.cast(this.dtype));
  }

  /** The mean of each index of `axis`; `null` before the weights are there. */
  get mean(): Tensor | null {
    return this.learnt ? this.learnt[0].value : this.statistics.mean;
  }

  /** The variance (of the population) of each index of `axis`; `null` before the weights are there. */
  get variance(): Tensor | null {
    return this.learnt ? this.learnt[1].value : this.statistics.variance;
  }

  call(x: Tensor): Tensor {
    const kept = this.kept(x.shape);
    const place = (value: Tensor): Tensor => {
      const shape = new Array<number>(x.rank).fill(1);
      // From the last axis on, as statistics may have fewer axes.
      for (let i = 1; i <= value.rank; i++) shape[kept.at(-i)!] = value.shape.at(-i)!;
      return value.cast(this.dtype).reshape(shape);
    };
    const [mean, variance] = [place(this.mean!), place(this.variance!)];
    const values = floating(x, this.dtype);
    const deviation = variance.sqrt().maximum(EPSILON);
    return this.settled.invert ? values.mul(deviation).add(mean) : values.sub(mean).div(deviation);
  }

  protected override checkInputs(shape: PartialShape): void {
    const kept = this.kept(shape);
    const own = this.mean?.shape ?? [];
    if (
      own.some((d, i) => d !== 1 && shape[kept.at(i - own.length)!] !== null && shape[kept.at(i - own.length)!] !== d)
    )
      throw new ShapeError(
        `${this.label}: expected inputs with ${JSON.stringify(own)} on axes ${JSON.stringify(this.axes)}, received ${formatPartial(shape)}`,
      );
  }

  protected override fields(): Record<string, unknown> {
    const { mean, variance, invert } = this.settled;
    return { axis: this.axes, invert, mean, variance };
  }
}
