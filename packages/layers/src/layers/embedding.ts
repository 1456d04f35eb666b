import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { describeRegularizer } from '@recurra/cells/extend';
import { guard } from '@recurra/compiler/extend';
import { DTypeError, type Tensor, ValueError } from '@recurra/tensor';
import { checkIds } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends LayerOptions {
  /** 'uniform': between -0.05 and 0.05. */
  readonly embeddingsInitializer?: InitializerIdentifier;
  readonly embeddingsRegularizer?: RegularizerIdentifier | null;
  readonly embeddingsConstraint?: ConstraintIdentifier | null;
  /** Is id 0 padding, that later layers skip? false. */
  readonly maskZero?: boolean;
}

/**
 * Ids to vectors: int [batch, ...] -> [batch, ..., outputDim], row `id` of `embeddings` [inputDim, outputDim].
 * Throws `ValueError` for an id outside of 0..inputDim-1. Keras `Embedding`.
 */
export class Embedding extends Layer {
  static override readonly positional: readonly string[] = ['inputDim', 'outputDim'];
  readonly inputDim: number;
  readonly outputDim: number;
  protected override readonly settled: Settled<EmbeddingOptions>;
  private embeddings!: Variable;

  constructor(inputDim: number, outputDim: number, options: EmbeddingOptions = {}) {
    super(options);
    this.inputDim = expectInteger('Embedding', 'inputDim', inputDim);
    this.outputDim = expectInteger('Embedding', 'outputDim', outputDim);
    this.settled = settle<EmbeddingOptions>('Embedding', options, {
      embeddingsInitializer: 'uniform',
      embeddingsRegularizer: null,
      embeddingsConstraint: null,
      maskZero: false,
    });
  }

  override get className(): string {
    return 'Embedding';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  override build(): void {
    this.embeddings = this.variable({
      name: 'embeddings',
      shape: [this.inputDim, this.outputDim],
      initializer: this.settled.embeddingsInitializer,
      regularizer: this.settled.embeddingsRegularizer,
      constraint: this.settled.embeddingsConstraint,
    });
  }

  call(x: Tensor): Tensor {
    if (x.dtype === 'bool') throw new DTypeError(`${this.label}: expected ids (int32), received bool`);
    // Ids that are there before the step are checked here, to say more; those that the model computes, by the step.
    guard(x, (ids) => {
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]!;
        if (!(Number.isInteger(id) && id >= 0 && id < this.inputDim))
          throw new ValueError(`${this.label}: expected ids in 0..${this.inputDim - 1}, received ${id}. ${idHint(id)}`);
      }
    });
    return this.embeddings.value.gather(checkIds(x, this.inputDim, this.label), 0);
  }

  override computeMask(inputs: Tensor): Tensor | null {
    return this.settled.maskZero ? inputs.notEqual(0) : null;
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return [...inputShape, this.outputDim];
  }

  protected override fields(): Record<string, unknown> {
    return {
      inputDim: this.inputDim,
      outputDim: this.outputDim,
      ...super.fields(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
      quantizationConfig: null,
    };
  }
}

/** What to do about an id that has no row. */
function idHint(id: number): string {
  if (!Number.isInteger(id)) return 'Ids are whole numbers: numbers of a series go to the layer after the Embedding.';
  if (id < 0) return 'Ids count from 0: use maskZero and 0 for padding.';
  return 'inputDim must be larger than the largest id.';
}
