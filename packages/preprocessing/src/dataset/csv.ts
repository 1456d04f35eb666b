import { ValueError } from '@recurra/tensor';
import type { CsvError, Options } from 'csv-parse/sync';
import { builtin } from '../internal/builtin.js';
import { Dataset } from './dataset.js';
import { blocks, decode, decodeLeniently, type LineBlock } from './lines.js';
import { type BadRowOptions, type BadRowReason, BadRows } from './rows.js';
import { type DataSource, nameOf, type ReadOptions } from './source.js';

/** A row by the names of its columns. */
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
}

const NEWLINE = 10;

/** Length of the whole rows at the start of bytes; -1 where the first one never ends within `limit`. */
function wholeRows(bytes: Uint8Array, last: boolean, quote: number, delimiter: number, limit: number): number {
  const quoted = bytes.indexOf(quote);
  if (quoted < 0) {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (last) return bytes.length;
    return end > 0 || bytes.length <= limit ? end : -1;
  }
  // A quote opens at the start of a field, and closes at the next one that is not doubled.
  let end = bytes.lastIndexOf(NEWLINE, quoted) + 1;
  let fieldStart = true;
  for (let i = end; i < bytes.length; i++) {
    const c = bytes[i]!;
    if (c === quote && fieldStart) {
      for (i++; i < bytes.length; i++) {
        if (bytes[i] !== quote) continue;
        if (bytes[i + 1] !== quote) break;
        i++;
      }
      // Open to the end.
      if (i >= bytes.length) return end > 0 || (!last && bytes.length <= limit) ? end : -1;
      fieldStart = false;
    } else if (c === NEWLINE) {
      end = i + 1;
      fieldStart = true;
    } else fieldStart = c === delimiter;
  }
  if (last) return bytes.length;
  return end > 0 || bytes.length <= limit ? end : -1;
}

interface Parsed {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/**
 * The rows of a file of comma-separated values (RFC 4180; `delimiter: '\t'` for TSV) by the names of their columns. Read in blocks: memory does
 * not grow with the file. Rows with another number of fields, broken UTF-8, unclosed or stray quotes, missing required values, or text in a
 * numeric column are bad rows. Fields by `csv-parse`.
 */
export function csvDataset(source: DataSource, options: CsvOptions = {}): Dataset<CsvRow> {
  const { delimiter = ',', quote = '"', comment = null, trim = false, maxRowBytes = 1 << 20 } = options;
  for (const [name, c] of [
    ['delimiter', delimiter],
    ['quote', quote],
  ] as const)
    if (c !== null && (c.length !== 1 || c.charCodeAt(0) > 127))
      throw new ValueError(`csvDataset: expected ${name} to be one ASCII character, received ${JSON.stringify(c)}`);
  const file = nameOf(source, options);
  const settings: Options = {
    delimiter,
    quote,
    trim,
    ...(comment === null ? {} : { comment, comment_no_infix: true }),
    record_delimiter: ['\n', '\r\n'],
    skip_empty_lines: true,
    relax_column_count: true,
    skip_records_with_error: true,
  };
  // No byte is 256.
  const [q, d] = [quote?.charCodeAt(0) ?? 256, delimiter.charCodeAt(0)];
  const { lineColumn } = options;
  const plain = !trim && comment === null;
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    // The build for browsers brings the parts of Node that the package uses.
    const { parse } = builtin('node:fs') ? await import('csv-parse/sync') : await import('csv-parse/browser/esm/sync');
    let header: Header | null = options.columns ? new Header(options.columns, options) : null;
    /** A row that cannot be used; its line may be that of the block's first row and more. */
    const tell = (reason: BadRowReason, message: string, line: number, text: string): void =>
      bad.add({ reason, message, file, line, text });

    const rowsOf = ({ bytes, line }: LineBlock): CsvRow[] => {
      const text = decode(bytes);
      if (text !== null) return (lineColumn === undefined && withoutLines(text)) || withLines(text, line);
      // Broken UTF-8 somewhere: row by row.
      return [...split(bytes, q, d, line)].flatMap((row) => {
        const own = decode(row.bytes);
        if (own !== null) return withLines(own, row.line);
        tell('encoding', 'expected UTF-8', row.line, decodeLeniently(row.bytes).trimEnd());
        return [];
      });
    };

    /** The rows of a text; `null` where something is wrong, which is told with its line when they are read with lines. */
    const withoutLines = (text: string): CsvRow[] | null => {
      let failed = false;
      const parseAll = (part: string): string[][] =>
        parse(part, {
          ...settings,
          on_skip: () => {
            failed = true;
            return undefined;
          },
        }) as string[][];
      const records = (plain && recordsOf(text, quote, delimiter, parseAll)) || parseAll(text);
      const [first] = records;
      if (failed || !first) return failed ? null : [];
      const names = header ?? new Header(first, options);
      const rows: CsvRow[] = [];
      for (let i = header === null ? 1 : 0; i < records.length; i++) {
        if (records[i]!.length !== names.names.length) return null;
        const row = names.row(records[i]!);
        if (row instanceof Fault) return null;
        rows.push(row);
      }
      header = names;
      return rows;
    };

    const withLines = (text: string, line: number): CsvRow[] =>
      parseText(text, line).flatMap((parsed) => {
        const row = take(parsed, text, line);
        return row ? [row] : [];
      });

    /** Records with the numbers of their lines; what csv-parse cannot read is told. */
    const parseText = (text: string, line: number): Parsed[] => {
      const problems: CsvError[] = [];
      const records = parse(text, {
        ...settings,
        info: true,
        on_skip: (error) => {
          if (error) problems.push(error);
          return undefined;
        },
      }) as unknown as Parsed[];
      for (const problem of problems) {
        const number = line + Number((problem as unknown as { lines: number }).lines) - 1;
        tell('quotes', `expected well-formed quotes (${problem.message})`, number, lineAt(text, number - line));
      }
      return records;
    };

    const take = ({ record, info }: Parsed, text: string, line: number): CsvRow | null => {
      if (header === null) {
        header = new Header(record, options);
        return null;
      }
      const number = line + info.lines - 1;
      const expected = header.names.length;
      const row =
        record.length === expected
          ? header.row(record)
          : new Fault('fieldCount', `expected ${expected} fields, received ${record.length}`);
      if (!(row instanceof Fault)) return lineColumn === undefined ? row : { ...row, [lineColumn]: number };
      tell(row.reason, row.message, number, lineAt(text, number - line));
      return null;
    };

    let skipping = 0;
    for await (const block of blocks(source, options, (bytes, last) => {
      const size = wholeRows(bytes, last, q, d, maxRowBytes);
      if (size >= 0) return size;
      // A quote that never closes: its line alone is given up.
      skipping = bytes.indexOf(NEWLINE) + 1 || bytes.length;
      return skipping;
    })) {
      if (skipping > 0) {
        skipping = 0;
        const text = decodeLeniently(block.bytes).trimEnd();
        const long = quote === null || !text.includes(quote);
        tell(
          'quotes',
          long ? `expected a row of at most ${maxRowBytes} bytes` : 'expected a closing quote',
          block.line,
          text,
        );
        continue;
      }
      const rows = rowsOf(block);
      bad.report.good += rows.length;
      yield rows;
    }
    bad.finish();
  });
}

