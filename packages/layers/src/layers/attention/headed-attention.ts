import {
  type Constraint,
  type ConstraintIdentifier,
  dotProductAttention,
  type Initializer,
  type InitializerIdentifier,
  type Regularizer,
  type RegularizerIdentifier,
} from '@recurra/cells';
import { allowedKeys, describeRegularizer, MASKED, resolveRegularizer } from '@recurra/cells/extend';
import { arange, repeat, ShapeError, softmax, Tensor, ValueError, where } from '@recurra/tensor';
import { sizeOf } from '@recurra/tensor/extend';
import { type BuildConfig, type CallOptions, type Context, Layer } from '../../base/layer.js';
import { withMask } from '../../base/masks.js';
import { type Defaults, expectInteger, type LayerOptions } from '../../base/options.js';
import {
  type Data,
  differ,
  formatPartial,
  type PartialShape,
  type Symbolic,
  type SymbolicTensor,
} from '../../base/symbolic.js';
import { Dropout } from '../dropout.js';
import { EinsumDense } from '../einsum-dense.js';
import { type AttentionArguments, type AttentionOutput, checkArguments, expectRate } from './arguments.js';

/** Inputs of attention with heads: one tensor that attends to itself, or a list. */
export type HeadedInputs =
  | Tensor
  | readonly [query: Tensor, value: Tensor]
  | readonly [query: Tensor, value: Tensor, key: Tensor];

/** Arguments of a call of attention with heads. */
export interface HeadedArguments extends AttentionArguments {
  /** bool [batch, queries, keys], or less of the leading axes, or [batch, heads, queries, keys]: which query may look at which key; all. */
  readonly attentionMask?: Tensor | SymbolicTensor | null;
}

/** Options that layers of attention with heads share. */
export interface HeadedAttentionOptions extends LayerOptions {
  /** Share of the scores that training sets to 0; 0. */
  readonly dropout?: number;
  /** true */
  readonly useBias?: boolean;
  /** Multiply what the heads give by sigmoid(query W + b) (Qiu et al. 2025); false. */
  readonly useGate?: boolean;
  /** Let queries see only keys less than so many steps away; `null`: all. */
  readonly slidingWindow?: number | null;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  /** A penalty on what each projection gives. */
  readonly activityRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
  /** Of the dropout: draws the same in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/** Their defaults. */
export const HEADED_DEFAULTS: Defaults<HeadedAttentionOptions> = {
  dropout: 0,
  useBias: true,
  useGate: false,
  slidingWindow: null,
  kernelInitializer: 'glorotUniform',
  biasInitializer: 'zeros',
  kernelRegularizer: null,
  biasRegularizer: null,
  kernelConstraint: null,
  biasConstraint: null,
  seed: null,
};

/** What attention with heads is made of. */
export interface Heads {
  readonly queryHeads: number;
  /** Heads of keys and values; a divisor of those of queries. */
  readonly keyHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly dropout: number;
  readonly seed: number | null;
  readonly useBias: boolean;
  /** Multiply what the heads give by a sigmoid of a projection of the query? */
  readonly useGate: boolean;
  /** Sizes of the output's last axes; `null`: those of the query. */
  readonly outputShape: readonly number[] | null;
  /** Axes that are attended over; `null`: all but the batch's and the features'. */
  readonly attentionAxes: readonly number[] | null;
  readonly slidingWindow: number | null;
  readonly kernelInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly biasRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  readonly biasConstraint: Constraint | null;
}

/** What {@link HeadedAttention} takes of its options from a subclass. */
type Call = CallOptions<HeadedInputs> & HeadedArguments;

/**
 * Attention in several heads: queries, keys and values are projected, each head mixes its values by softmax(q . k / sqrt(keyDim)), and a projection joins
 * the heads. In a compiled step it is one kernel, which never holds the matrix of all scores, unless they are asked for or dropped out.
 */
export abstract class HeadedAttention extends Layer<HeadedInputs, AttentionOutput, HeadedArguments> {
  protected override readonly supportsMasking = true;
  protected override readonly masksByInput = true;
  private queryDense: EinsumDense | undefined;
  private keyDense: EinsumDense | undefined;
  private gateDense: EinsumDense | undefined;
  private valueDense: EinsumDense | undefined;
  private outputDense: EinsumDense | undefined;
  private dropoutLayer: Dropout | undefined;

