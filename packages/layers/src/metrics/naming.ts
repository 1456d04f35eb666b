/** The names of metrics in logs: one place that `fit`, `evaluate` and callbacks ask. */
import { camelCase } from '@recurra/tensor/extend';
import type { Metric } from './metric.js';

/** `val`, `loss` -> `valLoss` */
export function prefixed(prefix: string, name: string): string {
  return name === '' ? prefix : `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`;
}

/** A metric of a compiled model. */
export interface NamedMetric {
  readonly metric: Metric;
  /** Does it weigh samples (`weightedMetrics`)? false. */
  readonly weighted?: boolean;
  /** The output that it measures, of a model with several. */
  readonly output?: string | null;
}

/**
 * The metrics by their names in logs, as Keras makes them: a metric's own name, after that of its output; where a name is taken, weighted
 * metrics get the prefix `weighted`, and further ones are numbered: `precision`, `precision_1`, `precision_2`.
 *
 * Unlike in Keras, a number never meets a name that someone gave (`precision`, `precision`, `precision_1` become `precision`, `precision_2`,
 * `precision_1`), and no name meets that of the loss or of validation (`loss`, `valLoss`).
 *
 * @param reserved names that are taken before; 'loss'
 */
export function nameMetrics(
  metrics: readonly NamedMetric[],
  reserved: readonly string[] = ['loss'],
): Map<string, Metric> {
  const taken = new Set<string>();
  const take = (name: string): void => {
    taken.add(name);
    taken.add(prefixed('val', name));
  };
  const free = (name: string): boolean => !taken.has(name) && !taken.has(prefixed('val', name));
  reserved.forEach(take);
  const wanted = metrics.map(({ metric, output }) => {
    const own = metric.name || 'metric';
    return output ? prefixed(output, own) : own;
  });
  const given = new Set(wanted);
  const result = new Map<string, Metric>();
  metrics.forEach(({ metric, weighted = false, output }, i) => {
    const own = metric.name || 'metric';
    const marked = output ? prefixed(output, prefixed('weighted', own)) : prefixed('weighted', own);
    let name = wanted[i]!;
    if (!free(name) && weighted) name = marked;
    for (let k = 1, base = name; !free(name) || (name !== wanted[i] && given.has(name)); k++) name = `${base}_${k}`;
    take(name);
    result.set(name, metric);
  });
  return result;
}

/** `val_precision_1` and `valPrecision_1` alike: numbers keep their underscore. */
function spelling(name: string): string {
  return camelCase(name.replace(/_(?=\d)/g, '#')).replace(/#/g, '_');
}

/**
 * The name among those of the logs that someone means by `monitor`: as it is, or in Keras' snake_case (`val_loss`, `val_precision_1`);
 * `undefined` where there is none.
 */
export function findLogName(monitor: string, names: Iterable<string>): string | undefined {
  const all = [...names];
  return all.find((name) => name === monitor) ?? all.find((name) => spelling(name) === spelling(monitor));
}
