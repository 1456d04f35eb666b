import { type Registrable, type Tensor, ValueError } from '@recurra/tensor';
import {
  customObject,
  describeValue,
  isClassFunction,
  lookupByName,
  registeredName,
  type SnakeCase,
} from '@recurra/tensor/extend';
import type { ClassNameToName } from '../internal/class-name.js';
import { classesByName, SHORT_NAMES } from '../internal/classes-by-name.js';
import * as classes from './classes.js';
import { CustomLoss, Loss, type LossConfig } from './loss.js';

type Classes = typeof classes;
/** Of what `classes.ts` exports, the classes: functions are there, too. */
type ClassName = {
  [K in keyof Classes]: Classes[K] extends abstract new (...args: never[]) => Loss ? K : never;
}[keyof Classes];

/** Names of losses: those of their classes, and Keras' short ones. */
export type LossName = ClassNameToName<ClassName> | keyof typeof SHORT_NAMES;

type LossClass = (new () => Loss) & { fromConfig(config: Readonly<Record<string, unknown>>): Loss };

/** The losses by name. */
export const losses: Readonly<Record<LossName, new () => Loss>> = classesByName<LossClass>(
  classes,
  Loss,
  SHORT_NAMES,
) as Record<LossName, LossClass>;

/** A loss as data: Keras' name of its class, and its options. */
export interface SerializedLoss {
  readonly className: string;
  readonly config: LossConfig;
  /** What a class of one's own is registered as. */
  readonly registeredName?: string | null;
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

/** A class by any spelling of its name. */
const lossClass = (name: string): LossClass =>
  lookupByName<new () => Loss>(losses, name, 'loss', 'or a Loss') as LossClass;

/** The loss that a class or function of one's own gives. Throws `ValueError` for what is neither. */
function ownLoss(own: Registrable, name: string, config: Readonly<Record<string, unknown>> = {}): Loss {
  const made: unknown = 'fromConfig' in own ? own.fromConfig(config as never) : new CustomLoss(own as never);
  if (made instanceof Loss) return made;
  throw new ValueError(
    `loss: expected "${name}" to be a class of losses or a function, received ${describeValue(own)}`,
  );
}

/** The loss that an identifier names. Throws `ValueError` with the known names. */
export function resolveLoss(identifier: LossIdentifier): Loss {
  if (identifier instanceof Loss) return identifier;
  if (typeof identifier === 'string') {
    const own = customObject(identifier);
    return own ? ownLoss(own, identifier) : new (lossClass(identifier))();
  }
  if (typeof identifier === 'function') {
    if (isClassFunction(identifier))
      throw new ValueError(
        `loss: expected a Loss, received ${describeValue(identifier)}. Write new ${identifier.name}() where it is one.`,
      );
    return new CustomLoss(identifier);
  }
  if (typeof identifier === 'object' && identifier !== null && typeof identifier.className === 'string') {
    const own = customObject(identifier.className, identifier.registeredName);
    if (own) return ownLoss(own, identifier.className, identifier.config);
    return lossClass(identifier.className).fromConfig(identifier.config === undefined ? {} : identifier.config);
  }
  throw new ValueError(`loss: expected a name, a Loss or a function, received ${describeValue(identifier)}`);
}

/** A loss as data, that `resolveLoss` reads. Throws `ValueError` for functions. */
export function serializeLoss(loss: Loss): SerializedLoss {
  if (!(loss instanceof Loss)) throw new ValueError(`serializeLoss: expected a Loss, received ${describeValue(loss)}`);
  const registered = registeredName(loss.constructor);
  return {
    className: loss.className,
    config: loss.getConfig(),
    ...(registered === null ? {} : { registeredName: registered }),
  };
}