  /** On what the projections give: Keras hands it on to them. */
  private readonly penalty: Regularizer | null;

  constructor(given: HeadedAttentionOptions) {
    // What is no object is left for the base to refuse.
    const { activityRegularizer = null, ...options } = given ?? { activityRegularizer: null };
    super((given && options) as LayerOptions);
    this.penalty = resolveRegularizer(activityRegularizer);
  }

  protected override get savedNames(): Readonly<Record<string, string>> {
    return { dropoutLayer: '_dropout_layer' };
  }

  override argumentsOf(inputs: unknown): readonly unknown[] {
    return Array.isArray(inputs) ? inputs : [inputs, inputs];
  }

  override getBuildConfig(): BuildConfig<HeadedInputs> | null {
    const shapes = super.getBuildConfig()?.inputShape;
    if (shapes === undefined) return null;
    const [queryShape, valueShape, keyShape] = this.shapesOf(shapes);
    const several = Array.isArray(shapes) && shapes.length === 3 && Array.isArray(shapes[0]);
    return { shapesDict: { queryShape, valueShape, ...(several ? { keyShape } : {}) } };
  }

  override buildFromConfig(config: BuildConfig<HeadedInputs>): void {
    const { queryShape, valueShape, keyShape } = config.shapesDict ?? {};
    if (queryShape && valueShape) this.build([queryShape, valueShape, ...(keyShape ? [keyShape] : [])]);
    else super.buildFromConfig(config);
  }

  /** What it is made of. */
  protected abstract heads(): Heads;

  /** Called in the constructor, once the options are there. Throws `ValueError`. */
  protected prepare(label: string): void {
    const { dropout, seed, slidingWindow } = this.heads();
    if (slidingWindow !== null) expectInteger(label, 'slidingWindow', slidingWindow);
    expectRate(label, dropout);
    if (dropout > 0) this.dropoutLayer = new Dropout(dropout, { seed, name: 'dropout', dtype: this.dtype as never });
  }

  /** The axes that are attended over, for an input of some rank. Throws `ValueError` for others than those between batch and features. */
  protected axesOf(rank: number): readonly number[] {
    const { attentionAxes } = this.heads();
    if (attentionAxes === null) return Array.from({ length: rank - 2 }, (_, i) => i + 1);
    const axes = attentionAxes.map((a) => (a < 0 ? a + rank : a));
    if (axes.some((a) => a < 1 || a > rank - 2) || new Set(axes).size !== axes.length)
      throw new ValueError(
        `${this.label}: expected attentionAxes between the batch's and the features' (1..${rank - 2}, each once) for inputs of rank ${rank}, received ${attentionAxes.join(', ')}`,
      );
    return axes;
  }

  protected override checkInputs(shapes: unknown): void {
    const [q, v, k] = this.shapesOf(shapes);
    const all = [q, v, k];
    const rank = q.length;
    const told = all.map(formatPartial).join(', ');
    if (rank < 3 || all.some((s) => s.length !== rank))
      throw new ShapeError(
        `${this.label}: expected query, value and key of one rank of at least 3 [batch, ..., features], received ${told}`,
      );
    const axes = this.axesOf(rank);
    for (let i = 0; i < rank - 1; i++)
      if (differ(v[i], k[i]) || (!axes.includes(i) && differ(q[i], v[i])))
        throw new ShapeError(
          `${this.label}: expected query [batch, queries, features], value and key [batch, keys, features] that agree in axis ${i}, received ${told}`,
        );
    [this.queryDense, this.valueDense, this.keyDense].forEach((dense, i) => {
      const size = dense?.weights[0]?.shape[0];
      if (size !== undefined && differ(all[i]![rank - 1], size))
        throw new ShapeError(
          `${this.label}: expected ${['query', 'value', 'key'][i]} of ${size} features, received ${formatPartial(all[i]!)}`,
        );
    });
  }

  /** The shapes of query, value and key. */
  protected shapesOf(shapes: unknown): readonly [PartialShape, PartialShape, PartialShape] {
    const list = shapes as readonly unknown[];
    if (Array.isArray(list) && !list.some((s) => Array.isArray(s))) {
      const own = list as PartialShape;
      return [own, own, own];
    }
    if (!Array.isArray(list) || !list.every((s) => Array.isArray(s)) || list.length < 2 || list.length > 3)
      throw new ValueError(
        `${this.label}: expected one input (self-attention), [query, value] or [query, value, key], received ${Array.isArray(list) ? `${list.length} inputs` : 'another structure'}`,
      );
    const [q, v, k = v] = list as unknown as readonly [PartialShape, PartialShape, PartialShape?];
    return [q, v, k];
  }

