import { ShapeError, ValueError } from '@recurra/tensor';
import { expectInteger, type Settled, settle } from '../../base/options.js';
import { formatPartial } from '../../base/symbolic.js';
import { HEADED_DEFAULTS, HeadedAttention, type HeadedAttentionOptions, type Heads } from './headed-attention.js';

/** Options of {@link GroupedQueryAttention}. */
export type GroupedQueryAttentionOptions = HeadedAttentionOptions;

/**
 * As {@link MultiHeadAttention}, where groups of neighbouring heads of queries share the head of keys and values: `numQueryHeads` a multiple of
 * `numKeyValueHeads` (1: multi-query attention; as many: multi-head attention). All heads have `headDim` features.
 *
 * Inputs: [batch, time, features], or `[query, value]`, `[query, value, key]`; output [batch, queries, features of the query]. Masks and arguments are those of
 * `MultiHeadAttention`. Weights: `query` [features, numQueryHeads, headDim], `key` and `value` [features, numKeyValueHeads, headDim], `attention_output`
 * [numQueryHeads, headDim, features]. Ainslie et al. 2023. Keras `GroupQueryAttention` (the class is called `GroupedQueryAttention`).
 */
export class GroupedQueryAttention extends HeadedAttention {
  static override readonly positional: readonly string[] = ['headDim', 'numQueryHeads', 'numKeyValueHeads'];
  readonly headDim: number;
  readonly numQueryHeads: number;
  readonly numKeyValueHeads: number;
  protected override readonly settled: Settled<GroupedQueryAttentionOptions>;

  constructor(
    headDim: number,
    numQueryHeads: number,
    numKeyValueHeads: number,
    options: GroupedQueryAttentionOptions = {},
  ) {
    super(options);
    this.headDim = expectInteger('GroupedQueryAttention', 'headDim', headDim);
    this.numQueryHeads = expectInteger('GroupedQueryAttention', 'numQueryHeads', numQueryHeads);
    this.numKeyValueHeads = expectInteger('GroupedQueryAttention', 'numKeyValueHeads', numKeyValueHeads);
    if (numQueryHeads % numKeyValueHeads !== 0)
      throw new ValueError(
        `GroupedQueryAttention: expected numQueryHeads to be a multiple of numKeyValueHeads, received ${numQueryHeads} and ${numKeyValueHeads}`,
      );
    this.settled = settle<GroupedQueryAttentionOptions>('GroupedQueryAttention', options, HEADED_DEFAULTS);
    this.prepare('GroupedQueryAttention');
  }

  override get className(): string {
    return 'GroupedQueryAttention';
  }

  /** Keras keeps the projections of this class in attributes of its own. */
  protected override get savedNames(): Readonly<Record<string, string>> {
    const dense = ['query', 'key', 'gate', 'value', 'output'].map((part) => [`${part}Dense`, `_${part}_dense`]);
    return { ...super.savedNames, ...Object.fromEntries(dense) };
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override heads(): Heads {
    return {
      ...(this.settled as unknown as Pick<Heads, 'dropout' | 'seed' | 'useBias' | 'useGate' | 'slidingWindow'> & Heads),
      queryHeads: this.numQueryHeads,
      keyHeads: this.numKeyValueHeads,
      keyDim: this.headDim,
      valueDim: this.headDim,
      outputShape: null,
      attentionAxes: null,
    };
  }

  protected override checkInputs(shapes: unknown): void {
    super.checkInputs(shapes);
    const [query] = this.shapesOf(shapes);
    if (query.length !== 3)
      throw new ShapeError(
        `${this.label}: expected inputs of rank 3 [batch, time, features], received ${formatPartial(query)}`,
      );
  }

  protected override fields(): Record<string, unknown> {
    return {
      headDim: this.headDim,
      numQueryHeads: this.numQueryHeads,
      numKeyValueHeads: this.numKeyValueHeads,
      ...super.fields(),
    };
  }
}
