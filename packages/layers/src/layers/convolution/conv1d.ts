import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { conv1d, type Padding, ShapeError, type Tensor, ValueError } from '@recurra/tensor';
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

/** Options of {@link Conv1D}. */
export interface Conv1DOptions extends Omit<ConvolutionOptions, 'padding'> {
  /**
   * 'valid': windows that lie inside of the sequence; 'same': zeros around it, for as many outputs as there are strides; 'causal': zeros before it,
   * so that no output sees a later step. 'valid'.
   */
  readonly padding?: Padding;
  /** Groups of channels, each with filters of its own; 1. */
  readonly groups?: number;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
}

/**
 * Convolution over time: y[b, t, f] = activation(sum over j, c of x[b, t strides + j dilationRate, c] W[j, c, f] + b[f]),
 * [batch, time, channels] -> [batch, windows, filters]. W (`kernel`) [kernelSize, channels / groups, filters], glorotUniform; b (`bias`) [filters],
 * zeros. Throws `ShapeError` for sequences shorter than one window. Keras `Conv1D`.
 */
export class Conv1D extends Convolution {
  static override readonly positional: readonly string[] = ['filters', 'kernelSize'];
  /** Width of the output. */
  readonly filters: number;
  protected override readonly settled: Settled<Conv1DOptions> & Windows<Padding>;
  private kernel!: Variable;

  constructor(filters: number, kernelSize: OneInteger, options: Conv1DOptions = {}) {
    super('Conv1D', kernelSize, options);
    this.filters = expectInteger('Conv1D', 'filters', filters);
    const settled = settle<Conv1DOptions>('Conv1D', options, {
      ...CONVOLUTION_DEFAULTS,
      groups: 1,
      kernelInitializer: 'glorotUniform',
      kernelRegularizer: null,
      kernelConstraint: null,
    });
    if (filters % expectInteger('Conv1D', 'groups', settled.groups) !== 0)
      throw new ValueError(`Conv1D: expected groups to divide ${filters} filters, received ${settled.groups}`);
    this.settled = { ...settled, ...settleWindows('Conv1D', settled, ['valid', 'same', 'causal']) };
  }

  override get className(): string {
    return 'Conv1D';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.settled.activation);
  }

  protected filtersFor(): number {
    return this.filters;
  }

  protected buildKernels(channels: number): void {
    const s = this.settled;
    if (channels % s.groups !== 0)
      throw new ShapeError(
        `${this.label}: expected groups to divide the channels, received ${channels} channels in ${s.groups} groups`,
      );
    this.kernel = this.variable({
      name: 'kernel',
      shape: [this.kernelSize, channels / s.groups, this.filters],
      initializer: s.kernelInitializer,
      regularizer: s.kernelRegularizer,
      constraint: s.kernelConstraint,
    });
  }

  protected convolve(x: Tensor): Tensor {
    const { padding, groups, strides, dilationRate } = this.settled;
    return conv1d(x, this.kernel.value, { strides: strides[0], dilationRate: dilationRate[0], padding, groups });
  }

  protected override fields(): Record<string, unknown> {
    return { filters: this.filters, ...super.fields() };
  }
}