  override build(shapes: unknown): void {
    this.checkInputs(shapes);
    const [q, v, k] = this.shapesOf(shapes);
    const h = this.heads();
    const { kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, kernelConstraint } = h;
    const common = {
      ...{ kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, kernelConstraint },
      biasConstraint: h.biasConstraint,
      activityRegularizer: this.penalty,
      trainable: this.trainable,
      dtype: this.dtype as never,
    };
    // Keras' equations: all axes but the last `bound` are kept, and others take the place of those.
    const letters = (from: number, n: number): string =>
      Array.from({ length: n }, (_, i) => String.fromCharCode(97 + from + i)).join('');
    const project = (name: string, shape: PartialShape, outputs: readonly number[], bound = 1): EinsumDense => {
      const kept = letters(0, shape.length - bound);
      const summed = letters(kept.length, bound);
      const made = letters(shape.length, outputs.length);
      const dense = new EinsumDense(
        `${kept}${summed},${summed}${made}->${kept}${made}`,
        [...Array.from({ length: kept.length - 1 }, () => null), ...outputs],
        { ...common, name, biasAxes: h.useBias ? made : null, activation: name === 'gate' ? 'sigmoid' : null },
      );
      dense.build(shape);
      return dense;
    };
    this.queryDense = project('query', q, [h.queryHeads, h.keyDim]);
    this.keyDense = project('key', k, [h.keyHeads, h.keyDim]);
    if (h.useGate) this.gateDense = project('gate', q, [h.queryHeads, h.valueDim]);
    this.valueDense = project('value', v, [h.keyHeads, h.valueDim]);
    const outputs = h.outputShape ?? [q[q.length - 1]!];
    this.outputDense = project('attention_output', [...q.slice(0, -1), h.queryHeads, h.valueDim], outputs, 2);
  }

  override apply(
    inputs: Symbolic<HeadedInputs>,
    options: Call & { readonly returnAttentionScores: true },
  ): readonly [SymbolicTensor, SymbolicTensor];
  override apply(
    inputs: Symbolic<HeadedInputs>,
    options?: Call & { readonly returnAttentionScores?: false },
  ): SymbolicTensor;
  override apply(
    inputs: Data<HeadedInputs>,
    options: Call & { readonly returnAttentionScores: true },
  ): readonly [Tensor, Tensor];
  override apply(inputs: Data<HeadedInputs>, options?: Call & { readonly returnAttentionScores?: false }): Tensor;
  override apply(inputs: never, options?: Call): never {
    return super.apply(inputs, options) as never;
  }

