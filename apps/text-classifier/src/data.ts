import { basename } from 'node:path';
import { BadRowError, csvDataset, type Dataset, jsonlDataset, RecurraError, RowReport } from 'recurra';
import { CommandError } from './errors.js';

/** One labelled text, and where it stands (for messages). */
export interface Sample {
  readonly text: string;
  readonly label: string | null;
  readonly line: number;
}

/** What is done with rows that cannot be used: 'skip' counts them, 'collect' also lists them, 'error' ends reading. */
export const ON_BAD_ROW = ['error', 'skip', 'collect'] as const;

/** How files are read. */
export interface Reading {
  /** The column of texts. */
  readonly text: string;
  /** The column of labels; `null`: no labels are needed. */
  readonly label: string | null;
  /** The character between fields of CSV and TSV; `null`: as the name of the file says. */
  readonly delimiter: string | null;
  readonly onBadRow: (typeof ON_BAD_ROW)[number];
  /** Longer rows are bad rows: a file that is no table shall not fill the memory. `null`: 1 MiB for CSV and TSV, 16 MiB for JSONL. */
  readonly maxRowBytes: number | null;
}

/** A row that cannot be used. */
export interface Fault {
  /** Where the row begins. */
  readonly line: number;
  readonly reason: string;
  /** What was expected and received. */
  readonly message: string;
  /** The row's text, where the file could not be cut into fields. */
  readonly text: string | null;
}

/** The samples of a file, and what was not taken from it as it stands. */
export interface Samples {
  readonly file: string;
  readonly samples: readonly Sample[];
  /** How many rows were left out. */
  readonly bad: number;
  /** Those, by reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** The rows that were left out: all with 'collect', else the first ten. */
  readonly faults: readonly Fault[];
  /** How many labels had spaces around them, which were left out. */
  readonly trimmed: number;
}

/** The field that holds the number of a row's line: no name that a column would have. */
const LINE = '\0line';
type Row = Readonly<Record<string, unknown>>;
/** Faults that are kept unless all are asked for. */
const EXAMPLES = 10;

function rowsOf(path: string, reading: Reading, report: RowReport): Dataset<Row> {
  const name = basename(path).replace(/\.gz$/i, '').toLowerCase();
  const { delimiter, maxRowBytes: limit } = reading;
  const options = {
    lineColumn: LINE,
    onBadRow: reading.onBadRow === 'collect' ? 'collect' : 'skip',
    report,
  } as const;
  if (/\.(jsonl|ndjson)$/.test(name)) {
    if (delimiter !== null)
      throw new CommandError(`--delimiter: expected CSV or TSV files, received ${path}, which is JSONL`, 2);
    return jsonlDataset<Row>(path, { ...options, ...(limit === null ? {} : { maxLineBytes: limit }) });
  }
  const table = { ...options, ...(limit === null ? {} : { maxRowBytes: limit }) };
  if (/\.(tsv|tab)$/.test(name)) return csvDataset(path, { ...table, delimiter: delimiter ?? '\t', quote: null });
  if (/\.csv$/.test(name)) return csvDataset(path, { ...table, delimiter: delimiter ?? ',' });
  // A person who names the delimiter has said what it is.
  if (delimiter !== null) return csvDataset(path, { ...table, delimiter });
  throw new CommandError(
    `${path}: expected a file named .csv, .tsv or .jsonl (.gz after it is fine), received "${basename(path)}". For CSV under another name give --delimiter.`,
  );
}

