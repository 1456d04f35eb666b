import { initializers } from '@recurra/cells';
import { allowedKeys } from '@recurra/cells/extend';
import { ShapeError, softmax, Tensor, ValueError, where } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { type CallOptions, type Context, Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import {
  type Data,
  differ,
  formatPartial,
  type PartialShape,
  type Symbolic,
  type SymbolicTensor,
} from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { Dropout } from '../dropout.js';
import { type AttentionArguments, type AttentionOutput, checkArguments, expectRate } from './arguments.js';

/** Inputs of {@link Attention}: what asks [batch, queries, features], what is given [batch, keys, width], and what is compared with (the values, where absent). */
export type AttentionInputs =
  | readonly [query: Tensor, value: Tensor]
  | readonly [query: Tensor, value: Tensor, key: Tensor];

/** Options of {@link AdditiveAttention}, and of {@link Attention} among others. */
export interface ScoredAttentionOptions extends LayerOptions {
  /** Learn a factor of the scores. */
  readonly useScale?: boolean;
  /** Share of the scores that training sets to 0; 0. */
  readonly dropout?: number;
  /** Of the dropout: draws the same in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/** What is taken from scores that do not count (Keras). */
const PENALTY = 1e9;

/** Attention by scores of queries and keys, without projections; subclasses say how a score is computed. */
export abstract class ScoredAttention<O extends ScoredAttentionOptions> extends Layer<
  AttentionInputs,
  AttentionOutput,
  AttentionArguments
> {
  protected override readonly supportsMasking = true;
  protected abstract override readonly settled: Settled<O>;
  private readonly dropout: Dropout | null;

  constructor(options: O, label: string) {
    super(options);
    const { dropout = 0, seed = null } = options;
    expectRate(label, dropout);
    this.dropout = dropout > 0 ? new Dropout(dropout, { seed, name: 'dropout' }) : null;
  }

  protected override checkInputs(shapes: readonly PartialShape[]): void {
    const lists = Array.isArray(shapes) && (shapes as readonly unknown[]).every((s) => Array.isArray(s));
    if (!lists || shapes.length < 2 || shapes.length > 3)
      throw new ValueError(
        `${this.label}: expected a list [query, value] or [query, value, key], received ${lists ? `${shapes.length} inputs` : 'one input'}`,
      );
    const [q, v, k = v] = shapes as unknown as readonly [PartialShape, PartialShape, PartialShape?];
    const fits =
      q.length >= 3 &&
      v.length === q.length &&
      k.length === q.length &&
      !differ(q[q.length - 1], k[q.length - 1]) &&
      !differ(v[q.length - 2], k[q.length - 2]) &&
      q.slice(0, -2).every((d, i) => !differ(d, v[i]) && !differ(d, k[i]));
    if (!fits)
      throw new ShapeError(
        `${this.label}: expected query [batch, queries, features], value [batch, keys, width] and key [batch, keys, features] (the value, where absent), received ${shapes.map(formatPartial).join(', ')}`,
      );
  }

  /** The scores [batch, queries, keys]. */
  protected abstract scores(query: Tensor, key: Tensor): Tensor;

  override apply(
    inputs: Symbolic<AttentionInputs>,
    options: CallOptions<AttentionInputs> & AttentionArguments & { readonly returnAttentionScores: true },
  ): readonly [SymbolicTensor, SymbolicTensor];
  override apply(
    inputs: Symbolic<AttentionInputs>,
    options?: CallOptions<AttentionInputs> & AttentionArguments & { readonly returnAttentionScores?: false },
  ): SymbolicTensor;
  override apply(
    inputs: Data<AttentionInputs>,
    options: CallOptions<AttentionInputs> & AttentionArguments & { readonly returnAttentionScores: true },
  ): readonly [Tensor, Tensor];
  override apply(
    inputs: Data<AttentionInputs>,
    options?: CallOptions<AttentionInputs> & AttentionArguments & { readonly returnAttentionScores?: false },
  ): Tensor;
  override apply(inputs: never, options?: CallOptions<AttentionInputs> & AttentionArguments): never {
    return super.apply(inputs, options) as never;
  }

  call(inputs: AttentionInputs, context: Context<AttentionInputs> & AttentionArguments): AttentionOutput {
    checkArguments(this.label, context);
    const { training, returnAttentionScores = false, useCausalMask = false } = context;
    const [query, value, key = value] = inputs;
    const [queryMask, valueMask] = this.masksOf(context.mask, inputs.length);
    let scores = this.scores(query, key);
    const [queries, keys] = [scores.shape[scores.rank - 2]!, scores.shape[scores.rank - 1]!];
    const known = valueMask ? valueMask.cast('bool').expandDims(-2) : null;
    const allowed = allowedKeys(known, useCausalMask, queries, keys);
    // Keras takes 1e9 from them, which leaves a row where none counts to what rounding makes of it: equal shares.
    if (allowed) scores = where(allowed, scores, scores.sub(PENALTY));
    const all = softmax(scores);
    const shares = this.dropout ? this.dropout.apply(all, { training }) : all;
    const mixed = shares.matmul(value);
    const output = queryMask ? where(queryMask.cast('bool').expandDims(-1), mixed, 0) : mixed;
    return returnAttentionScores ? [output, shares] : output;
  }

  /** The masks of queries and values. Throws `ValueError` for one mask instead of a list. */
  private masksOf(mask: unknown, inputs: number): readonly [Tensor | null, Tensor | null] {
    if (mask === null || mask === undefined) return [null, null];
    if (!Array.isArray(mask) || mask.length < 2 || mask.length > 3)
      throw new ValueError(
        `${this.label}: expected a list of masks [query, value]${inputs === 3 ? ' or [query, value, key]' : ''} (null for none), received ${mask instanceof Tensor ? 'one mask' : `${String((mask as { length?: number }).length ?? 'no list')}`}`,
      );
    return [mask[0] as Tensor | null, mask[1] as Tensor | null];
  }

  override computeMask(_inputs: AttentionInputs, masks: never, outputs?: AttentionOutput): never {
    const [own] = this.masksOf(masks, 3);
    return (Array.isArray(outputs) ? [own, null] : own) as never;
  }
}

/** Options of {@link Attention}. */
export interface AttentionOptions extends ScoredAttentionOptions {
  /** Learn a factor of the scores; false. */
  readonly useScale?: boolean;
  /** A product of query and key, or 'concat': a sum of tanh; 'dot'. */
  readonly scoreMode?: 'dot' | 'concat';
}

/**
 * softmax(scores) value: each query [batch, queries, features] mixes the values [batch, keys, width] by how well their keys [batch, keys, features]
 * fit it -> [batch, queries, width]. A score is `scale q . k` ('dot'), or `w sum(tanh(scale (q + k)))` ('concat', with a learned number w); `scale`
 * is 1, or learned (`useScale`), one number. Inputs are a list `[query, value]` or `[query, value, key]`.
 *
 * Keys whose values are masked get no share, queries that are masked give zeros, and the output has the mask of the queries. Luong et al. 2015. Keras
 * `Attention`.
 */
export class Attention extends ScoredAttention<AttentionOptions> {
  protected override readonly settled: Settled<AttentionOptions>;
  private scale: Variable | undefined;
  private concatScoreWeight: Variable | undefined;

  constructor(options: AttentionOptions = {}) {
    super(options, 'Attention');
    this.settled = settle<AttentionOptions>('Attention', options, {
      useScale: false,
      scoreMode: 'dot',
      dropout: 0,
      seed: null,
    });
    const { scoreMode } = this.settled;
    if (scoreMode !== 'dot' && scoreMode !== 'concat')
      throw new ValueError(`Attention: expected scoreMode 'dot' or 'concat', received ${describeValue(scoreMode)}`);
  }

  override get className(): string {
    return 'Attention';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  override build(_shapes: unknown): void {
    const one = (name: string): Variable => this.variable({ name, shape: [], initializer: initializers.ones() });
    if (this.settled.useScale) this.scale = one('scale');
    if (this.settled.scoreMode === 'concat') this.concatScoreWeight = one('concat_score_weight');
  }

  protected scores(query: Tensor, key: Tensor): Tensor {
    const scaled = (x: Tensor): Tensor => (this.scale ? x.mul(this.scale.value) : x);
    if (!this.concatScoreWeight) return scaled(query.matmul(key.swapaxes(-2, -1)));
    const sums = query.expandDims(-2).add(key.expandDims(-3));
    return scaled(sums).tanh().sum(-1).mul(this.concatScoreWeight.value);
  }
}
