import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { ShapeError, type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, checkOptions } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { maskOf } from '../base/masks.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../base/options.js';
import { formatPartial, type PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';
import { floating } from '../internal/floating.js';
import { classIndices } from '../losses/alignment.js';
import { Loss } from '../losses/loss.js';
import { Mean } from '../metrics/mean.js';
import type { UpdateOptions } from '../metrics/metric.js';
import { type Chain, chainLoss, decodeChain, expectPotentials } from './crf-chain.js';

/** Options of {@link CRF}. */
export interface CRFOptions extends LayerOptions {
  /** Make the potentials from features by a kernel; without one, the inputs are the potentials; true. */
  readonly useKernel?: boolean;
  /** Add a bias to what the kernel gives; true. */
  readonly useBias?: boolean;
  /** Score the first and the last tag of a sequence, too; true. */
  readonly useBoundary?: boolean;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  /** Of the transitions; 'orthogonal'. */
  readonly chainInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly boundaryInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  readonly chainRegularizer?: RegularizerIdentifier | null;
  readonly boundaryRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
  readonly chainConstraint?: ConstraintIdentifier | null;
  readonly boundaryConstraint?: ConstraintIdentifier | null;
}

/**
 * A linear-chain conditional random field as the last layer of a tagger: [batch, time, features] -> potentials [batch, time, tags], in training and
 * after it. What makes tags of them stands beside the layer, since it needs the layer's transitions:
 *
 * - `crf.loss` for `compile`: minus the log-likelihood of the tags, class indices [batch, time], one number a sequence;
 * - `crf.accuracy` for `compile`: the share of steps whose decoded tag is right;
 * - `crf.decode(potentials, { mask })`: the tags of the highest score.
 *
 * Masks (of `Embedding` with `maskZero`, of `Masking`) reach all three; a masked step is not there. Weights: `kernel` [features, tags], `bias` [tags],
 * `chain_kernel` [tags, tags] from one tag to the next, `left_boundary` and `right_boundary` [tags]. A chain of weights that are all zero is a softmax at
 * each step. Lafferty et al. 2001; options as in TensorFlow Addons' `CRF`. Keras has none.
 *
 * ```ts
 * const crf = new CRF(tags);
 * const model = new Sequential([new Embedding(words, 32, { maskZero: true }), new LSTM(32, { returnSequences: true }), crf]);
 * model.compile({ optimizer: 'adam', loss: crf.loss, metrics: [crf.accuracy] });
 * await model.fit(x, y); // y: class indices [n, time]
 * const found = crf.decode(await model.predict(x), { mask: x.notEqual(0) }); // int32 [n, time]
 * ```
 */
export class CRF extends Layer {
  static override readonly positional: readonly string[] = ['tags'];
  /** How many tags there are. */
  readonly tags: number;
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<CRFOptions>;
  private kernel: Variable | undefined;
  private bias: Variable | undefined;
  private transitions!: Variable;
  private start: Variable | undefined;
  private end: Variable | undefined;

  /** @param tags how many tags there are */
  constructor(tags: number, options: CRFOptions = {}) {
    super(options);
    this.tags = expectInteger('CRF', 'tags', tags);
    this.settled = settle<CRFOptions>('CRF', options, {
      useKernel: true,
      useBias: true,
      useBoundary: true,
      kernelInitializer: 'glorotUniform',
      biasInitializer: 'zeros',
      chainInitializer: 'orthogonal',
      boundaryInitializer: 'zeros',
      kernelRegularizer: null,
      biasRegularizer: null,
      chainRegularizer: null,
      boundaryRegularizer: null,
      kernelConstraint: null,
      biasConstraint: null,
      chainConstraint: null,
      boundaryConstraint: null,
    });
  }

  override get className(): string {
    return 'CRF';
  }

  protected override checkInputs(shape: PartialShape): void {
    this.expectRank(
      shape,
      3,
      '[batch, time, features]',
      'A recurrent layer before this one needs returnSequences: true.',
    );
    const expected = this.settled.useKernel ? this.kernel?.shape[0] : this.tags;
    if (shape[2] === null || (expected !== undefined && shape[2] !== expected))
      throw new ShapeError(
        `${this.label}: expected ${expected ?? 'a known number of'} features, received ${formatPartial(shape)}${this.settled.useKernel ? '' : '. Without a kernel (useKernel: false) the inputs are the potentials of the tags.'}`,
      );
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const s = this.settled;
    const { tags } = this;
    if (s.useKernel) {
      this.kernel = this.variable({
        name: 'kernel',
        shape: [inputShape[2]!, tags],
        initializer: s.kernelInitializer,
        regularizer: s.kernelRegularizer,
        constraint: s.kernelConstraint,
      });
      if (s.useBias)
        this.bias = this.variable({
          name: 'bias',
          shape: [tags],
          initializer: s.biasInitializer,
          regularizer: s.biasRegularizer,
          constraint: s.biasConstraint,
        });
    }
    this.transitions = this.variable({
      name: 'chain_kernel',
      shape: [tags, tags],
      initializer: s.chainInitializer,
      regularizer: s.chainRegularizer,
      constraint: s.chainConstraint,
    });
    if (!s.useBoundary) return;
    const boundary = (name: string): Variable =>
      this.variable({
        name,
        shape: [tags],
        initializer: s.boundaryInitializer,
        regularizer: s.boundaryRegularizer,
        constraint: s.boundaryConstraint,
      });
    this.start = boundary('left_boundary');
    this.end = boundary('right_boundary');
  }

  call(x: Tensor): Tensor {
    if (!this.kernel) return x.mul(1);
    const product = x.matmul(this.kernel.value);
    return this.bias ? product.add(this.bias.value) : product;
  }

  override computeOutputShape([batch, time]: PartialShape): PartialShape {
    return [batch!, time!, this.tags];
  }

  protected override fields(): Record<string, unknown> {
    return { tags: this.tags, ...super.fields() };
  }

  private chain(dtype: Tensor['dtype']): Chain {
    if (!this.built)
      throw new ValueError(
        `${this.label}: expected a built layer, that has transitions. Apply it, or build the model.`,
      );
    const transitions = this.transitions.value.cast(dtype);
    const none = transitions.zerosLike().at(0);
    return {
      transitions,
      start: this.start?.value.cast(dtype) ?? none,
      end: this.end?.value.cast(dtype) ?? none,
    };
  }

  /**
   * Minus the log-likelihood of tags under potentials, one number a sample [batch]; a sample without steps gives 0. `mask` by default the potentials' own.
   * Throws `ShapeError` where shapes do not fit, `ValueError` for tags that are none at steps that count.
   */
  negativeLogLikelihood(tags: TensorLike, potentials: TensorLike, options: CRFMask = {}): Tensor {
    const { x, mask } = this.given(potentials, options);
    return chainLoss(x, classIndices(tags, x, this.label), this.chain(x.dtype), mask);
  }

  /** The tags of the highest score, int32 [batch, time]; 0 at masked steps. `mask` by default the potentials' own. Throws `ShapeError` as above. */
  decode(potentials: TensorLike, options: CRFMask = {}): Tensor {
    const { x, mask } = this.given(potentials, options);
    return decodeChain(x, this.chain(x.dtype), mask);
  }

  private given(potentials: TensorLike, options: CRFMask): { x: Tensor; mask: Tensor | null } {
    checkOptions(this.label, options, { mask: true });
    const given = asTensor(potentials);
    const mask =
      options.mask === undefined ? maskOf(given) : options.mask === null ? null : asTensor(options.mask).cast('bool');
    const x = floating(given);
    expectPotentials(this.label, x, mask, this.tags);
    return { x, mask };
  }

  /** The loss for `compile`: targets are class indices [batch, time]. Reduced to the mean over sequences; sample weights weigh sequences. */
  get loss(): Loss {
    return new CRFLoss(this);
  }

  /** A metric for `compile`: the share of steps that count whose decoded tag is right. */
  get accuracy(): Mean {
    return new CRFAccuracy(this);
  }
}

/** Which steps count. */
export interface CRFMask {
  /** bool [batch, time] */
  readonly mask?: TensorLike | null;
}

/** A loss or metric of a CRF is no data: it refers to its layer. */
function noData(what: string): never {
  throw new ValueError(
    `${what}: expected a ${what} that can be written as data, received that of a CRF layer. Compile again after loading, with crf.loss and crf.accuracy.`,
  );
}

class CRFLoss extends Loss {
  readonly #crf: CRF;

  constructor(crf: CRF) {
    super('crf', {}, {}, 'CRFLoss');
    this.#crf = crf;
  }

  call(yTrue: Tensor, yPred: Tensor): Tensor {
    return this.values(yTrue, yPred, null);
  }

  protected override values(yTrue: Tensor, yPred: Tensor, mask: Tensor | null): Tensor {
    return this.#crf.negativeLogLikelihood(yTrue, yPred, { mask });
  }

  /** The steps are in the losses already. */
  protected override lossMask(): null {
    return null;
  }

  override getConfig(): never {
    return noData('loss');
  }
}

class CRFAccuracy extends Mean {
  override readonly direction = 'up' as const;
  readonly #crf: CRF;

  constructor(crf: CRF) {
    super({}, 'accuracy', {}, 'CRFAccuracy');
    this.#crf = crf;
  }

  override updateState(yTrue: TensorLike, yPred?: TensorLike, options: UpdateOptions = {}): void {
    if (yPred === undefined) throw new ValueError('CRFAccuracy: expected tags and potentials, received one argument');
    const potentials = floating(asTensor(yPred));
    const found = this.#crf.decode(potentials, { mask: options.mask ?? null });
    this.add(classIndices(yTrue, potentials, 'CRFAccuracy').equal(found).cast('float32'), options);
  }

  override getConfig(): never {
    return noData('metric');
  }
}