/** A message of the data sets, whose hints are given here as one gives them on a command line. */
const asOptions = (message: string): string =>
  message
    .replace(/Give delimiter: ("[^"]+").*/, 'Give --delimiter $1.')
    .replace(/\bmax(Row|Line|Field)Bytes\b/, '--max-row-bytes');

/**
 * The samples of a CSV, TSV or JSONL file (each also gzipped), in order. Rows that cannot be read, and rows without text or label, are bad
 * rows. Throws `CommandError` naming file and line for the first of them (and how many there are) with `onBadRow: 'error'`, for a missing
 * column, and for a file without a row that can be used.
 */
export async function readSamples(path: string, reading: Reading): Promise<Samples> {
  if (path === '') throw new CommandError('expected the name of a file, received an empty one', 2);
  const report = new RowReport();
  const tally = new Tally(reading.onBadRow === 'collect');
  const samples: Sample[] = [];
  let trimmed = 0;
  let first = true;
  try {
    for await (const row of rowsOf(path, reading, report)) {
      const { [LINE]: line, ...values } = row;
      if (first) checkColumns(path, Number(line), values, reading);
      first = false;
      const result = sampleOf(values, Number(line), reading);
      if ('reason' in result) tally.add(result);
      else {
        samples.push(result.sample);
        if (result.trimmed) trimmed++;
      }
    }
  } catch (error) {
    if (error instanceof BadRowError)
      throw new CommandError(`${path}:${error.row.line}: unreadable row: ${asOptions(error.row.message)}`);
    if (error instanceof RecurraError) {
      const message = asOptions(error.message);
      throw new CommandError(message.includes(path) ? message : `${path}: ${message}`);
    }
    throw error;
  }
  for (const { line, reason, message, text } of report.rows)
    tally.add({ line, reason, message: `unreadable row: ${asOptions(message)}`, text });
  for (const [reason, n] of Object.entries(report.reasons))
    tally.count(reason, n - report.rows.filter((row) => row.reason === reason).length);
  const { bad, reasons } = tally;
  const faults = tally.sorted();
  if (bad > 0 && (reading.onBadRow === 'error' || samples.length === 0)) throw badRows(path, samples.length, tally);
  if (samples.length === 0) throw new CommandError(`${path}: expected at least one row, received none`);
  return { file: path, samples, bad, reasons, faults, trimmed };
}

/** Counts faults, and keeps the first of them. */
class Tally {
  bad = 0;
  readonly reasons = new Map<string, number>();
  private readonly faults: Fault[] = [];
  private readonly all: boolean;

  constructor(all: boolean) {
    this.all = all;
  }

  add(fault: Fault): void {
    this.count(fault.reason, 1);
    this.faults.push(fault);
    // Two sources of faults come one after the other, each in order: so the first ten of each are kept.
    if (!this.all && this.faults.length > 2 * EXAMPLES) this.faults.splice(EXAMPLES, 1);
  }

  count(reason: string, n: number): void {
    if (n === 0) return;
    this.bad += n;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + n);
  }

  sorted(): Fault[] {
    const sorted = [...this.faults].sort((a, b) => a.line - b.line);
    return this.all ? sorted : sorted.slice(0, EXAMPLES);
  }
}

/** `quotes 2, emptyText 1` */
export const formatReasons = (reasons: ReadonlyMap<string, number>): string =>
  [...reasons].map(([reason, n]) => `${reason} ${n}`).join(', ');

/** `a.csv:3: expected a text, received an empty one` */
export function formatFault(file: string, { line, message, text }: Fault): string {
  return `${file}:${line}: ${message}${text === null ? '' : `: ${JSON.stringify(text)}`}`;
}

function badRows(path: string, good: number, tally: Tally): CommandError {
  const { bad, reasons } = tally;
  const [first] = tally.sorted();
  const all = bad === 1 ? 'a bad row' : `the first of ${bad} bad rows (${formatReasons(reasons)})`;
  const out =
    good === 0
      ? 'No row of the file can be used.'
      : `${all[0]!.toUpperCase()}${all.slice(1)}, beside ${good} good ones. Repair the file, or leave bad rows out with --on-bad-row skip (collect lists them).`;
  return new CommandError(`${formatFault(path, first!)}\n${out}`);
}

/** The columns of a table are those of its first row. */
function checkColumns(path: string, line: number, values: Row, { text, label }: Reading): void {
  for (const [column, option] of [
    [text, '--text-column'],
    [label, '--label-column'],
  ] as const) {
    if (column === null || Object.hasOwn(values, column)) continue;
    const names = Object.keys(values);
    throw new CommandError(
      `${path}:${line}: expected a column "${column}", received ${names.join(', ') || 'none'}. Name it with ${option}.`,
    );
  }
}

function sampleOf(
  values: Row,
  line: number,
  { text, label }: Reading,
): Fault | { readonly sample: Sample; readonly trimmed: boolean } {
  const fault = (reason: string, message: string): Fault => ({ line, reason, message, text: null });
  for (const column of [text, label])
    if (column !== null && !Object.hasOwn(values, column))
      return fault('missing', `expected a field "${column}", received ${Object.keys(values).join(', ') || 'none'}`);
  const content = values[text];
  if (typeof content !== 'string') return fault('type', `expected a text, received ${JSON.stringify(content)}`);
  if (content.trim() === '') return fault('emptyText', 'expected a text, received an empty one');
  if (label === null) return { sample: { text: content, label: null, line }, trimmed: false };
  const raw = values[label];
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
    return fault('type', `expected a label (text or number), received ${JSON.stringify(raw)}`);
  const name = String(raw).trim();
  if (name === '') return fault('emptyLabel', 'expected a label, received an empty one');
  return { sample: { text: content, label: name, line }, trimmed: name !== String(raw) };
}
