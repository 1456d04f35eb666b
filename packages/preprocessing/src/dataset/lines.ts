import { Dataset } from './dataset.js';
import { type BadRowOptions, BadRows } from './rows.js';
import { type DataSource, nameOf, type ReadOptions, readBytes } from './source.js';

const NEWLINE = 10;

/** Whole lines of a source, as bytes, and the number of the first. */
export interface LineBlock {
  readonly bytes: Uint8Array;
  readonly line: number;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

/** Number of line breaks. */
export function countLines(bytes: Uint8Array): number {
  let n = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) n++;
  return n;
}

/**
 * A source in blocks that end where `end` says: it gets bytes that begin with a record, and gives the length of the records that are
 * complete in them (0: none yet). `last`: nothing follows. A byte order mark at the start is left out.
 */
export async function* blocks(
  source: DataSource,
  options: ReadOptions,
  end: (bytes: Uint8Array, last: boolean) => number,
): AsyncGenerator<LineBlock, void, void> {
  let rest: Uint8Array = new Uint8Array(0);
  let line = 1;
  let first = true;
  for await (const chunk of readBytes(source, options)) {
    let bytes = joined(rest, chunk);
    if (first) {
      if (bytes.length < 3) {
        rest = bytes;
        continue;
      }
      first = false;
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
    }
    const size = end(bytes, false);
    if (size > 0) {
      const block = bytes.subarray(0, size);
      yield { bytes: block, line };
      line += countLines(block);
    }
    rest = bytes.slice(size);
  }
  while (rest.length > 0) {
    const size = end(rest, true);
    const block = rest.subarray(0, size);
    yield { bytes: block, line };
    line += countLines(block);
    rest = rest.subarray(size);
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes as text, or `null` where they are not UTF-8. */
export function decode(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** What can be shown of bytes that are no text. */
export function decodeLeniently(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

const lastNewline = (bytes: Uint8Array, last: boolean): number =>
  last ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;

/** The lines of a source, with their numbers, a block at a time; those that are not UTF-8 go to `bad`. */
export async function* lineChunks(
  source: DataSource,
  options: ReadOptions,
  bad: BadRows,
): AsyncGenerator<{ readonly lines: readonly string[]; readonly numbers: (i: number) => number }, void, void> {
  const file = nameOf(source, options);
  for await (const { bytes, line } of blocks(source, options, lastNewline)) {
    const text = decode(bytes);
    const cut = (s: string): string => (s.endsWith('\r') ? s.slice(0, -1) : s);
    if (text !== null) {
      const lines = text.split('\n');
      if (lines[lines.length - 1] === '') lines.pop();
      for (let i = 0; i < lines.length; i++) lines[i] = cut(lines[i]!);
      yield { lines, numbers: (i) => line + i };
      continue;
    }
    // Somewhere in the block: line by line.
    const lines: string[] = [];
    const numbers: number[] = [];
    for (let at = 0, number = line; at < bytes.length; number++) {
      const found = bytes.indexOf(NEWLINE, at);
      const end = found < 0 ? bytes.length : found;
      const own = bytes.subarray(at, end);
      const decoded = decode(own);
      if (decoded === null)
        bad.add({ reason: 'encoding', message: 'expected UTF-8', file, line: number, text: decodeLeniently(own) });
      else {
        lines.push(cut(decoded));
        numbers.push(number);
      }
      at = end + 1;
    }
    yield { lines, numbers: (i) => numbers[i]! };
  }
}

/** Options of {@link textLineDataset}. */
export interface TextLineOptions extends ReadOptions, BadRowOptions {
  /** Leave out lines without text; false. */
  readonly skipEmpty?: boolean;
}

/** The lines of a text (UTF-8), without their ends. Lines that are not UTF-8 are bad rows. TensorFlow's `TextLineDataset`. */
export function textLineDataset(source: DataSource, options: TextLineOptions = {}): Dataset<string> {
  const { skipEmpty = false } = options;
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    for await (const { lines } of lineChunks(source, options, bad)) {
      const kept = skipEmpty ? lines.filter((line) => line.trim() !== '') : lines;
      bad.report.good += kept.length;
      yield kept;
    }
    bad.finish();
  });
}
