import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { CsvRows, DELIMITERS, type Fault } from './csv-rows.js';
import { Dataset } from './dataset.js';
import { attempt, BYTES, lineBlocks } from './lines.js';
import { READ_RULES } from './read-options.js';
import { BAD_ROW_RULES, type BadRowOptions, BadRows, NAMES } from './rows.js';
import { type DataSource, nameOf, ReadError, type ReadOptions } from './source.js';

/** A row by the names of its columns: its own properties, whatever they are called. */
export type CsvRow = Record<string, string | number>;

/** Options of {@link csvDataset}. */
export interface CsvOptions extends ReadOptions, BadRowOptions {
  /** ',' (default), '\t', ';', ... of one character */
  readonly delimiter?: string;
  /** '"'; `null`: quotes mean nothing, as in most TSV. */
  readonly quote?: string | null;
  /** Lines that begin with it are left out; `null` (default): none. */
  readonly comment?: string | null;
  /** Names of the columns; `null` (default): the first row holds them. */
  readonly columns?: readonly string[] | null;
  /** Columns to keep; all by default. */
  readonly select?: readonly string[];
  /** Columns of numbers. Empty fields give NaN (unless required), other text is a bad row. */
  readonly numeric?: readonly string[] | 'all';
  /** Columns that may not be empty: the label, for one. */
  readonly required?: readonly string[];
  /** Spaces around fields are left out; false. */
  readonly trim?: boolean;
  /** Name of a column that is added, with the number of the row's first line; none. */
  readonly lineColumn?: string;
  /** Bytes of the longest row: what is longer is a bad row, as one that has lost its closing quote; 1 MiB. */
  readonly maxRowBytes?: number;
  /** Bytes of the longest field: a row with a longer one is a bad row; as `maxRowBytes`. */
  readonly maxFieldBytes?: number;
}

const CSV_RULES = {
  ...READ_RULES,
  ...BAD_ROW_RULES,
  delimiter: rules.text,
  quote: rules.orNull(rules.text),
  comment: rules.orNull(rules.text),
  columns: rules.orNull(NAMES),
  select: NAMES,
  numeric: { expected: "'all' or a list of names", accepts: (v) => v === 'all' || NAMES.accepts(v) },
  required: NAMES,
  trim: rules.flag,
  lineColumn: rules.text,
  maxRowBytes: BYTES,
  maxFieldBytes: BYTES,
} satisfies Rules<CsvOptions>;

function checkCharacters(delimiter: string, quote: string | null, comment: string | null): void {
  for (const [name, c] of [
    ['delimiter', delimiter],
    ['quote', quote],
  ] as const)
    if (c !== null && (c.length !== 1 || c.charCodeAt(0) > 127 || c === '\n' || c === '\r'))
      throw new ValueError(
        `csvDataset: expected ${name} to be one ASCII character, and no line end, received ${JSON.stringify(c)}`,
      );
  if (delimiter === quote)
    throw new ValueError(`csvDataset: expected delimiter and quote to differ, received ${JSON.stringify(quote)} twice`);
  if (comment === '') throw new ValueError('csvDataset: expected comment to be text or null, received an empty text');
}

/**
 * The rows of a file of comma-separated values (RFC 4180; `delimiter: '\t'` for TSV) by the names of their columns. Lines end with LF, CR LF or CR. Read in
 * blocks: memory does not grow with the file, and neither rows nor reports depend on how its bytes come.
 *
 * Rows with another number of fields, broken UTF-8, unclosed or stray quotes, missing required values, text in a numeric column, or more bytes than
 * `maxRowBytes` are bad rows. After stray quotes reading goes on at the next line that makes a whole row, so that no good row is lost.
 *
 * Throws `ReadError` for a header that cannot be read, whatever `onBadRow` says, and `ValueError` for columns that are not there.
 */
