import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { conv1dTranspose, type Tensor, ValueError } from '@recurra/tensor';
import { conv1dTransposeLength } from '@recurra/tensor/extend';
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
import { type OneInteger, oneInteger } from './time-axis.js';

/** Options of {@link Conv1DTranspose}. */
export interface Conv1DTransposeOptions extends ConvolutionOptions {
  /** Steps at the end beyond those of the shortest output, fewer than `strides`; `null`: as many as Keras takes for `padding`. */
  readonly outputPadding?: OneInteger | null;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
}

/**
 * The transpose of a convolution over time: each step adds its filters, `strides` apart: [batch, time, channels] -> [batch, longer, filters]; with
 * 'same' time * strides long, with 'valid' (time - 1) * strides + max(span of the kernel, strides). `kernel` [kernelSize, filters, channels],
 * glorotUniform; `bias` [filters], zeros. Keras `Conv1DTranspose`.
 */
export class Conv1DTranspose extends Convolution {
  static override readonly positional: readonly string[] = ['filters', 'kernelSize'];
  /** Width of the output. */
  readonly filters: number;
  protected override readonly settled: Settled<Conv1DTransposeOptions> & Windows<'valid' | 'same'>;
  private readonly outputPadding: number | null;
  private kernel!: Variable;

  constructor(filters: number, kernelSize: OneInteger, options: Conv1DTransposeOptions = {}) {
    super('Conv1DTranspose', kernelSize, options);
    this.filters = expectInteger('Conv1DTranspose', 'filters', filters);
    const settled = settle<Conv1DTransposeOptions>('Conv1DTranspose', options, {
      ...CONVOLUTION_DEFAULTS,
      outputPadding: null,
      kernelInitializer: 'glorotUniform',
      kernelRegularizer: null,
      kernelConstraint: null,
    });
    const windows = settleWindows('Conv1DTranspose', settled, ['valid', 'same']);
    const { outputPadding } = settled;
    this.outputPadding =
      outputPadding === null ? null : oneInteger('Conv1DTranspose', 'outputPadding', outputPadding, 0);
    if (this.outputPadding !== null && this.outputPadding >= windows.strides[0])
      throw new ValueError(
        `Conv1DTranspose: expected outputPadding to be less than strides (${windows.strides[0]}), received ${this.outputPadding}`,
      );
    this.settled = {
      ...settled,
      ...windows,
      outputPadding: this.outputPadding === null ? null : [this.outputPadding],
    };
  }

  override get className(): string {
    return 'Conv1DTranspose';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.settled.activation);
  }

  protected filtersFor(): number {
    return this.filters;
  }

  protected override windows(time: number | null): number | null {
    return time === null ? null : conv1dTransposeLength(time, this.kernelSize, this.geometry());
  }

  private geometry(): Parameters<typeof conv1dTransposeLength>[2] {
    const { strides, dilationRate, padding } = this.settled;
    return {
      strides: strides[0],
      dilationRate: dilationRate[0],
      padding,
      outputPadding: this.outputPadding,
    };
  }

  protected buildKernels(channels: number): void {
    const s = this.settled;
    this.kernel = this.variable({
      name: 'kernel',
      shape: [this.kernelSize, this.filters, channels],
      initializer: s.kernelInitializer,
      regularizer: s.kernelRegularizer,
      constraint: s.kernelConstraint,
    });
  }

  protected convolve(x: Tensor): Tensor {
    return conv1dTranspose(x, this.kernel.value, this.geometry());
  }

  protected override fields(): Record<string, unknown> {
    return { filters: this.filters, ...super.fields() };
  }
}
