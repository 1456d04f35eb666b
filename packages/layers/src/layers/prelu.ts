import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { ShapeError, type Tensor } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { differ, formatPartial, type PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';

/** Options of {@link PReLU}. */
export interface PReLUOptions extends LayerOptions {
  /** 'zeros' */
  readonly alphaInitializer?: InitializerIdentifier;
  readonly alphaRegularizer?: RegularizerIdentifier | null;
  readonly alphaConstraint?: ConstraintIdentifier | null;
  /** Axes (from 1, after the batch axis) along which slopes are shared: [1] for one slope a feature of sequences; `null`: none. */
  readonly sharedAxes?: number | readonly number[] | null;
}

/**
 * x where x > 0, alpha * x below, with learned slopes: `alpha` has the shape of a sample, 1 along `sharedAxes`; zeros. He et al. 2015.
 * Throws `ShapeError` where a size that is not shared is open. Keras `PReLU`.
 */
export class PReLU extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<PReLUOptions>;
  private readonly shared: readonly number[];
  private alpha!: Variable;

  constructor(options: PReLUOptions = {}) {
    super(options);
    const s = settle<PReLUOptions>(
      'PReLU',
      options,
      {
        alphaInitializer: 'zeros',
        alphaRegularizer: null,
        alphaConstraint: null,
        sharedAxes: null,
      },
      { sharedAxes: rules.orNull(rules.either(rules.count, rules.listOf(rules.count, 'a list of axes >= 1'))) },
    );
    const sharedAxes = typeof s.sharedAxes === 'number' ? [s.sharedAxes] : s.sharedAxes;
    this.shared = sharedAxes ?? [];
    this.settled = { ...s, sharedAxes };
  }

  override get className(): string {
    return 'PReLU';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    if (shape.length === 0 || this.shared.some((axis) => axis >= shape.length))
      throw new ShapeError(
        `${this.label}: expected input with the axes of sharedAxes [${this.shared.join(', ')}] after the batch axis, received ${formatPartial(shape)}`,
      );
    if (!this.built) return;
    const expected = this.alpha.shape.map((d, i) => (this.shared.includes(i + 1) ? null : d));
    if (shape.length !== expected.length + 1 || expected.some((d, i) => differ(d, shape[i + 1])))
      throw new ShapeError(
        `${this.label}: expected input of shape ${formatPartial([null, ...expected])}, received ${formatPartial(shape)}`,
      );
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const shape = inputShape.slice(1).map((d, i) => {
      if (this.shared.includes(i + 1)) return 1;
      if (d === null)
        throw new ShapeError(
          `${this.label}: expected known sizes along axes that are not shared, received ${formatPartial(inputShape)}. Use { sharedAxes: [${i + 1}] }, or give the size to Input.`,
        );
      return d;
    });
    this.alpha = this.variable({
      name: 'alpha',
      shape,
      initializer: this.settled.alphaInitializer,
      regularizer: this.settled.alphaRegularizer,
      constraint: this.settled.alphaConstraint,
    });
  }

  call(x: Tensor): Tensor {
    return x.relu().sub(this.alpha.value.mul(x.neg().relu()));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }
}
