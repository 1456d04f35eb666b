import type { JsonObject } from '@recurra/formats';
import { deserializeOptimizer, type Optimizer } from '@recurra/optim';
import { FormatError, ValueError } from '@recurra/tensor';
import { isSerialized, registeredName, snakeCase } from '@recurra/tensor/extend';
import { asFormatError } from '../base/graph-from-config.js';
import { isRecord } from '../base/tree.js';
import * as lossClasses from '../losses/classes.js';
import { resolveLoss, serializeLoss } from '../losses/extend.js';
import { Loss } from '../losses/index.js';
import * as metricClasses from '../metrics/classes.js';
import * as classesByOptions from '../metrics/classes-by-options.js';
import { deserializeMetric, serializeMetric } from '../metrics/extend.js';
import { Metric } from '../metrics/index.js';
import type { ModelOptimizer } from '../training/model-optimizer.js';
import type { CompileOptions } from '../training/trainer.js';
import { fromKerasNames, namesByOutput, toKerasNames } from './keras-names.js';

/** How Keras writes down a function: by its name. */
const FUNCTION = { module: 'builtins', class_name: 'function', registered_name: 'function' } as const;

/** Keras' classes around functions that are losses and metrics, and where they keep them. */
const WRAPPERS = new Set(['LossFunctionWrapper', 'MeanMetricWrapper']);

/** What Keras' optimizers were once configured by, which changes nothing. */
const FORMER_KEYS = ['jitCompile', 'isLegacyOptimizer', 'decay'];

/** The name of a function, in Keras' spelling where it is one of ours. Throws `ValueError` for one without. */
function describeFunction(f: { readonly name: string }, what: string): JsonObject {
  const known = Object.entries({ ...lossClasses, ...metricClasses }).find(([, value]) => value === f)?.[0];
  const name = known === undefined ? (registeredName(f) ?? f.name) : snakeCase(known);
  if (name === '')
    throw new ValueError(
      `${what}: expected losses and metrics that have a name, received a function without. Name it, or save without compiling: { compile: false }.`,
    );
  return { ...FUNCTION, config: name };
}

/** Names are kept as Keras spells them: the name of a class as it is, others in snake_case. */
const spelled = (name: string): string => (/^[A-Z]/.test(name) || name.includes('>') ? name : snakeCase(name));

const isLeaf = (value: unknown): boolean =>
  typeof value === 'string' ||
  typeof value === 'function' ||
  value instanceof Loss ||
  value instanceof Metric ||
  isSerialized(value);

/** Losses and metrics as Keras writes them. */
function describe(value: unknown): unknown {
  if (typeof value === 'string') return spelled(value);
  if (typeof value === 'function') return describeFunction(value, 'save');
  if (value instanceof Loss || value instanceof Metric) {
    const isLoss = value instanceof Loss;
    const data = isLoss ? serializeLoss(value) : serializeMetric(value);
    const known = isLoss ? data.className in lossClasses : isKnownMetric(data.className);
    const registered = data.registeredName ?? null;
    return toKerasNames({
      module: registered === null && known ? (isLoss ? 'keras.losses' : 'keras.metrics') : null,
      className: data.className,
      config: data.config,
      registeredName: registered ?? (known ? null : data.className),
    });
  }
  return toKerasNames(value);
}

/** Metrics that a loss has the name of are exported by another one. */
const isKnownMetric = (className: string): boolean =>
  [className, `${className}Metric`].some((name) => name in metricClasses || name in classesByOptions);

/** Optimizer, loss and metrics of a compiled model, as Keras' `compile_config`. Throws `ValueError` for functions without a name. */
export function compileToKeras(options: CompileOptions, optimizer: ModelOptimizer): JsonObject {
  return {
    optimizer: toKerasNames(optimizer.serialize()),
    loss: namesByOutput(options.loss, describe, isLeaf),
    loss_weights: options.lossWeights ?? null,
    metrics: namesByOutput(options.metrics, describe, isLeaf),
    weighted_metrics: namesByOutput(options.weightedMetrics, describe, isLeaf),
    run_eagerly: options.runEagerly ?? false,
    steps_per_execution: 1,
    jit_compile: false,
  } as JsonObject;
}

/** A loss or metric of a file as `compile` takes it: names and functions by their names, others made by `make`. */
function identifier(value: unknown, make: (data: never) => unknown): unknown {
  if (!isRecord(value)) return value;
  const { class_name: className, config } = value;
  if (className === 'function') {
    if (typeof config !== 'string') throw new FormatError('expected the name of a function, received none');
    return config;
  }
  if (typeof className === 'string' && WRAPPERS.has(className) && isRecord(config) && config['fn'] !== undefined)
    return identifier(config['fn'], make);
  return make(withoutSharedIds(fromKerasNames(value)) as never);
}

const isLeafOfFile = (value: unknown): boolean =>
  typeof value === 'string' || (isRecord(value) && typeof value['class_name'] === 'string');

/**
 * What `compile` takes, of Keras' `compile_config`; `null` where the file says none. Throws `FormatError` for optimizers, losses and metrics that are not known.
 */
export function compileFromKeras(config: JsonObject): CompileOptions | null {
  const { optimizer, loss = null, loss_weights: lossWeights = null, run_eagerly: runEagerly } = config;
  if (optimizer === undefined || optimizer === null) return null;
  const metric = (value: unknown): unknown => identifier(value, deserializeMetric);
  return asFormatError('compile configuration', () => ({
    optimizer: isRecord(optimizer) ? optimizerFrom(optimizer) : (optimizer as never),
    loss: namesByOutput(loss, (v) => identifier(v, resolveLoss), isLeafOfFile) as never,
    lossWeights: lossWeights as never,
    metrics: namesByOutput(config['metrics'], metric, isLeafOfFile) as never,
    weightedMetrics: namesByOutput(config['weighted_metrics'], metric, isLeafOfFile) as never,
    runEagerly: runEagerly === true,
  }));
}

function optimizerFrom(data: Readonly<Record<string, unknown>>): Optimizer {
  const { module, className, config, registeredName: registered } = fromKerasNames(data) as Record<string, unknown>;
  if (typeof className !== 'string' || !isRecord(config))
    throw new FormatError('expected an optimizer as { class_name, config }, received another form');
  const own = withoutSharedIds(
    Object.fromEntries(Object.entries(config).filter(([key]) => !FORMER_KEYS.includes(key))),
  );
  return deserializeOptimizer({ module, className, config: own, registeredName: registered } as never);
}

/** Descriptions without the numbers by which Keras tells objects that are written twice, but of those that are to be one again. */
export function withoutSharedIds<T>(
  value: T,
  kept: (described: Readonly<Record<string, unknown>>) => boolean = () => false,
): T {
  if (Array.isArray(value)) return value.map((item) => withoutSharedIds(item, kept)) as T;
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'sharedObjectId' || kept(value))
      .map(([key, child]) => [key, withoutSharedIds(child, kept)]),
  ) as T;
}