  call(inputs: HeadedInputs, context: Context<HeadedInputs> & HeadedArguments): AttentionOutput {
    checkArguments(this.label, context, { attentionMask: true });
    const { returnAttentionScores = false, useCausalMask = false } = context;
    // The projections know nothing of masks.
    const [query, value, key] = (
      inputs instanceof Tensor ? [inputs, inputs, inputs] : [inputs[0], inputs[1], inputs[2] ?? inputs[1]]
    ).map((x) => withMask(x, null)) as [Tensor, Tensor, Tensor];
    const { keyDim, slidingWindow, queryHeads, keyHeads } = this.heads();
    const axes = this.axesOf(query.rank);
    if ((useCausalMask || slidingWindow !== null) && axes.length > 1)
      throw new ValueError(
        `${this.label}: expected one axis of attention with useCausalMask or slidingWindow, which need an order, received ${axes.join(', ')}. Pass { attentionAxes }.`,
      );
    const gate = this.gateDense?.apply(query);
    const repeats = queryHeads / keyHeads;
    const shared = (x: Tensor): Tensor => (repeats === 1 ? x : repeat(x, repeats, x.rank - 2));
    const folding = new Folding(query.shape, value.shape, axes);
    const q = folding.fold(this.queryDense!.apply(query));
    const k = folding.fold(shared(this.keyDense!.apply(key)));
    const v = folding.fold(shared(this.valueDense!.apply(value)));
    const mask = this.maskFor(context, folding);
    const scale = 1 / Math.sqrt(keyDim);
    const drop = context.training ? this.dropoutLayer : undefined;
    const allowed = (): Tensor | null => allowedKeys(mask, useCausalMask, folding.queries, folding.keys);
    let mixed: Tensor;
    let shares: Tensor | null = null;
    if (!returnAttentionScores && !drop) {
      mixed = dotProductAttention(q, k, v, { mask, causal: useCausalMask, scale });
      // Where no key counts: all alike in Keras' fused attention, none at all where it computes the scores by themselves.
      if (mask && (this.dropoutLayer || query.rank > 3))
        mixed = where(allowed()!.any(-1, { keepDims: true }).transpose([0, 2, 1, 3]), mixed, 0);
    } else {
      const scores = q
        .mul(scale)
        .transpose([0, 2, 1, 3])
        .matmul(k.transpose([0, 2, 3, 1]));
      const counted = allowed();
      shares = counted ? where(counted, softmax(where(counted, scores, MASKED)), 0) : softmax(scores);
      const kept = drop ? drop.apply(shares, { training: true }) : shares;
      mixed = kept.matmul(v.transpose([0, 2, 1, 3])).transpose([0, 2, 1, 3]);
    }
    const heads = folding.unfold(mixed);
    const output = this.outputDense!.apply(gate ? heads.mul(gate) : heads);
    return returnAttentionScores ? [output, folding.unfoldScores(shares!)] : output;
  }

  /** What each query may look at, [batch or 1, heads or 1, queries or 1, keys], but for causality; `null`: all. */
  private maskFor(context: Context<HeadedInputs> & HeadedArguments, folding: Folding): Tensor | null {
    const { slidingWindow } = this.heads();
    const found: Tensor[] = [];
    const [q, v, k] = this.masksOf(context.mask);
    if (q) found.push(folding.steps(q, 'query', this.label));
    if (v) found.push(folding.steps(v, 'value', this.label));
    if (k) found.push(folding.steps(k, 'key', this.label));
    if (slidingWindow !== null) {
      const near = arange(folding.queries)
        .reshape([folding.queries, 1])
        .sub(arange(folding.keys))
        .abs()
        .less(slidingWindow);
      found.push(near.reshape([1, 1, folding.queries, folding.keys]));
    }
    const given = context.attentionMask as Tensor | null | undefined;
    if (given) found.push(folding.pairs(given, this.label));
    return found.length === 0 ? null : found.reduce((a, b) => a.logicalAnd(b));
  }

  /** The masks of query, value and key. Throws `ValueError` for another structure than that of the inputs. */
  private masksOf(mask: unknown): readonly (Tensor | null)[] {
    if (mask === null || mask === undefined) return [null, null, null];
    // Of an input that attends to itself: queries and keys are the same steps.
    if (mask instanceof Tensor) return [mask, mask, null];
    if (!Array.isArray(mask) || mask.length < 2 || mask.length > 3)
      throw new ValueError(
        `${this.label}: expected masks [query, value] or [query, value, key] (null for none), received another structure`,
      );
    return [mask[0], mask[1], mask[2] ?? null] as readonly (Tensor | null)[];
  }

  protected override fields(): Record<string, unknown> {
    return { ...super.fields(), activityRegularizer: describeRegularizer(this.penalty) };
  }

  override computeMask(inputs: HeadedInputs, masks: unknown, outputs?: AttentionOutput): never {
    if (masks instanceof Tensor && !(inputs instanceof Tensor))
      throw new ValueError(`${this.label}: expected masks [query, value] for a list of inputs, received one mask`);
    const own = this.masksOf(masks)[0] ?? null;
    return (Array.isArray(outputs) ? [own, null] : own) as never;
  }
}

/** How inputs of any rank become [batch, steps, heads, depth]: axes that are attended over make up the steps, all others the batch. */
class Folding {
  readonly queries: number;
  readonly keys: number;
  private readonly rank: number;
  private readonly axes: readonly number[];
  private readonly others: readonly number[];
  private readonly sizes: {
    readonly batch: readonly number[];
    readonly queries: readonly number[];
    readonly keys: readonly number[];
  };
  private readonly plain: boolean;

