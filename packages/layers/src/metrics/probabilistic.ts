import type { TensorLike } from '@recurra/tensor';
import { alignWeights, asPredictions, classIndices } from '../losses/alignment.js';
import {
  binaryCrossentropy,
  type CrossentropyFunctionOptions,
  categoricalCrossentropy,
  type SparseCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from '../losses/crossentropy.js';
import { klDivergence, poisson } from '../losses/divergence.js';
import { given } from '../losses/options.js';
import { MeanMetricWrapper } from './mean.js';
import { checkUpdate, type MetricOptions, type UpdateOptions } from './metric.js';

/** Mean of {@link klDivergence}. */
export class KLDivergenceMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(klDivergence, options, { className: 'KLDivergence', direction: 'down' });
  }
}

/** Mean of {@link poisson}. */
export class PoissonMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(poisson, options, { className: 'Poisson', direction: 'down' });
  }
}

/** Mean of {@link binaryCrossentropy}. */
export class BinaryCrossentropyMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions & Omit<CrossentropyFunctionOptions, 'axis'> = {}) {
    const { fromLogits, labelSmoothing } = options ?? {};
    super((t, p) => binaryCrossentropy(t, p, given({ fromLogits, labelSmoothing })), options, {
      className: 'BinaryCrossentropy',
      direction: 'down',
      defaults: { fromLogits: false, labelSmoothing: 0 },
    });
  }
}

/** Mean of {@link categoricalCrossentropy}. */
export class CategoricalCrossentropyMetric extends MeanMetricWrapper {
  constructor(options: MetricOptions & CrossentropyFunctionOptions = {}) {
    const { fromLogits, labelSmoothing, axis } = options ?? {};
    super((t, p) => categoricalCrossentropy(t, p, given({ fromLogits, labelSmoothing, axis })), options, {
      className: 'CategoricalCrossentropy',
      direction: 'down',
      defaults: { fromLogits: false, labelSmoothing: 0, axis: -1 },
    });
  }
}

/**
 * Mean of {@link sparseCategoricalCrossentropy}. Labels of `ignoreClass` lose 0: without weights or a mask they count in the mean, with them
 * they do not (both as Keras; the loss leaves them out always).
 */
export class SparseCategoricalCrossentropyMetric extends MeanMetricWrapper {
  private readonly ignoreClass: number | null;
  private readonly axis: number;

  constructor(options: MetricOptions & SparseCrossentropyOptions = {}) {
    const { fromLogits, ignoreClass, axis } = options ?? {};
    super((t, p) => sparseCategoricalCrossentropy(t, p, given({ fromLogits, ignoreClass, axis })), options, {
      className: 'SparseCategoricalCrossentropy',
      direction: 'down',
      defaults: { fromLogits: false, ignoreClass: null, axis: -1 },
    });
    this.ignoreClass = options.ignoreClass ?? null;
    this.axis = options.axis ?? -1;
  }

  override updateState(yTrue: TensorLike, yPred?: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { sampleWeight = null, mask = null } = options;
    if (this.ignoreClass === null || yPred === undefined || (sampleWeight === null && mask === null)) {
      super.updateState(yTrue, yPred, options);
      return;
    }
    const counts = classIndices(yTrue, asPredictions(yPred, this.className), this.className, this.axis).notEqual(
      this.ignoreClass,
    );
    const left = mask ? alignWeights(mask.cast('bool'), counts.shape, this.name, 'a mask').logicalAnd(counts) : counts;
    super.updateState(yTrue, yPred, { sampleWeight, mask: left });
  }
}
