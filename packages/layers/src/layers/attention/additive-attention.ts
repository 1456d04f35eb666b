import { initializers } from '@recurra/cells';
import { ShapeError, type Tensor } from '@recurra/tensor';
import { type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { ScoredAttention, type ScoredAttentionOptions } from './attention.js';

/** Options of {@link AdditiveAttention}; `useScale` is true. */
export type AdditiveAttentionOptions = ScoredAttentionOptions;

/**
 * As {@link Attention}, with scores `sum(scale tanh(q + k))`: `scale` [features], learned (glorotUniform) unless `useScale` is false. Shapes, masks and
 * arguments are those of `Attention`. Bahdanau et al. 2015. Keras `AdditiveAttention`.
 */
export class AdditiveAttention extends ScoredAttention<AdditiveAttentionOptions> {
  protected override readonly settled: Settled<AdditiveAttentionOptions>;
  private scale: Variable | undefined;

  constructor(options: AdditiveAttentionOptions = {}) {
    super(options, 'AdditiveAttention');
    this.settled = settle<AdditiveAttentionOptions>('AdditiveAttention', options, {
      useScale: true,
      dropout: 0,
      seed: null,
    });
  }

  override get className(): string {
    return 'AdditiveAttention';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  override build(shapes: unknown): void {
    this.checkInputs(shapes as readonly PartialShape[]);
    const query = (shapes as readonly PartialShape[])[0]!;
    const features = query[query.length - 1];
    if (features === null || features === undefined)
      throw new ShapeError(
        `${this.label}: expected a known number of features of the query, received ${formatPartial(query)}. Give the last size to Input.`,
      );
    if (this.settled.useScale)
      this.scale = this.variable({ name: 'scale', shape: [features], initializer: initializers.glorotUniform() });
  }

  protected scores(query: Tensor, key: Tensor): Tensor {
    const sums = query.expandDims(-2).add(key.expandDims(-3)).tanh();
    return (this.scale ? sums.mul(this.scale.value) : sums).sum(-1);
  }
}
