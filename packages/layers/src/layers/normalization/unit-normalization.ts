import type { Tensor } from '@recurra/tensor';
import { behindBatch } from '../../base/independence.js';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import { floating } from '../../internal/floating.js';
import { unit } from '../../internal/unit.js';
import { type AxisOption, axesIn, expectAxis } from './axes.js';

/** Options of {@link UnitNormalization}. */
export interface UnitNormalizationOptions extends LayerOptions {
  /** The axis, or axes, whose elements together get length 1: -1, the features. */
  readonly axis?: AxisOption;
}

/** The least length that is divided by (Keras). */
const LEAST = 1e-12;

/**
 * y = x / |x|, |x| the Euclidean length over `axis`; zeros stay zeros. Any shape, kept. No weights. A mask passes through. Keras
 * `UnitNormalization`.
 */
export class UnitNormalization extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<UnitNormalizationOptions>;

  constructor(options: UnitNormalizationOptions = {}) {
    super(options);
    this.settled = settle<UnitNormalizationOptions>('UnitNormalization', options, { axis: -1 });
    expectAxis('UnitNormalization', this.settled.axis, true);
  }

  override get className(): string {
    return 'UnitNormalization';
  }

  protected override get independentSamples(): boolean {
    return behindBatch(this.settled.axis);
  }

  protected override checkInputs(shape: PartialShape): void {
    axesIn(this.label, this.settled.axis, shape);
  }

  call(inputs: Tensor): Tensor {
    const x = floating(inputs, this.dtype);
    const axes = axesIn(this.label, this.settled.axis, x.shape);
    return unit(x, axes, LEAST);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    axesIn(this.label, this.settled.axis, inputShape);
    return inputShape;
  }
}
