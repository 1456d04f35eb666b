import { l1L2 } from '@recurra/cells';
import type { Tensor } from '@recurra/tensor';
import { Layer, type LayerConfig } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';

/** Options of {@link ActivityRegularization}. */
export interface ActivityRegularizationOptions extends Omit<LayerOptions, 'activityRegularizer'> {
  /** 0 */
  readonly l1?: number;
  /** 0 */
  readonly l2?: number;
}

/**
 * Its inputs as they are; adds (l1 * sum(|x|) + l2 * sum(x^2)) / batch size to the loss. Keras `ActivityRegularization`.
 */
export class ActivityRegularization extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<ActivityRegularizationOptions>;

  constructor(options: ActivityRegularizationOptions = {}) {
    const settled = settle<ActivityRegularizationOptions & LayerOptions>('ActivityRegularization', options, {
      l1: 0,
      l2: 0,
    });
    super({ ...options, activityRegularizer: l1L2({ l1: settled.l1, l2: settled.l2 }) } as LayerOptions);
    this.settled = settled;
  }

  override get className(): string {
    return 'ActivityRegularization';
  }

  call(x: Tensor): Tensor {
    return x;
  }

  override getConfig(): LayerConfig {
    const { activityRegularizer: _own, ...config } = super.getConfig();
    return config;
  }
}