  constructor(query: readonly number[], value: readonly number[], axes: readonly number[]) {
    this.rank = query.length;
    this.axes = axes;
    this.others = query.map((_, i) => i).filter((i) => i < this.rank - 1 && !axes.includes(i));
    const of = (shape: readonly number[], at: readonly number[]): number[] => at.map((i) => shape[i]!);
    this.sizes = { batch: of(query, this.others), queries: of(query, axes), keys: of(value, axes) };
    this.queries = sizeOf(this.sizes.queries);
    this.keys = sizeOf(this.sizes.keys);
    this.plain = this.rank === 3;
  }

  /** [batch, ..., heads, depth] as [batch, steps, heads, depth]. */
  fold(x: Tensor): Tensor {
    if (this.plain) return x;
    const order = [...this.others, ...this.axes, this.rank - 1, this.rank];
    const steps = sizeOf(this.axes.map((a) => x.shape[a]!));
    return x.transpose(order).reshape([sizeOf(this.sizes.batch), steps, ...x.shape.slice(-2)]);
  }

  /** The way back, for queries. */
  unfold(x: Tensor): Tensor {
    if (this.plain) return x;
    const order = [...this.others, ...this.axes, this.rank - 1, this.rank];
    const back = order.map((_, i) => order.indexOf(i));
    return x.reshape([...this.sizes.batch, ...this.sizes.queries, ...x.shape.slice(-2)]).transpose(back);
  }

  /** Scores [batch, heads, queries, keys] with the axes that the inputs had. */
  unfoldScores(x: Tensor): Tensor {
    if (this.plain) return x;
    return x.reshape([...this.sizes.batch, x.shape[1]!, ...this.sizes.queries, ...this.sizes.keys]);
  }

  /** The mask of the steps of an input (its leading axes) as one of queries or of keys. */
  steps(mask: Tensor, what: 'query' | 'value' | 'key', label: string): Tensor {
    const { batch, queries, keys } = this.sizes;
    const own = what === 'query' ? queries : keys;
    const shape = Array.from({ length: this.rank - 1 }, (_, i) => {
      const at = this.axes.indexOf(i);
      return at >= 0 ? own[at]! : batch[this.others.indexOf(i)]!;
    });
    if (mask.rank < 2 || mask.rank > shape.length || mask.shape.some((d, i) => d !== shape[i]))
      throw new ShapeError(
        `${label}: expected a mask of the ${what} of shape ${formatPartial(shape)} (or of its leading axes), received ${formatPartial(mask.shape)}`,
      );
    const bits = mask.cast('bool').reshape([...mask.shape, ...shape.slice(mask.rank).map(() => 1)]);
    const steps = bits.broadcastTo(shape).transpose([...this.others, ...this.axes]);
    const size = sizeOf(own);
    return steps.reshape([sizeOf(batch), 1, ...(what === 'query' ? [size, 1] : [1, size])]);
  }

  /** A mask of pairs [batch, queries, keys], of less leading axes, or with heads. */
  pairs(mask: Tensor, label: string): Tensor {
    const { batch, queries, keys } = this.sizes;
    const pairs = [...queries, ...keys];
    const full = batch.length + 1 + pairs.length;
    const heads = mask.rank === full;
    const lead = heads ? mask.shape.slice(0, batch.length) : mask.shape.slice(0, Math.max(0, mask.rank - pairs.length));
    const last = mask.shape.slice(mask.rank - pairs.length);
    const fits =
      mask.rank >= pairs.length &&
      mask.rank <= full &&
      last.every((d, i) => d === 1 || d === pairs[i]) &&
      lead.every((d, i) => d === 1 || d === batch[batch.length - lead.length + i]);
    if (!fits)
      throw new ShapeError(
        `${label}: expected an attentionMask of shape ${formatPartial([...batch, ...pairs])} (batch, queries, keys; 1 where one is for all), received ${formatPartial(mask.shape)}`,
      );
    const ones = new Array<number>(batch.length - lead.length).fill(1);
    const shape = [...ones, ...lead, heads ? mask.shape[batch.length]! : 1, ...last];
    const bits = mask.cast('bool').reshape(shape);
    if (this.plain) return bits;
    const wide = bits.broadcastTo([...batch, shape[batch.length]!, ...pairs]);
    return wide.reshape([sizeOf(batch), shape[batch.length]!, this.queries, this.keys]);
  }
}