export function csvDataset(source: DataSource, options: CsvOptions = {}): Dataset<CsvRow> {
  checkRules('csvDataset', options, CSV_RULES);
  const { delimiter = ',', quote = '"', comment = null, trim = false, maxRowBytes = 1 << 20, lineColumn } = options;
  const { maxFieldBytes = maxRowBytes } = options;
  checkCharacters(delimiter, quote, comment);
  const file = nameOf(source, options);
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    let header: Header | null = options.columns ? new Header(options.columns, file, options) : null;
    let rows: CsvRow[] = [];
    const reader = new CsvRows(
      { delimiter, quote, comment, trim, maxRowBytes, maxFieldBytes },
      {
        get width() {
          return header === null ? null : header.names.length;
        },
        take(fields, line) {
          if (header === null) {
            checkDelimiter(fields, delimiter, file);
            header = new Header(fields, file, options);
            return null;
          }
          const row = header.row(fields);
          if (row instanceof BadValue) return row;
          if (lineColumn !== undefined) setOwn(row, lineColumn, line);
          rows.push(row);
          return null;
        },
        tell({ reason, message }, line, lines, text) {
          if (header === null) throw malformedHeader(file, line, message, text);
          bad.add({ reason, message, file, line, lines, text });
        },
      },
    );
    /** What was read so far, also where a row ends the iteration then. */
    const taken = (): CsvRow[] => {
      const own = rows;
      rows = [];
      bad.report.good += own.length;
      return own;
    };
    for await (const block of lineBlocks(source, options, maxRowBytes)) {
      const failure = attempt(() =>
        'begins' in block ? reader.long(block.begins) : reader.push(block.text, block.broken),
      );
      if (rows.length > 0) yield taken();
      if (failure) throw failure;
    }
    const failure = attempt(() => reader.finish());
    if (rows.length > 0) yield taken();
    if (failure) throw failure;
    if (header === null)
      throw new ReadError(`${file}: expected a header with the names of the columns, received no rows at all`);
    bad.finish();
  });
}

/** A header is never left out as other bad rows are: the next row would take its place. */
function malformedHeader(file: string, line: number, message: string, text: string): ReadError {
  const encoding = text.startsWith('\ufffd\ufffd') ? ' It seems to be UTF-16: save it as UTF-8.' : '';
  return new ReadError(
    `${file}, line ${line}: expected a header with the names of the columns: ${message}, received ${JSON.stringify(text.slice(0, 200))}. Repair it.${encoding}`,
  );
}

/** One column whose name holds another delimiter is a file that is separated by that one. */
function checkDelimiter(fields: readonly string[], delimiter: string, file: string): void {
  if (fields.length !== 1) return;
  const other = DELIMITERS.find((d) => d !== delimiter && fields[0]!.includes(d));
  if (other !== undefined)
    throw new ValueError(
      `${file}: expected columns separated by ${JSON.stringify(delimiter)}, received one column ${JSON.stringify(fields[0])}. Give delimiter: ${JSON.stringify(other)} (or its name by \`columns\`, if it is one).`,
    );
}

/** Sets a property of an object's own: assigning to `__proto__` would do something else. */
function setOwn(row: CsvRow, name: string, value: string | number): void {
  if (name === '__proto__')
    Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
  else row[name] = value;
}

/** What is wrong with a value. */
class BadValue implements Fault {
  readonly reason: Fault['reason'];
  readonly message: string;

  constructor(reason: Fault['reason'], message: string) {
    this.reason = reason;
    this.message = message;
  }
}

/** The columns, and how a record becomes a row. */
class Header {
  readonly names: readonly string[];
  private readonly kept: readonly {
    readonly name: string;
    readonly index: number;
    readonly numeric: boolean;
    readonly required: boolean;
  }[];

  constructor(names: readonly string[], file: string, options: CsvOptions) {
    this.names = names;
    const { select, numeric = [], required = [], lineColumn } = options;
    const known = new Set(names);
    if (known.size !== names.length)
      throw new ValueError(
        `csvDataset: ${file}: expected columns of different names, received ${JSON.stringify(names)}. Give names by \`columns\`.`,
      );
    for (const name of [...(select ?? []), ...(numeric === 'all' ? [] : numeric), ...required])
      if (!known.has(name))
        throw new ValueError(`csvDataset: ${file}: expected a column "${name}", received ${JSON.stringify(names)}`);
    if (lineColumn !== undefined && known.has(lineColumn))
      throw new ValueError(
        `csvDataset: ${file}: expected lineColumn to be no column of the file, received ${JSON.stringify(lineColumn)}`,
      );
    const wanted = select === undefined ? null : new Set(select);
    const [numbers, needed] = [new Set(numeric === 'all' ? names : numeric), new Set(required)];
    this.kept = names.flatMap((name, index) => {
      if (wanted && !wanted.has(name) && !needed.has(name)) return [];
      return [{ name, index, numeric: numbers.has(name), required: needed.has(name) }];
    });
  }

  /** The row of a record, or what is wrong with it. */
  row(record: readonly string[]): CsvRow | BadValue {
    const row: CsvRow = {};
    for (const { name, index, numeric, required } of this.kept) {
      const text = record[index]!;
      if (required && text.trim() === '') return new BadValue('missing', `expected a value of "${name}"`);
      if (!numeric) {
        setOwn(row, name, text);
        continue;
      }
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (Number.isNaN(value) && !/^\s*(nan)?\s*$/i.test(text))
        return new BadValue('type', `expected a number in "${name}"`);
      setOwn(row, name, value);
    }
    return row;
  }
}
