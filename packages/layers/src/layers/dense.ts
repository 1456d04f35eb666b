import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import {
  type Activation as ActivationFunction,
  type ActivationIdentifier,
  resolveActivation,
  ShapeError,
  type Tensor,
} from '@recurra/tensor';
import { keepsSamplesApart } from '../base/independence.js';
import { Layer } from '../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../base/options.js';
import { formatPartial, type PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';

/** Options of {@link Dense}. */
export interface DenseOptions extends LayerOptions {
  /** `null`: linear. */
  readonly activation?: ActivationIdentifier | null;
  /** true */
  readonly useBias?: boolean;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
}

/**
 * y = activation(x W + b) over the last axis: [..., features] -> [..., units]. W (`kernel`) [features, units], glorotUniform;
 * b (`bias`) [units], zeros. Keras `Dense`.
 */
export class Dense extends Layer {
  static override readonly positional: readonly string[] = ['units'];
  readonly units: number;
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<DenseOptions>;
  private readonly activation: ActivationFunction;
  private kernel!: Variable;
  private bias: Variable | undefined;

  constructor(units: number, options: DenseOptions = {}) {
    super(options);
    this.units = expectInteger('Dense', 'units', units);
    this.settled = settle<DenseOptions>('Dense', options, {
      activation: null,
      useBias: true,
      kernelInitializer: 'glorotUniform',
      biasInitializer: 'zeros',
      kernelRegularizer: null,
      biasRegularizer: null,
      kernelConstraint: null,
      biasConstraint: null,
    });
    this.activation = resolveActivation(this.settled.activation);
  }

  override get className(): string {
    return 'Dense';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.settled.activation);
  }

  protected override checkInputs(shape: PartialShape): void {
    const features = shape[shape.length - 1];
    if (shape.length < 2)
      throw new ShapeError(
        `${this.label}: expected input of rank 2 or more [batch, ..., features], received ${formatPartial(shape)}`,
      );
    if (this.built && features !== this.kernel.shape[0])
      throw new ShapeError(
        `${this.label}: expected ${this.kernel.shape[0]} features, received ${formatPartial(shape)}`,
      );
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const features = inputShape[inputShape.length - 1];
    if (features === null || features === undefined)
      throw new ShapeError(
        `${this.label}: expected a known number of features, received ${formatPartial(inputShape)}. Give the last size to Input.`,
      );
    const s = this.settled;
    this.kernel = this.variable({
      name: 'kernel',
      shape: [features, this.units],
      initializer: s.kernelInitializer,
      regularizer: s.kernelRegularizer,
      constraint: s.kernelConstraint,
    });
    if (s.useBias)
      this.bias = this.variable({
        name: 'bias',
        shape: [this.units],
        initializer: s.biasInitializer,
        regularizer: s.biasRegularizer,
        constraint: s.biasConstraint,
      });
  }

  call(x: Tensor): Tensor {
    const product = x.matmul(this.kernel.value);
    return this.activation(this.bias ? product.add(this.bias.value) : product);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return [...inputShape.slice(0, -1), this.units];
  }

  protected override fields(): Record<string, unknown> {
    return {
      units: this.units,
      ...super.fields(),
      quantizationConfig: null,
    };
  }
}
