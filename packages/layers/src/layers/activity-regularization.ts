import { l1L2 } from '@recurra/cells';
import type { Tensor } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { Layer, type LayerConfig } from '../base/layer.js';
import { LAYER_OPTIONS, type LayerOptions, type Settled } from '../base/options.js';

/** Options of {@link ActivityRegularization}. */
export interface ActivityRegularizationOptions extends Omit<LayerOptions, 'activityRegularizer'> {
  /** 0 */
  readonly l1?: number;
  /** 0 */
  readonly l2?: number;
}

const { activityRegularizer: _own, ...OF_LAYERS } = LAYER_OPTIONS;
const OPTIONS: Rules<ActivityRegularizationOptions> = { ...OF_LAYERS, l1: rules.notNegative, l2: rules.notNegative };

/**
 * Its inputs as they are; adds (l1 * sum(|x|) + l2 * sum(x^2)) / batch size to the loss. Keras `ActivityRegularization`.
 */
export class ActivityRegularization extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<ActivityRegularizationOptions>;

  constructor(options: ActivityRegularizationOptions = {}) {
    checkRules('ActivityRegularization', options, OPTIONS);
    const { l1 = 0, l2 = 0 } = options;
    super({ ...options, activityRegularizer: l1L2({ l1, l2 }) } as LayerOptions);
    this.settled = { l1, l2 };
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
