import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { conv1d, depthwiseConv1d, type Tensor } from '@recurra/tensor';
import { keepsSamplesApart } from '../../base/independence.js';
import { expectInteger, type Settled, settle } from '../../base/options.js';
import type { Variable } from '../../base/variable.js';
import { CONVOLUTION_DEFAULTS, Convolution, settleWindows, type Windows } from './convolution.js';
import type { DepthwiseConv1DOptions } from './depthwise-conv1d.js';
import type { OneInteger } from './time-axis.js';

/** Options of {@link SeparableConv1D}: those of the first of the two convolutions, and of the second. */
export interface SeparableConv1DOptions extends DepthwiseConv1DOptions {
  /** 'glorotUniform' */
  readonly pointwiseInitializer?: InitializerIdentifier;
  readonly pointwiseRegularizer?: RegularizerIdentifier | null;
  readonly pointwiseConstraint?: ConstraintIdentifier | null;
}

/**
 * Convolution over time in two: each channel with its own filters, then their mixture step by step: [batch, time, channels] ->
 * [batch, windows, filters]. `depthwiseKernel` [kernelSize, channels, depthMultiplier] and `pointwiseKernel`
 * [1, channels * depthMultiplier, filters], glorotUniform; `bias` [filters], zeros. Throws `ShapeError` for sequences shorter than one window.
 * Keras `SeparableConv1D`.
 */
export class SeparableConv1D extends Convolution {
  static override readonly positional: readonly string[] = ['filters', 'kernelSize'];
  /** Width of the output. */
  readonly filters: number;
  protected override readonly settled: Settled<SeparableConv1DOptions> & Windows<'valid' | 'same'>;
  private depthwiseKernel!: Variable;
  private pointwiseKernel!: Variable;

  constructor(filters: number, kernelSize: OneInteger, options: SeparableConv1DOptions = {}) {
    super('SeparableConv1D', kernelSize, options);
    this.filters = expectInteger('SeparableConv1D', 'filters', filters);
    const settled = settle<SeparableConv1DOptions>('SeparableConv1D', options, {
      depthMultiplier: 1,
      ...CONVOLUTION_DEFAULTS,
      depthwiseInitializer: 'glorotUniform',
      pointwiseInitializer: 'glorotUniform',
      depthwiseRegularizer: null,
      pointwiseRegularizer: null,
      depthwiseConstraint: null,
      pointwiseConstraint: null,
    });
    expectInteger('SeparableConv1D', 'depthMultiplier', settled.depthMultiplier);
    this.settled = { ...settled, ...settleWindows('SeparableConv1D', settled, ['valid', 'same'], { both: true }) };
  }

  override get className(): string {
    return 'SeparableConv1D';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.settled.activation);
  }

  protected filtersFor(): number {
    return this.filters;
  }

  protected buildKernels(channels: number): void {
    const s = this.settled;
    this.depthwiseKernel = this.variable({
      name: 'depthwise_kernel',
      shape: [this.kernelSize, channels, s.depthMultiplier],
      initializer: s.depthwiseInitializer,
      regularizer: s.depthwiseRegularizer,
      constraint: s.depthwiseConstraint,
    });
    this.pointwiseKernel = this.variable({
      name: 'pointwise_kernel',
      shape: [1, channels * s.depthMultiplier, this.filters],
      initializer: s.pointwiseInitializer,
      regularizer: s.pointwiseRegularizer,
      constraint: s.pointwiseConstraint,
    });
  }

  protected convolve(x: Tensor): Tensor {
    const { padding, strides, dilationRate } = this.settled;
    const options = { strides: strides[0], dilationRate: dilationRate[0], padding };
    return conv1d(depthwiseConv1d(x, this.depthwiseKernel.value, options), this.pointwiseKernel.value);
  }

  protected override fields(): Record<string, unknown> {
    return { filters: this.filters, ...super.fields() };
  }
}
