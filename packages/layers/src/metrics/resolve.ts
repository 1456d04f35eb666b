import { type Registrable, type Tensor, ValueError } from '@recurra/tensor';
import {
  customObject,
  describeValue,
  isClassFunction,
  knownName,
  lookupByName,
  registeredName,
  type SnakeCase,
} from '@recurra/tensor/extend';
import { type ClassNameToName, classNameToName } from '../internal/class-name.js';
import { classesByName, SHORT_NAMES } from '../internal/classes-by-name.js';
import { expectConfig } from '../internal/configuration.js';
import * as losses from '../losses/classes.js';
import { Loss } from '../losses/loss.js';
import * as classes from './classes.js';
import * as classesByOptions from './classes-by-options.js';
import { MeanMetricWrapper } from './mean.js';
import { type Direction, Metric, type MetricConfig } from './metric.js';

type Classes = typeof classes;
/** Of what `classes.ts` exports, the classes: functions are there, too. */
type ClassName = {
  [K in keyof Classes]: Classes[K] extends abstract new (...args: never[]) => Metric ? K : never;
}[keyof Classes];
type Unsuffixed<S extends string> = S extends `${infer Head}Metric` ? Head : S;

/** Where Keras' name of the metric is not that of its class. */
const SPELT = { FBetaScore: 'fbetaScore' } as const;
type NameOf<K extends string> = K extends keyof typeof SPELT ? (typeof SPELT)[K] : ClassNameToName<Unsuffixed<K>>;
const nameOf = (key: string): string =>
  (SPELT as Readonly<Record<string, string>>)[key] ?? classNameToName(key.replace(/Metric$/, ''));

/** Names of metrics: those of their classes, Keras' short ones, and 'accuracy', which is the one that targets and predictions ask for. */
export type MetricName = 'accuracy' | 'acc' | NameOf<ClassName> | 'logCosh' | keyof typeof SHORT_NAMES;

type Named = new (options: { name?: string }) => Metric;

/** The metrics by name. */
const NAMED: Readonly<Record<string, Named>> = classesByName(
  classes,
  Metric,
  { logCosh: 'logCoshError', ...SHORT_NAMES },
  nameOf,
);

/** A metric as data: Keras' name of its class, and its options. */
export interface SerializedMetric {
  readonly className: string;
  readonly config: MetricConfig;
  /** What a class of one's own is registered as. */
  readonly registeredName?: string | null;
}

/**
 * A metric by name (camelCase, snake_case or Keras' name of the class), one with options, one as data, or a function of targets and
 * predictions.
 */
export type MetricIdentifier =
  | MetricName
  | SnakeCase<MetricName>
  | Metric
  | SerializedMetric
  | ((yTrue: Tensor, yPred: Tensor) => Tensor);

type MetricClass = (new (
  options: object,
) => Metric) & { fromConfig(config: Readonly<Record<string, unknown>>): Metric };

/**
 * Is more of an exported function of losses or metrics better, or less? As its metric's class says, and else (a loss) less; `null` for a function of
 * your own.
 */
function directionOfFunction(f: unknown): Direction {
  const name = Object.entries({ ...losses, ...classes }).find(([, value]) => value === f)?.[0];
  if (name === undefined) return null;
  const Class = name === 'accuracy' ? classesByOptions.Accuracy : NAMED[name];
  return Class ? new Class({}).direction : 'down';
}

/** Which accuracy 'accuracy' means, by the shapes (Keras). */
function accuracyFor(yTrue: Tensor, yPred: Tensor, name: string): Metric {
  const width = yPred.shape[yPred.rank - 1];
  if (yPred.rank < 2 || width === 1) return new classes.BinaryAccuracy({ name });
  const sparse = yTrue.rank < yPred.rank || yTrue.shape[yTrue.rank - 1] === 1;
  return sparse ? new classes.SparseCategoricalAccuracy({ name }) : new classes.CategoricalAccuracy({ name });
}

/** The metric that a class or function of one's own gives. Throws `ValueError` for what is neither. */
function ownMetric(own: Registrable, name: string, config: Readonly<Record<string, unknown>> = {}): Metric {
  const made: unknown =
    'fromConfig' in own ? own.fromConfig(config as never) : new MeanMetricWrapper(own as never, { direction: null });
  if (made instanceof Metric) return made;
  throw new ValueError(
    `metric: expected "${name}" to be a class of metrics or a function, received ${describeValue(own)}`,
  );
}

/**
 * The metric that an identifier names. 'accuracy' is binary, categorical or sparse, by the shapes of targets and predictions. Throws
 * `ValueError` with the known names, also for a class in place of a metric.
 */
export function resolveMetric(identifier: MetricIdentifier, yTrue: Tensor, yPred: Tensor): Metric {
  if (identifier instanceof Metric) return identifier;
  if (typeof identifier === 'function') {
    if (isClassFunction(identifier))
      throw new ValueError(
        `metric: expected a Metric, received ${describeValue(identifier)}. ${
          identifier.prototype instanceof Loss
            ? 'A loss is measured by its name or its function.'
            : `Write new ${identifier.name}() where it is one.`
        }`,
      );
    // The functions of this package take options as a third argument: what is passed on are targets and predictions alone.
    return new MeanMetricWrapper(identifier, { direction: directionOfFunction(identifier) });
  }
  if (typeof identifier === 'object' && identifier !== null && typeof identifier.className === 'string')
    return deserializeMetric(identifier);
  const own = typeof identifier === 'string' ? customObject(identifier) : null;
  if (own) return ownMetric(own, identifier as string);
  const known = knownName(['accuracy', 'acc', ...Object.keys(NAMED)], identifier, 'metric', 'or a Metric');
  if (known === 'accuracy' || known === 'acc') return accuracyFor(yTrue, yPred, known);
  return new NAMED[known]!({ name: known });
}

/** A metric as data, that {@link resolveMetric} and {@link deserializeMetric} read. Throws `ValueError` for functions. */
export function serializeMetric(metric: Metric): SerializedMetric {
  if (!(metric instanceof Metric))
    throw new ValueError(`serializeMetric: expected a Metric, received ${describeValue(metric)}`);
  const registered = registeredName(metric.constructor);
  return {
    className: metric.className,
    config: metric.getConfig(),
    ...(registered === null ? {} : { registeredName: registered }),
  };
}

/** The metric that {@link serializeMetric} wrote. Throws `ValueError` for an unknown class. */
export function deserializeMetric(serialized: SerializedMetric): Metric {
  expectConfig('deserializeMetric', serialized);
  const { className, config = {}, registeredName: registered } = serialized;
  const own = customObject(className, registered);
  if (own) return ownMetric(own, className, config);
  const Class = lookupByName<unknown>({ ...NAMED, ...classesByOptions }, className, 'metric class') as MetricClass;
  return Class.fromConfig(config);
}
