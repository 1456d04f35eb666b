import type { Tensor, TensorLike } from '@recurra/tensor';
import type { Variable } from '../base/variable.js';
import { floating } from '../internal/floating.js';
import { asPredictions, asTargets, classIndices, joinWeights } from '../losses/alignment.js';
import { sparseCategoricalCrossentropy } from '../losses/crossentropy.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';

/** Options of {@link Perplexity}. */
export interface PerplexityOptions extends MetricOptions {
  /** Are the predictions scores before softmax? false. */
  readonly fromLogits?: boolean;
  /** Targets of this token (padding) do not count; `null`: all do. */
  readonly maskTokenId?: number | null;
}

/**
 * exp of the mean cross-entropy per token: among how many equally likely tokens a language model hesitates. Targets are token ids
 * [batch, time], predictions [batch, time, tokens]. KerasHub `Perplexity`.
 */
export class Perplexity extends Metric {
  override readonly direction = 'down';
  private readonly total: Variable;
  private readonly tokens: Variable;
  private readonly settings: { readonly fromLogits: boolean; readonly maskTokenId: number | null };

  constructor(options: PerplexityOptions = {}) {
    super('perplexity', options, { fromLogits: false, maskTokenId: null }, 'Perplexity');
    const { fromLogits = false, maskTokenId = null } = options;
    this.settings = { fromLogits, maskTokenId };
    this.total = this.addZeros('aggregateCrossentropy');
    this.tokens = this.addZeros('numberOfSamples');
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { fromLogits, maskTokenId } = this.settings;
    const targets = asTargets(yTrue, this.className);
    const p = floating(asPredictions(yPred, this.className));
    let losses = sparseCategoricalCrossentropy(targets, p, { fromLogits, ignoreClass: maskTokenId });
    let counted = losses.onesLike();
    if (maskTokenId !== null) counted = classIndices(targets, p, this.className).notEqual(maskTokenId).cast(p.dtype);
    const weights = joinWeights(options, losses, this.className);
    if (weights) {
      losses = losses.mul(weights);
      counted = counted.mul(weights);
    }
    accumulate(this.total, losses.sum());
    accumulate(this.tokens, counted.sum());
  }

  result(): Tensor {
    const mean = this.total.value.divideNoNan(this.tokens.value);
    return this.tokens.value.greater(0).select(mean.exp(), mean);
  }
}
