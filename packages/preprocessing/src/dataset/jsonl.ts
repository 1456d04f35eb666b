import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { Dataset } from './dataset.js';
import { eachLine, LINE_RULES, type LineOptions } from './lines.js';
import { NAMES } from './rows.js';
import { type DataSource, nameOf } from './source.js';

/** Options of {@link jsonlDataset}. */
export interface JsonlOptions extends LineOptions {
  /** Fields that each object needs, not null nor empty: the label, for one. */
  readonly required?: readonly string[];
  /** Name of a field that is added to objects, with the number of their line, and that no object has; none. */
  readonly lineColumn?: string;
}

const JSONL_RULES = { ...LINE_RULES, required: NAMES, lineColumn: rules.text } satisfies Rules<JsonlOptions>;

/**
 * The values of a file with one JSON value a line; empty lines are left out. Lines that do not parse, lack a required field, are not UTF-8 or longer
 * than `maxLineBytes` are bad rows. The type is taken on trust.
 * Throws `ValueError` for an object with a field of the name `lineColumn`.
 */
export function jsonlDataset<T = Record<string, unknown>>(source: DataSource, options: JsonlOptions = {}): Dataset<T> {
  checkRules('jsonlDataset', options, JSONL_RULES);
  const { required = [], lineColumn } = options;
  const file = nameOf(source, options);
  return Dataset.fromChunks(() =>
    eachLine<T>(source, options, (text, line, values, bad) => {
      if (text.trim() === '') return;
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        const message = `expected JSON (${(error as Error).message})`;
        bad.add({ reason: 'json', message, file, line, text });
        return;
      }
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (!isObject && (required.length > 0 || lineColumn !== undefined)) {
        bad.add({ reason: 'json', message: 'expected a JSON object', file, line, text });
        return;
      }
      // Its own fields: every object has a `constructor` from elsewhere.
      const missing = required.find((field) => {
        const v = Object.hasOwn(value as object, field) ? (value as Record<string, unknown>)[field] : undefined;
        return v === undefined || v === null || v === '';
      });
      if (missing !== undefined)
        bad.add({ reason: 'missing', message: `expected a value of "${missing}"`, file, line, text });
      else if (lineColumn !== undefined && Object.hasOwn(value as object, lineColumn))
        throw new ValueError(
          `jsonlDataset: ${file}, line ${line}: expected lineColumn to be no field of the data, received ${JSON.stringify(lineColumn)}`,
        );
      else values.push((lineColumn === undefined ? value : { ...(value as object), [lineColumn]: line }) as T);
    }),
  );
}
