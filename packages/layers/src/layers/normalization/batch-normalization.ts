import type { Initializer, InitializerIdentifier } from '@recurra/cells';
import { ShapeError, stopGradient, type Tensor, ValueError, where } from '@recurra/tensor';
import { checkRules, rules } from '@recurra/tensor/extend';
import { type Context, Layer } from '../../base/layer.js';
import { type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { floating } from '../../internal/floating.js';
import { axesIn, expectAxis, expectEpsilon, expectSizes, sizesOf, spread } from './axes.js';
import { betaSpec, gammaSpec, SCALE_OFFSET, type ScaleOffsetOptions } from './scale-offset.js';

/** Bounds of the corrections of batch renormalization; none where absent. */
export interface RenormClipping {
  readonly rmin?: number;
  readonly rmax?: number;
  readonly dmax?: number;
}

/** Options of {@link BatchNormalization}. */
export interface BatchNormalizationOptions extends ScaleOffsetOptions {
  /** The axis of the features, each of which has its statistics; -1. */
  readonly axis?: number;
  /** How much of the moving statistics a batch leaves; 0.99. */
  readonly momentum?: number;
  /** Added to the variance; 1e-3. */
  readonly epsilon?: number;
  /** 'zeros' */
  readonly movingMeanInitializer?: InitializerIdentifier;
  /** 'ones' */
  readonly movingVarianceInitializer?: InitializerIdentifier;
  /** Take statistics over all replicas: a model has one here, so that it changes nothing; false. */
  readonly synchronized?: boolean;
  /** Train with the statistics that inference will have (Ioffe 2017); false. */
  readonly renorm?: boolean;
  readonly renormClipping?: RenormClipping | null;
  /** The momentum of the statistics that renormalization corrects to; 0.99. */
  readonly renormMomentum?: number;
}

/** Keras' epsilon: added to the number of steps that count. */
const FUZZ = 1e-7;

/**
 * y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each feature [..., features]; the shape is kept. gamma, beta [features], ones and zeros.
 *
 * In training, mean and (population) variance are those of the batch, over all other axes, and move the statistics that inference uses: `moving =
 * momentum moving + (1 - momentum) batch`. Those (`moving_mean`, `moving_variance`, zeros and ones) are weights that are not trained; a compiled step updates
 * them in place. A layer that is frozen (`trainable = false`) uses the moving statistics in training, too, and leaves them. Steps that a mask
 * leaves out do not count in the batch's statistics; the mask passes through.
 *
 * Throws `ShapeError` for a mask that has not one axis less than the input. Ioffe & Szegedy 2015. Keras `BatchNormalization`.
 */
export class BatchNormalization extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<BatchNormalizationOptions>;
  private gamma: Variable | undefined;
  private beta: Variable | undefined;
  private movingMean!: Variable;
  private movingVariance!: Variable;
  private renormed: { readonly stddev: Variable; readonly mean: Variable; readonly ownStddev: Variable } | undefined;
  private sizes: readonly number[] | undefined;

  constructor(options: BatchNormalizationOptions = {}) {
    super(options);
    this.settled = settle<BatchNormalizationOptions>('BatchNormalization', options, {
      axis: -1,
      momentum: 0.99,
      epsilon: 1e-3,
      center: SCALE_OFFSET.center,
      scale: SCALE_OFFSET.scale,
      betaInitializer: SCALE_OFFSET.betaInitializer,
      gammaInitializer: SCALE_OFFSET.gammaInitializer,
      movingMeanInitializer: 'zeros',
      movingVarianceInitializer: 'ones',
      betaRegularizer: null,
      gammaRegularizer: null,
      betaConstraint: null,
      gammaConstraint: null,
      synchronized: false,
      renorm: false,
      renormClipping: null,
      renormMomentum: 0.99,
    });
    const { axis, epsilon, momentum, renormMomentum, renormClipping } = this.settled;
    expectAxis('BatchNormalization', axis, false);
    expectEpsilon('BatchNormalization', epsilon);
    for (const [name, value] of Object.entries({ momentum, renormMomentum }))
      if (typeof value !== 'number' || !(value >= 0 && value <= 1))
        throw new ValueError(`BatchNormalization: expected ${name} in 0..1, received ${String(value)}`);
    if (renormClipping !== null) expectClipping(renormClipping);
  }

  override get className(): string {
    return 'BatchNormalization';
  }

  protected override checkInputs(shape: PartialShape): void {
    expectSizes(this.label, this.settled.axis, shape, this.sizes);
  }

  override build(inputShape: PartialShape): void {
    const s = this.settled;
    const sizes = sizesOf(this.label, axesIn(this.label, s.axis, inputShape), inputShape);
    this.sizes = sizes;
    if (s.scale) this.gamma = this.variable(gammaSpec(s, sizes));
    if (s.center) this.beta = this.variable(betaSpec(s, sizes));
    const statistic = (name: string, initializer: Initializer): Variable =>
      this.variable({ name, shape: sizes, initializer, trainable: false });
    this.movingMean = statistic('moving_mean', s.movingMeanInitializer);
    this.movingVariance = statistic('moving_variance', s.movingVarianceInitializer);
    if (!s.renorm) return;
    const root: Initializer = {
      ...s.movingVarianceInitializer,
      create: (shape, options) => s.movingVarianceInitializer.create(shape, options).sqrt(),
    };
    this.renormed = {
      stddev: statistic('moving_stddev', root),
      mean: statistic('renorm_mean', s.movingMeanInitializer),
      ownStddev: statistic('renorm_stddev', root),
    };
  }

  call(inputs: Tensor, { training, mask }: Context): Tensor {
    const x = floating(inputs, this.dtype);
    if (mask && mask.rank !== x.rank - 1)
      throw new ShapeError(
        `${this.label}: expected a mask of one axis less than the input ${formatPartial(x.shape)}, received ${formatPartial(mask.shape)}`,
      );
    const axes = axesIn(this.label, this.settled.axis, x.shape);
    let gamma = this.gamma?.value ?? null;
    let beta = this.beta?.value ?? null;
    let mean = this.movingMean.value;
    let variance = this.movingVariance.value;
    if (training && this.trainable) {
      [mean, variance] = moments(x, axes[0]!, mask);
      if (this.renormed) [gamma, beta] = this.renorm(mean, variance, gamma, beta);
      else {
        this.move(this.movingMean, mean);
        this.move(this.movingVariance, variance);
      }
    }
    let inverse = variance.add(this.settled.epsilon).rsqrt();
    if (gamma) inverse = inverse.mul(gamma);
    const along = (v: Tensor): Tensor => spread(v, axes, x.shape);
    const y = x.sub(along(mean)).mul(along(inverse));
    return beta ? y.add(along(beta)) : y;
  }

  private move(statistic: Variable, batch: Tensor, momentum = this.settled.momentum): Tensor {
    const kept = stopGradient(batch).cast(statistic.dtype);
    const next = statistic.value
      .cast(statistic.dtype)
      .mul(momentum)
      .add(kept.mul(1 - momentum));
    statistic.assign(next);
    return next;
  }

  /** Factor and offset that give a batch the statistics of inference, which move on. */
  private renorm(mean: Tensor, variance: Tensor, gamma: Tensor | null, beta: Tensor | null): [Tensor, Tensor] {
    const { epsilon, renormClipping, renormMomentum } = this.settled;
    const { rmin = -Infinity, rmax = Infinity, dmax = Infinity } = renormClipping ?? {};
    const own = this.renormed!;
    const stddev = variance.add(epsilon).sqrt();
    const target = own.ownStddev.value.cast(mean.dtype).maximum(Math.sqrt(epsilon));
    const r = stopGradient(stddev.div(target)).maximum(rmin).minimum(rmax);
    const d = stopGradient(mean.sub(own.mean.value).div(target)).maximum(-dmax).minimum(dmax);
    this.move(own.mean, mean, renormMomentum);
    this.move(own.ownStddev, stddev, renormMomentum);
    this.move(this.movingMean, mean);
    this.movingVariance.assign(this.move(own.stddev, stddev).square().sub(epsilon).maximum(0));
    const shift = gamma ? d.mul(gamma) : d;
    return [gamma ? r.mul(gamma) : r, beta ? shift.add(beta) : shift];
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    axesIn(this.label, this.settled.axis, inputShape);
    return inputShape;
  }
}

/** Mean and population variance over all axes but one, of the steps that count. */
function moments(x: Tensor, axis: number, mask: Tensor | null): [Tensor, Tensor] {
  const axes = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const size = [x.shape[axis]!];
  if (!mask) {
    const mean = x.mean(axes, { keepDims: true });
    return [mean.reshape(size), x.sub(mean).square().mean(axes)];
  }
  const counted = mask.cast('bool').expandDims(-1).broadcastTo(x.shape);
  const number = counted.cast(x.dtype).sum(axes, { keepDims: true }).add(FUZZ);
  const mean = where(counted, x, 0).sum(axes, { keepDims: true }).div(number);
  const squares = where(counted, x.sub(mean), 0).square().sum(axes, { keepDims: true });
  return [mean.reshape(size), squares.div(number).reshape(size)];
}

function expectClipping(given: RenormClipping): void {
  const label = 'BatchNormalization: renormClipping';
  checkRules(label, given, { rmin: rules.anyNumber, rmax: rules.anyNumber, dmax: rules.notNegative });
  const { rmin, rmax } = given;
  if (rmin !== undefined && rmax !== undefined && rmax < rmin)
    throw new ValueError(`${label}: expected rmax of at least rmin, received ${rmax} and ${rmin}`);
}
