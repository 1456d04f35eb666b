import type {
  Constraint,
  ConstraintIdentifier,
  Initializer,
  InitializerIdentifier,
  Regularizer,
  RegularizerIdentifier,
} from '@recurra/cells';
import { describeRegularizer } from '@recurra/cells/extend';
import {
  type Activation,
  type ActivationIdentifier,
  type Padding,
  resolveActivation,
  ShapeError,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { knownName, type SnakeCase } from '@recurra/tensor/extend';
import { Layer } from '../../base/layer.js';
import type { Defaults, LayerOptions } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { type DataFormat, type OneInteger, oneInteger, resolveDataFormat, TimeAxis, windowCount } from './time-axis.js';

/** Options that all convolutions over time share. */
export interface ConvolutionOptions extends LayerOptions {
  /** Steps from one window to the next; 1. */
  readonly strides?: OneInteger;
  /** 'valid': windows that lie inside of the sequence; 'same': zeros around it, for as many outputs as there are strides. 'valid'. */
  readonly padding?: 'valid' | 'same';
  /** 'channelsLast': [batch, time, channels]; 'channelsFirst': [batch, channels, time]. */
  readonly dataFormat?: DataFormat | null;
  /** Steps from one element of a window to the next; 1. */
  readonly dilationRate?: OneInteger;
  /** `null`: linear. */
  readonly activation?: ActivationIdentifier | null;
  /** true */
  readonly useBias?: boolean;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
}

/** Whether there is a bias, and how it is made. */
type BiasRules = {
  readonly useBias: boolean;
  readonly biasInitializer: Initializer;
  readonly biasRegularizer: Regularizer | null;
  readonly biasConstraint: Constraint | null;
};

/** How windows lie, as options give it. */
interface GivenWindows {
  readonly strides: OneInteger;
  readonly padding: string;
  readonly dataFormat: DataFormat | null;
  readonly dilationRate: OneInteger;
}

/** The defaults of {@link ConvolutionOptions}. */
export const CONVOLUTION_DEFAULTS: Defaults<ConvolutionOptions> = {
  strides: 1,
  padding: 'valid',
  dataFormat: null,
  dilationRate: 1,
  activation: null,
  useBias: true,
  biasInitializer: 'zeros',
  biasRegularizer: null,
  biasConstraint: null,
};

/** How windows lie, as configurations hold it. */
export type Windows<P extends Padding> = {
  readonly strides: readonly [number];
  readonly padding: P;
  readonly dataFormat: SnakeCase<'channelsLast' | 'channelsFirst'>;
  readonly dilationRate: readonly [number];
};

/** Options of windows as configurations hold them. Throws `ValueError` for what they cannot be. */
export function settleWindows<P extends Padding>(
  label: string,
  given: GivenWindows,
  paddings: readonly P[],
  { both = false }: { readonly both?: boolean } = {},
): Windows<P> {
  const strides = oneInteger(label, 'strides', given.strides);
  const dilation = oneInteger(label, 'dilationRate', given.dilationRate);
  if (!both && strides > 1 && dilation > 1)
    throw new ValueError(
      `${label}: expected strides or dilationRate to be 1, received strides ${strides} and dilationRate ${dilation}`,
    );
  return {
    strides: [strides],
    padding: knownName(paddings, given.padding, `${label}: padding`),
    dataFormat: resolveDataFormat(label, given.dataFormat),
    dilationRate: [dilation],
  };
}

/**
 * What the layers that slide windows over time have in common: their geometry, the bias, the activation, and either order of axes. Subclasses
 * make kernels and write `convolve` for [batch, time, channels].
 */
export abstract class Convolution extends Layer {
  /** Steps in a window. */
  readonly kernelSize: number;
  protected readonly axis: TimeAxis;
  protected readonly activation: Activation;
  /** Options with defaults and in Keras' forms. */
  protected abstract override readonly settled: BiasRules & Windows<Padding>;
  protected bias: Variable | undefined;

  constructor(
    label: string,
    kernelSize: OneInteger,
    options: LayerOptions & Pick<ConvolutionOptions, 'dataFormat' | 'activation'>,
  ) {
    super(options);
    this.kernelSize = oneInteger(label, 'kernelSize', kernelSize);
    this.axis = new TimeAxis(resolveDataFormat(label, options.dataFormat));
    this.activation = resolveActivation(options.activation ?? null);
  }

  /** Filters of the outputs, for inputs of so many channels. */
  protected abstract filtersFor(channels: number): number;

  /** Makes the kernels for inputs of so many channels. */
  protected abstract buildKernels(channels: number): void;

  /** The outputs [batch, windows, filters], without bias, for inputs [batch, time, channels]. */
  protected abstract convolve(x: Tensor): Tensor;

  /** The number of outputs for so many steps. */
  protected windows(time: number | null): number | null {
    const { strides, padding, dilationRate } = this.settled;
    return windowCount(this.label, time, (this.kernelSize - 1) * dilationRate[0] + 1, strides[0], padding);
  }

  /** The channels that the kernels were made for. */
  private channels: number | null = null;

  protected override checkInputs(shape: PartialShape): void {
    this.axis.check(this.label, shape);
    const channels = shape[this.axis.channels];
    if (this.channels !== null && channels !== this.channels)
      throw new ShapeError(`${this.label}: expected ${this.channels} channels, received ${formatPartial(shape)}`);
    this.windows(shape[this.axis.time]!);
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const channels = inputShape[this.axis.channels];
    if (channels === null || channels === undefined || channels < 1)
      throw new ShapeError(
        `${this.label}: expected a known number of channels, received ${formatPartial(inputShape)}. Give it to Input.`,
      );
    this.buildKernels(channels);
    const s = this.settled;
    if (s.useBias)
      this.bias = this.variable({
        name: 'bias',
        shape: [this.filtersFor(channels)],
        initializer: s.biasInitializer,
        regularizer: s.biasRegularizer,
        constraint: s.biasConstraint,
      });
    this.channels = channels;
  }

  call(x: Tensor): Tensor {
    const y = this.convolve(this.axis.swap(x));
    return this.activation(this.axis.swap(this.bias ? y.add(this.bias.value) : y));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    const { axis } = this;
    axis.check(this.label, inputShape);
    const channels = inputShape[axis.channels];
    const filters = channels === null || channels === undefined ? null : this.filtersFor(channels);
    return axis.shape(inputShape[0]!, this.windows(inputShape[axis.time]!), filters);
  }

  protected override fields(): Record<string, unknown> {
    return {
      kernelSize: [this.kernelSize],
      ...super.fields(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }
}
