import { basename } from 'node:path';
import { BadRowError, csvDataset, type Dataset, jsonlDataset, ReadError } from 'recurra';
import { CommandError } from './errors.js';

/** One labelled text, and where it stands (for messages). */
export interface Sample {
  readonly text: string;
  readonly label: string | null;
  readonly line: number;
}

/** Which columns hold what. */
export interface Columns {
  readonly text: string;
  /** `null`: no labels are needed. */
  readonly label: string | null;
}

/** The field that holds the number of a row's line: no name that a column would have. */
const LINE = '\0line';
type Row = Readonly<Record<string, unknown>>;

function rowsOf(path: string): Dataset<Row> {
  const name = basename(path).replace(/\.gz$/i, '').toLowerCase();
  if (/\.(jsonl|ndjson)$/.test(name)) return jsonlDataset<Row>(path, { lineColumn: LINE });
  if (/\.(tsv|tab)$/.test(name)) return csvDataset(path, { lineColumn: LINE, delimiter: '\t', quote: null });
  if (/\.csv$/.test(name)) return csvDataset(path, { lineColumn: LINE });
  throw new CommandError(
    `${path}: expected a file named .csv, .tsv or .jsonl (.gz after it is fine), received "${basename(path)}"`,
  );
}

/**
 * The samples of a CSV, TSV or JSONL file (each also gzipped), in order. Throws `CommandError` naming file and line for an
 * unreadable row, a missing column or value, an empty text, or a file without rows.
 */
export async function readSamples(path: string, columns: Columns): Promise<Sample[]> {
  const samples: Sample[] = [];
  try {
    for await (const row of rowsOf(path)) samples.push(sampleOf(path, row, columns));
  } catch (error) {
    if (error instanceof BadRowError)
      throw new CommandError(`${path}:${error.row.line}: unreadable row: ${error.row.message}`);
    if (error instanceof ReadError) throw new CommandError(error.message);
    throw error;
  }
  if (samples.length === 0) throw new CommandError(`${path}: expected at least one row, received none`);
  return samples;
}

function sampleOf(path: string, row: Row, columns: Columns): Sample {
  const { [LINE]: line, ...values } = row;
  for (const column of [columns.text, columns.label])
    if (column !== null && !(column in values)) {
      const option = column === columns.text ? '--text-column' : '--label-column';
      throw new CommandError(
        `${path}:${line}: expected a column "${column}", received ${Object.keys(values).join(', ') || 'none'}. Name it with ${option}.`,
      );
    }
  const content = values[columns.text];
  if (typeof content !== 'string' || content.trim() === '')
    throw new CommandError(
      `${path}:${line}: expected a text, received ${typeof content === 'string' ? 'an empty one' : JSON.stringify(content)}`,
    );
  const raw = columns.label === null ? null : values[columns.label];
  if (raw !== null && typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
    throw new CommandError(`${path}:${line}: expected a label (text or number), received ${JSON.stringify(raw)}`);
  if (raw === '') throw new CommandError(`${path}:${line}: expected a label, received an empty one`);
  return { text: content, label: raw === null ? null : String(raw), line: Number(line) };
}
