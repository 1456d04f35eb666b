import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
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

/** The text of a file, unpacked if it is gzip. */
function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : (error as Error).message;
    throw new CommandError(`${path}: cannot be read: ${why}`);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      throw new CommandError(`${path}: expected gzip data, received a damaged file (${(error as Error).message})`);
    }
  }
  // The longest string of the engine; beyond it decoding would fail with a message about memory.
  if (bytes.length > 2 ** 29 - 25)
    throw new CommandError(
      `${path}: expected at most 512 MB of text, received ${Math.round(bytes.length / 1e6)} MB. Split the file.`,
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CommandError(`${path}: expected UTF-8 text, received other bytes. Convert the file first.`);
  }
}

interface Row {
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

function readTable(path: string, text: string, delimiter: string): Row[] {
  try {
    const records = parse(text, {
      columns: true,
      delimiter,
      bom: true,
      skip_empty_lines: true,
      info: true,
      quote: delimiter === '\t' ? null : '"',
    }) as unknown as {
      info: { lines: number };
      record: Record<string, string>;
    }[];
    return records.map(({ info, record }) => ({ line: info.lines, values: record }));
  } catch (error) {
    throw new CommandError(`${path}: unreadable row: ${(error as Error).message}`);
  }
}

function readJsonLines(path: string, text: string): Row[] {
  const rows: Row[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new CommandError(
        `${path}:${i + 1}: unreadable row: expected one JSON object a line (${(error as Error).message})`,
      );
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new CommandError(`${path}:${i + 1}: unreadable row: expected a JSON object, received ${line.slice(0, 40)}`);
    rows.push({ line: i + 1, values: value as Record<string, unknown> });
  });
  return rows;
}

/**
 * The samples of a CSV, TSV or JSONL file (each also gzipped), in order. Throws `CommandError` naming file and line for an
 * unreadable row, a missing column or value, an empty text, or a file without rows.
 */
export function readSamples(path: string, columns: Columns): Sample[] {
  const name = basename(path).replace(/\.gz$/i, '').toLowerCase();
  const text = readText(path);
  let rows: Row[];
  if (/\.(jsonl|ndjson)$/.test(name)) rows = readJsonLines(path, text);
  else if (/\.(tsv|tab)$/.test(name)) rows = readTable(path, text, '\t');
  else if (/\.csv$/.test(name)) rows = readTable(path, text, ',');
  else
    throw new CommandError(
      `${path}: expected a file named .csv, .tsv or .jsonl (.gz after it is fine), received "${basename(path)}"`,
    );
  if (rows.length === 0) throw new CommandError(`${path}: expected at least one row, received none`);
  return rows.map(({ line, values }) => {
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
        `${path}:${line}: expected a text, received ${content === '' || typeof content === 'string' ? 'an empty one' : JSON.stringify(content)}`,
      );
    const raw = columns.label === null ? null : values[columns.label];
    if (raw !== null && typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
      throw new CommandError(`${path}:${line}: expected a label (text or number), received ${JSON.stringify(raw)}`);
    if (raw === '') throw new CommandError(`${path}:${line}: expected a label, received an empty one`);
    return { text: content, label: raw === null ? null : String(raw), line };
  });
}
