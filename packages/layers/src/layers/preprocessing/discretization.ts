import { Discretization as Bins } from '@recurra/preprocessing';
import { encodedShape } from '@recurra/preprocessing/extend';
import { type Tensor, ValueError } from '@recurra/tensor';
import { Layer, type LayerConfig } from '../../base/layer.js';
import { type LayerOptions, settle } from '../../base/options.js';
import { type OutputMode, outputMode, plainOf } from './encoded.js';
import { hostCall } from './host-call.js';

type Numbers = Parameters<Bins['call']>[0];

/** Options of {@link Discretization}; those of Keras. One of `binBoundaries` and `numBins` is needed. */
export interface DiscretizationOptions extends LayerOptions {
  /** Where bins end, rising: n boundaries make n + 1 bins, each with its lower bound. */
  readonly binBoundaries?: readonly number[] | null;
  /** How many bins `adapt` shall find, of about as many values each. */
  readonly numBins?: number | null;
  /** Precision of the quantiles that `adapt` finds; 0.01. */
  readonly epsilon?: number;
  /** 'int': int32 bins (default); 'oneHot', 'multiHot', 'count': rows of numbers. */
  readonly outputMode?: OutputMode;
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
}

/**
 * Numbers to the bins that they fall into: bin i holds boundary[i - 1] <= x < boundary[i]. The rules are those of `Discretization` of
 * `@recurra/preprocessing`. Has no gradient. Keras `Discretization`.
 *
 * Throws `ValueError` for neither or both of `binBoundaries` and `numBins`, boundaries that do not rise, and use before `adapt`.
 */
export class Discretization extends Layer {
  /** Those of the options, which `adapt` finds. */
  private readonly adapted: Bins;
  /** Those that count: of a configuration that was written after `adapt`, or adapted here. */
  private bins: Bins;
  private readonly numBins: number | null;
  private readonly epsilon: number;
  private readonly mode: OutputMode;

  constructor(options: DiscretizationOptions = {}) {
    super(options);
    const s = settle<DiscretizationOptions>('Discretization', options, {
      binBoundaries: null,
      numBins: null,
      epsilon: 0.01,
      outputMode: 'int',
      sparse: false,
    });
    const plain = plainOf('Discretization', s);
    this.mode = outputMode('Discretization', s.outputMode, ['int', 'oneHot', 'multiHot', 'count']);
    this.numBins = s.numBins;
    this.epsilon = s.epsilon;
    this.adapted = new Bins({ ...plain, outputMode: this.mode });
    this.bins = this.adapted;
  }

  override get className(): string {
    return 'Discretization';
  }

  /** Where bins end; `null` before `adapt`. */
  get binBoundaries(): number[] | null {
    return this.bins.binBoundaries;
  }

  /** Finds the boundaries. */
  adapt(data: Numbers): void {
    this.adapted.adapt(data);
    this.bins = this.adapted;
  }

  /** {@link Discretization.adapt} over a stream of batches. */
  async adaptStream(stream: AsyncIterable<Numbers>): Promise<void> {
    await this.adapted.adaptStream(stream);
    this.bins = this.adapted;
  }

  call(x: Tensor): Tensor {
    const boundaries = this.binBoundaries;
    if (!boundaries)
      throw new ValueError(`${this.label}: expected binBoundaries, or adapt before use; received neither`);
    return hostCall([x], {
      operation: this.label,
      run: (values) => this.bins.call(values),
      shape: (shape) => encodedShape(shape, this.mode, boundaries.length + 1),
      dtype: this.mode === 'int' ? 'int32' : this.dtype,
    });
  }

  override getConfig(): LayerConfig {
    // The keys that Keras' class takes: no others.
    return {
      name: this.name,
      dtype: this.dtype,
      binBoundaries: this.binBoundaries,
      numBins: this.numBins,
      epsilon: this.epsilon,
      outputMode: this.mode,
      sparse: false,
    };
  }

  /** A configuration has both boundaries and `numBins` after `adapt`. */
  static override fromConfig<L>(config: LayerConfig): L {
    const { binBoundaries, ...rest } = config as DiscretizationOptions;
    if (!binBoundaries || (rest.numBins ?? null) === null)
      return new Discretization(config as DiscretizationOptions) as L;
    const layer = new Discretization(rest);
    layer.bins = new Bins({ binBoundaries, outputMode: layer.mode });
    return layer as L;
  }
}
