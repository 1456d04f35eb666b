import { type Tensor, ValueError } from '@recurra/tensor';
import { describeValue, lookupByName, type SnakeCase } from '@recurra/tensor/extend';
import { Circle } from './circle.js';
import { BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy } from './crossentropy.js';
import { CTC } from './ctc.js';
import { KLDivergence, Poisson } from './divergence.js';
import { BinaryFocalCrossentropy, CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy } from './focal.js';
import { CategoricalHinge, Hinge, SquaredHinge } from './hinge.js';
import { CustomLoss, Loss, type LossConfig } from './loss.js';
import { Dice, Tversky } from './overlap.js';
import {
  CosineSimilarity,
  Huber,
  LogCosh,
  MeanAbsoluteError,
  MeanAbsolutePercentageError,
  MeanSquaredError,
  MeanSquaredLogarithmicError,
} from './regression.js';

/** Names of losses. */
export type LossName =
  | 'binaryCrossentropy'
  | 'binaryFocalCrossentropy'
  | 'categoricalCrossentropy'
  | 'categoricalFocalCrossentropy'
  | 'categoricalGeneralizedCrossEntropy'
  | 'sparseCategoricalCrossentropy'
  | 'meanSquaredError'
  | 'meanAbsoluteError'
  | 'meanAbsolutePercentageError'
  | 'meanSquaredLogarithmicError'
  | 'huber'
  | 'logCosh'
  | 'cosineSimilarity'
  | 'hinge'
  | 'squaredHinge'
  | 'categoricalHinge'
  | 'klDivergence'
  | 'poisson'
  | 'dice'
  | 'tversky'
  | 'circle'
  | 'ctc'
  | 'bce'
  | 'kld'
  | 'mae'
  | 'mape'
  | 'mse'
  | 'msle';

/** The losses by name. */
export const losses: Readonly<Record<LossName, new () => Loss>> = {
  binaryCrossentropy: BinaryCrossentropy,
  binaryFocalCrossentropy: BinaryFocalCrossentropy,
  categoricalCrossentropy: CategoricalCrossentropy,
  categoricalFocalCrossentropy: CategoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy: CategoricalGeneralizedCrossEntropy,
  sparseCategoricalCrossentropy: SparseCategoricalCrossentropy,
  meanSquaredError: MeanSquaredError,
  meanAbsoluteError: MeanAbsoluteError,
  meanAbsolutePercentageError: MeanAbsolutePercentageError,
  meanSquaredLogarithmicError: MeanSquaredLogarithmicError,
  huber: Huber,
  logCosh: LogCosh,
  cosineSimilarity: CosineSimilarity,
  hinge: Hinge,
  squaredHinge: SquaredHinge,
  categoricalHinge: CategoricalHinge,
  klDivergence: KLDivergence,
  poisson: Poisson,
  dice: Dice,
  tversky: Tversky,
  circle: Circle,
  ctc: CTC,
  bce: BinaryCrossentropy,
  kld: KLDivergence,
  mae: MeanAbsoluteError,
  mape: MeanAbsolutePercentageError,
  mse: MeanSquaredError,
  msle: MeanSquaredLogarithmicError,
};

/** A loss as data: Keras' name of its class, and its options. */
export interface SerializedLoss {
  readonly className: string;
  readonly config: LossConfig;
}

/**
 * A loss by name (camelCase, snake_case or Keras' name of the class), one with options, one as data, or a function that gives one loss per
 * sample.
 */
export type LossIdentifier =
  | LossName
  | SnakeCase<LossName>
  | Loss
  | SerializedLoss
  | ((yTrue: Tensor, yPred: Tensor) => Tensor);

type LossClass = (new () => Loss) & { fromConfig(config: Readonly<Record<string, unknown>>): Loss };

/** A class by any spelling of its name. */
const lossClass = (name: string): LossClass =>
  lookupByName<new () => Loss>(losses, name, 'loss', 'or a Loss') as LossClass;

/** The loss that an identifier names. Throws `ValueError` with the known names. */
export function resolveLoss(identifier: LossIdentifier): Loss {
  if (identifier instanceof Loss) return identifier;
  if (typeof identifier === 'string') return new (lossClass(identifier))();
  if (typeof identifier === 'function') {
    if (identifier.prototype instanceof Loss)
      throw new ValueError(
        `loss: expected a Loss, received its class ${identifier.name}. Write new ${identifier.name}().`,
      );
    return new CustomLoss(identifier);
  }
  if (typeof identifier === 'object' && identifier !== null && typeof identifier.className === 'string')
    return lossClass(identifier.className).fromConfig(identifier.config ?? {});
  throw new ValueError(`loss: expected a name, a Loss or a function, received ${describeValue(identifier)}`);
}

/** A loss as data, that `resolveLoss` reads. Throws `ValueError` for functions. */
export function serializeLoss(loss: Loss): SerializedLoss {
  return { className: loss.className, config: loss.getConfig() };
}
