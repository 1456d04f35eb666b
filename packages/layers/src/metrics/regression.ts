import { asTensor, type Tensor, type TensorLike } from '@recurra/tensor';
import {
  alignRanks,
  binaryCrossentropy,
  categoricalCrossentropy,
  categoricalHinge,
  cosineSimilarity,
  hinge,
  klDivergence,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
  sparseCategoricalCrossentropy,
  squaredHinge,
} from '../losses.js';
import { MeanMetricWrapper } from './metric.js';

interface Named {
  readonly name?: string;
}

/** Mean of {@link meanSquaredError}. */
export class MeanSquaredErrorMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(meanSquaredError, { name: options.name ?? 'meanSquaredError' });
  }
}
/** Mean of {@link meanAbsoluteError}. */
export class MeanAbsoluteErrorMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(meanAbsoluteError, { name: options.name ?? 'meanAbsoluteError' });
  }
}
/** Mean of {@link meanAbsolutePercentageError}. */
export class MeanAbsolutePercentageErrorMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(meanAbsolutePercentageError, { name: options.name ?? 'meanAbsolutePercentageError' });
  }
}
/** Mean of {@link meanSquaredLogarithmicError}. */
export class MeanSquaredLogarithmicErrorMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(meanSquaredLogarithmicError, { name: options.name ?? 'meanSquaredLogarithmicError' });
  }
}
/** Mean of {@link logCosh}. */
export class LogCoshError extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(logCosh, { name: options.name ?? 'logCosh' });
  }
}
/** Mean of {@link hinge}. */
export class HingeMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(hinge, { name: options.name ?? 'hinge' });
  }
}
/** Mean of {@link squaredHinge}. */
export class SquaredHingeMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(squaredHinge, { name: options.name ?? 'squaredHinge' });
  }
}
/** Mean of {@link categoricalHinge}. */
export class CategoricalHingeMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(categoricalHinge, { name: options.name ?? 'categoricalHinge' });
  }
}
/** Mean of {@link klDivergence}. */
export class KLDivergenceMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(klDivergence, { name: options.name ?? 'klDivergence' });
  }
}
/** Mean of {@link poisson}. */
export class PoissonMetric extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(poisson, { name: options.name ?? 'poisson' });
  }
}
/** Mean of {@link cosineSimilarity} along `axis` (-1): 1 where directions agree. */
export class CosineSimilarityMetric extends MeanMetricWrapper {
  constructor(options: Named & { readonly axis?: number } = {}) {
    super((t, p) => cosineSimilarity(t, p, options.axis), { name: options.name ?? 'cosineSimilarity' });
  }
}

function squaredError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const p = asTensor(yPred);
  const [t, q] = alignRanks(asTensor(yTrue).cast(p.dtype), p);
  return q.sub(t).square();
}

/** The square root of the mean of all squared errors. */
export class RootMeanSquaredError extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(squaredError, { name: options.name ?? 'rootMeanSquaredError' });
  }
  override result(): Tensor {
    return super.result().sqrt();
  }
}

interface Logits extends Named {
  readonly fromLogits?: boolean;
  readonly labelSmoothing?: number;
}

/** Mean of {@link binaryCrossentropy}. */
export class BinaryCrossentropyMetric extends MeanMetricWrapper {
  constructor(options: Logits = {}) {
    const { name = 'binaryCrossentropy', ...rest } = options;
    super((t, p) => binaryCrossentropy(t, p, rest), { name });
  }
}
/** Mean of {@link categoricalCrossentropy}. */
export class CategoricalCrossentropyMetric extends MeanMetricWrapper {
  constructor(options: Logits = {}) {
    const { name = 'categoricalCrossentropy', ...rest } = options;
    super((t, p) => categoricalCrossentropy(t, p, rest), { name });
  }
}
/** Mean of {@link sparseCategoricalCrossentropy}. */
export class SparseCategoricalCrossentropyMetric extends MeanMetricWrapper {
  constructor(options: Named & { readonly fromLogits?: boolean; readonly ignoreClass?: number | null } = {}) {
    const { name = 'sparseCategoricalCrossentropy', ...rest } = options;
    super((t, p) => sparseCategoricalCrossentropy(t, p, rest), { name });
  }
}
