import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { depthwiseConv1d, type Tensor } from '@recurra/tensor';
import { keepsSamplesApart } from '../../base/independence.js';
import { expectInteger, type Settled, settle } from '../../base/options.js';
import type { Variable } from '../../base/variable.js';
import {
  CONVOLUTION_DEFAULTS,
  Convolution,
  type ConvolutionOptions,
  settleWindows,
  type Windows,
} from './convolution.js';
import type { OneInteger } from './time-axis.js';

/** Options of {@link DepthwiseConv1D}. */
export interface DepthwiseConv1DOptions extends ConvolutionOptions {
  /** Filters of each channel; 1. */
  readonly depthMultiplier?: number;
  /** 'glorotUniform' */
  readonly depthwiseInitializer?: InitializerIdentifier;
  readonly depthwiseRegularizer?: RegularizerIdentifier | null;
  readonly depthwiseConstraint?: ConstraintIdentifier | null;
}

/**
 * Convolution over time of each channel with its own filters: [batch, time, channels] -> [batch, windows, channels * depthMultiplier], the filters of
 * one channel side by side. `kernel` [kernelSize, channels, depthMultiplier], glorotUniform; `bias` [channels * depthMultiplier], zeros.
 * Throws `ShapeError` for sequences shorter than one window. Keras `DepthwiseConv1D`.
 */
export class DepthwiseConv1D extends Convolution {
  static override readonly positional: readonly string[] = ['kernelSize'];
  protected override readonly settled: Settled<DepthwiseConv1DOptions> & Windows<'valid' | 'same'>;
  private kernel!: Variable;

  constructor(kernelSize: OneInteger, options: DepthwiseConv1DOptions = {}) {
    super('DepthwiseConv1D', kernelSize, options);
    const settled = settle<DepthwiseConv1DOptions>('DepthwiseConv1D', options, {
      depthMultiplier: 1,
      ...CONVOLUTION_DEFAULTS,
      depthwiseInitializer: 'glorotUniform',
      depthwiseRegularizer: null,
      depthwiseConstraint: null,
    });
    expectInteger('DepthwiseConv1D', 'depthMultiplier', settled.depthMultiplier);
    this.settled = { ...settled, ...settleWindows('DepthwiseConv1D', settled, ['valid', 'same'], { both: true }) };
  }

  override get className(): string {
    return 'DepthwiseConv1D';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.settled.activation);
  }

  protected filtersFor(channels: number): number {
    return channels * this.settled.depthMultiplier;
  }

  protected buildKernels(channels: number): void {
    const s = this.settled;
    this.kernel = this.variable({
      name: 'kernel',
      shape: [this.kernelSize, channels, s.depthMultiplier],
      initializer: s.depthwiseInitializer,
      regularizer: s.depthwiseRegularizer,
      constraint: s.depthwiseConstraint,
    });
  }

  protected convolve(x: Tensor): Tensor {
    const { padding, strides, dilationRate } = this.settled;
    return depthwiseConv1d(x, this.kernel.value, { strides: strides[0], dilationRate: dilationRate[0], padding });
  }
}
