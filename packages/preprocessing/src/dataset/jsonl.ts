import { Dataset } from './dataset.js';
import { lineChunks } from './lines.js';
import { type BadRowOptions, BadRows } from './rows.js';
import { type DataSource, nameOf, type ReadOptions } from './source.js';

/** Options of {@link jsonlDataset}. */
export interface JsonlOptions extends ReadOptions, BadRowOptions {
  /** Fields that each object needs, not null nor empty: the label, for one. */
  readonly required?: readonly string[];
  /** Name of a field that is added to objects, with the number of their line; none. */
  readonly lineColumn?: string;
}

/**
 * The values of a file with one JSON value a line; empty lines are left out. Lines that do not parse, or lack a required field, are bad rows.
 * The type is taken on trust.
 */
export function jsonlDataset<T = Record<string, unknown>>(source: DataSource, options: JsonlOptions = {}): Dataset<T> {
  const { required = [], lineColumn } = options;
  const file = nameOf(source, options);
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    for await (const { lines, numbers } of lineChunks(source, options, bad)) {
      const values: T[] = [];
      lines.forEach((text, i) => {
        if (text.trim() === '') return;
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch (error) {
          const message = `expected JSON (${(error as Error).message})`;
          bad.add({ reason: 'json', message, file, line: numbers(i), text });
          return;
        }
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        if (!isObject && (required.length > 0 || lineColumn !== undefined)) {
          bad.add({ reason: 'json', message: 'expected a JSON object', file, line: numbers(i), text });
          return;
        }
        const missing = required.find((field) => {
          const v = (value as Record<string, unknown>)[field];
          return v === undefined || v === null || v === '';
        });
        if (missing === undefined) {
          values.push((lineColumn === undefined ? value : { ...(value as object), [lineColumn]: numbers(i) }) as T);
        } else
          bad.add({ reason: 'missing', message: `expected a value of "${missing}"`, file, line: numbers(i), text });
      });
      bad.report.good += values.length;
      yield values;
    }
    bad.finish();
  });
}
