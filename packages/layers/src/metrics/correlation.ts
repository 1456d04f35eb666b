import { mean, type Tensor, type TensorLike } from '@recurra/tensor';
import { checkValue, EPSILON } from '@recurra/tensor/extend';
import { alignTargets } from '../losses/alignment.js';
import { RULES } from '../losses/options.js';
import { MeanMetricWrapper } from './mean.js';
import type { MetricOptions } from './metric.js';

/** Options of the correlations. */
export interface CorrelationOptions extends MetricOptions {
  /** The axis that is correlated; -1. */
  readonly axis?: number;
}

/**
 * How linearly y and p vary together along `axis`: mean((y - mean y) (p - mean p)) / (std y std p). NaN where one does not vary. Throws
 * `ShapeError` where the shapes differ.
 */
export function pearsonCorrelation(yTrue: TensorLike, yPred: TensorLike, axis = -1): Tensor {
  checkValue('pearsonCorrelation', 'axis', axis, RULES.axis);
  const [t, p] = alignTargets(yTrue, yPred, 'pearsonCorrelation');
  const centred = (x: Tensor): Tensor => x.sub(mean(x, axis, { keepDims: true }));
  const standard = (x: Tensor): Tensor => {
    const c = centred(x);
    return c.div(mean(c.square(), axis, { keepDims: true }).sqrt());
  };
  return standard(t).mul(standard(p)).mean(axis);
}

/**
 * How closely p follows y along `axis`: twice their covariance over var y + var p + (mean y - mean p)^2. Lin 1989. Throws `ShapeError` where the
 * shapes differ.
 */
export function concordanceCorrelation(yTrue: TensorLike, yPred: TensorLike, axis = -1): Tensor {
  checkValue('concordanceCorrelation', 'axis', axis, RULES.axis);
  const [t, p] = alignTargets(yTrue, yPred, 'concordanceCorrelation');
  const average = (x: Tensor): Tensor => mean(x, axis, { keepDims: true });
  const [meanT, meanP] = [average(t), average(p)];
  const norm = average(t.sub(meanT).square())
    .add(average(p.sub(meanP).square()))
    .add(meanT.sub(meanP).square());
  // As Keras has it: y about the mean of p, which is the covariance since p about its own mean is 0 on average.
  const covariance = t.sub(meanP).mul(p.sub(meanP));
  return covariance.mul(2).div(norm.add(EPSILON)).mean(axis);
}

/** Mean of {@link pearsonCorrelation} of samples. */
export class PearsonCorrelation extends MeanMetricWrapper {
  constructor(options: CorrelationOptions = {}) {
    super((t, p) => pearsonCorrelation(t, p, options?.axis), options, {
      className: 'PearsonCorrelation',
      direction: 'up',
      defaults: { axis: -1 },
    });
  }
}

/** Mean of {@link concordanceCorrelation} of samples. */
export class ConcordanceCorrelation extends MeanMetricWrapper {
  constructor(options: CorrelationOptions = {}) {
    super((t, p) => concordanceCorrelation(t, p, options?.axis), options, {
      className: 'ConcordanceCorrelation',
      direction: 'up',
      defaults: { axis: -1 },
    });
  }
}