/**
 * The records of a text: lines without quotes are cut at delimiters here, which is most of most files and several times as fast; all those
 * with quotes are parsed together. `null` where quotes are not as they should be.
 */
function recordsOf(
  text: string,
  quote: string | null,
  delimiter: string,
  parseAll: (part: string) => string[][],
): string[][] | null {
  const records: (string[] | null)[] = [];
  let quoted = '';
  let count = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n', at);
    let end = found < 0 ? text.length : found;
    const line = text.slice(at, text.charCodeAt(end - 1) === 13 && end > at ? end - 1 : end);
    if (quote === null || !line.includes(quote)) {
      if (line !== '') records.push(line.split(delimiter));
      at = end + 1;
      continue;
    }
    // As far as its quotes are even.
    let quotes = 0;
    for (let i = at; ; ) {
      for (let k = text.indexOf(quote, i); k >= 0 && k < end; k = text.indexOf(quote, k + 1)) quotes++;
      if (quotes % 2 === 0) break;
      if (end >= text.length) return null;
      i = end + 1;
      const next = text.indexOf('\n', i);
      end = next < 0 ? text.length : next;
    }
    quoted += `${text.slice(at, end)}\n`;
    records.push(null);
    count++;
    at = end + 1;
  }
  if (count === 0) return records as string[][];
  const parsed = parseAll(quoted);
  if (parsed.length !== count) return null;
  let next = 0;
  for (let i = 0; i < records.length; i++) records[i] ??= parsed[next++]!;
  return records as string[][];
}

function lineAt(text: string, index: number): string {
  return (text.split('\n', index + 1)[index] ?? '').replace(/\r$/, '');
}

/** Single rows, as bytes. */
function* split(bytes: Uint8Array, quote: number, delimiter: number, first: number): Generator<LineBlock> {
  let line = first;
  for (let at = 0; at < bytes.length; ) {
    // The shortest run of lines that is whole.
    let end = at;
    let lines = 0;
    do {
      const found = bytes.indexOf(NEWLINE, end);
      end = found < 0 ? bytes.length : found + 1;
      lines++;
    } while (end < bytes.length && wholeRows(bytes.subarray(at, end), false, quote, delimiter, Infinity) !== end - at);
    yield { bytes: bytes.subarray(at, end), line };
    line += lines;
    at = end;
  }
}

/** What is wrong with a record. */
class Fault {
  readonly reason: BadRowReason;
  readonly message: string;

  constructor(reason: BadRowReason, message: string) {
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

  constructor(names: readonly string[], options: CsvOptions) {
    this.names = names;
    const { select, numeric = [], required = [] } = options;
    const known = new Set(names);
    if (known.size !== names.length)
      throw new ValueError(
        `csvDataset: expected columns of different names, received ${JSON.stringify(names)}. Give names by \`columns\`.`,
      );
    for (const name of [...(select ?? []), ...(numeric === 'all' ? [] : numeric), ...required])
      if (!known.has(name))
        throw new ValueError(`csvDataset: expected a column "${name}", received ${JSON.stringify(names)}`);
    const wanted = select === undefined ? null : new Set(select);
    this.kept = names.flatMap((name, index) => {
      const needed = required.includes(name);
      if (wanted && !wanted.has(name) && !needed) return [];
      return [{ name, index, numeric: numeric === 'all' || numeric.includes(name), required: needed }];
    });
  }

  /** The row of a record, or what is wrong with it. */
  row(record: readonly string[]): CsvRow | Fault {
    const row: CsvRow = {};
    for (const { name, index, numeric, required } of this.kept) {
      const text = record[index]!;
      if (required && text.trim() === '') return new Fault('missing', `expected a value of "${name}"`);
      if (!numeric) {
        row[name] = text;
        continue;
      }
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (Number.isNaN(value) && !/^\s*(nan)?\s*$/i.test(text))
        return new Fault('type', `expected a number in "${name}"`);
      row[name] = value;
    }
    return row;
  }
}
