import type { Tensor, TensorLike } from '@recurra/tensor';
import { alignTargets } from '../losses/alignment.js';
import {
  cosineSimilarity,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
} from '../losses/regression.js';
import { MeanMetricWrapper } from './mean.js';
import type { MetricOptions } from './metric.js';

/** Mean of {@link meanSquaredError}. */
export class MeanSquaredErrorMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(meanSquaredError, options, { className: 'MeanSquaredError', direction: 'down' });
  }
}

/** Mean of {@link meanAbsoluteError}. */
export class MeanAbsoluteErrorMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(meanAbsoluteError, options, { className: 'MeanAbsoluteError', direction: 'down' });
  }
}

/** Mean of {@link meanAbsolutePercentageError}. */
export class MeanAbsolutePercentageErrorMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(meanAbsolutePercentageError, options, { className: 'MeanAbsolutePercentageError', direction: 'down' });
  }
}

/** Mean of {@link meanSquaredLogarithmicError}. */
export class MeanSquaredLogarithmicErrorMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(meanSquaredLogarithmicError, options, { className: 'MeanSquaredLogarithmicError', direction: 'down' });
  }
}

/** Mean of {@link logCosh}. */
export class LogCoshError extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(logCosh, options, { className: 'LogCoshError', direction: 'down', name: 'logcosh' });
  }
}

/** Mean of {@link cosineSimilarity} along `axis` (-1): 1 where directions agree. */
export class CosineSimilarityMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions & { readonly axis?: number } = {}) {
    super((t, p) => cosineSimilarity(t, p, options?.axis), options, {
      className: 'CosineSimilarity',
      direction: 'up',
      defaults: { axis: -1 },
    });
  }
}

function squaredError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'rootMeanSquaredError');
  return p.sub(t).square();
}

/** The square root of the mean of all squared errors. */
export class RootMeanSquaredError extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(squaredError, options, { className: 'RootMeanSquaredError', direction: 'down' });
  }

  override result(): Tensor {
    return super.result().sqrt();
  }
}
