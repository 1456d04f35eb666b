import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { expectInteger, type Settled, settle } from '../../base/options.js';
import { HEADED_DEFAULTS, HeadedAttention, type HeadedAttentionOptions, type Heads } from './headed-attention.js';

/** Options of {@link MultiHeadAttention}. */
export interface MultiHeadAttentionOptions extends HeadedAttentionOptions {
  /** Width of each head's values; `keyDim`. */
  readonly valueDim?: number | null;
  /** Sizes of the last axes of the output; `null`: the features of the query. */
  readonly outputShape?: number | readonly number[] | null;
  /** Axes that are attended over; `null`: all but the batch's and the features'. */
  readonly attentionAxes?: number | readonly number[] | null;
}

/** A list of integers from one, a list, or none. Throws `ValueError`. */
function integers(name: string, given: number | readonly number[] | null, least: number): readonly number[] | null {
  if (given === null) return null;
  const list = typeof given === 'number' ? [given] : given;
  if (!Array.isArray(list) || list.length === 0)
    throw new ValueError(
      `MultiHeadAttention: expected ${name} to be an integer or a list, received ${describeValue(given)}`,
    );
  return list.map((v) => expectInteger('MultiHeadAttention', name, v, least));
}

/**
 * Attention in heads: softmax(q k^T / sqrt(keyDim)) v for each head, q = query Wq + bq, k = key Wk + bk, v = value Wv + bv, and a projection of all heads.
 *
 * Inputs: one tensor [batch, time, features], which attends to itself; `[query, value]` with query [batch, queries, features] and value [batch, keys,
 * width]; or `[query, value, key]`. Output [batch, queries, features of the query], or what `outputShape` says; with `returnAttentionScores` also the shares
 * [batch, heads, queries, keys]. Axes between the batch's and the attended ones are like the batch's.
 *
 * Keys whose value or key is masked, that `attentionMask` or `useCausalMask` leaves out, or that are further away than `slidingWindow`, get no share; a query
 * that may see none sees all of them alike (none, as in Keras, where scores are returned or dropped out, or inputs have more than three axes). The output has the query's mask. Weights, each with a bias unless `useBias` is false: `query`
 * and `key` [features, heads, keyDim], `value` [width, heads, valueDim], `attention_output` [heads, valueDim, outputs].
 *
 * Vaswani et al. 2017. Keras `MultiHeadAttention`; it is called there with `(query, value, key)`, a list here.
 *
 * ```ts
 * const attention = new MultiHeadAttention(2, 4);
 * attention.apply(zeros([8, 10, 16]), { useCausalMask: true }).shape; // [8, 10, 16]
 * ```
 */
export class MultiHeadAttention extends HeadedAttention {
  static override readonly positional: readonly string[] = ['numHeads', 'keyDim'];
  readonly numHeads: number;
  readonly keyDim: number;
  protected override settled: Settled<MultiHeadAttentionOptions>;

  constructor(numHeads: number, keyDim: number, options: MultiHeadAttentionOptions = {}) {
    super(options);
    this.numHeads = expectInteger('MultiHeadAttention', 'numHeads', numHeads);
    this.keyDim = expectInteger('MultiHeadAttention', 'keyDim', keyDim);
    const settled = settle<MultiHeadAttentionOptions>('MultiHeadAttention', options, {
      ...HEADED_DEFAULTS,
      valueDim: keyDim,
      outputShape: null,
      attentionAxes: null,
    });
    this.settled = {
      ...settled,
      valueDim: expectInteger('MultiHeadAttention', 'valueDim', settled.valueDim ?? keyDim),
      outputShape: integers('outputShape', settled.outputShape, 1),
      attentionAxes: integers('attentionAxes', settled.attentionAxes, Number.NEGATIVE_INFINITY),
    };
    this.prepare('MultiHeadAttention');
  }

  override get className(): string {
    return 'MultiHeadAttention';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override heads(): Heads {
    return {
      ...(this.settled as unknown as Omit<Heads, 'queryHeads' | 'keyHeads' | 'keyDim'>),
      queryHeads: this.numHeads,
      keyHeads: this.numHeads,
      keyDim: this.keyDim,
    };
  }

  override build(shapes: unknown): void {
    super.build(shapes);
    // As Keras: counted from 0 once it is built.
    this.settled = { ...this.settled, attentionAxes: this.axesOf(this.shapesOf(shapes)[0].length) };
  }

  protected override fields(): Record<string, unknown> {
    return {
      numHeads: this.numHeads,
      keyDim: this.keyDim,
      ...super.fields(),
    };
  }
}
