import { categoricalHinge, hinge, squaredHinge } from '../losses/hinge.js';
import { MeanMetricWrapper } from './mean.js';
import type { MetricOptions } from './metric.js';

/** Mean of {@link hinge}. */
export class HingeMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(hinge, options, { className: 'Hinge', direction: 'down' });
  }
}

/** Mean of {@link squaredHinge}. */
export class SquaredHingeMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(squaredHinge, options, { className: 'SquaredHinge', direction: 'down' });
  }
}

/** Mean of {@link categoricalHinge}. */
export class CategoricalHingeMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(categoricalHinge, options, { className: 'CategoricalHinge', direction: 'down' });
  }
}
