import { checkRules, concatenated, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { Dataset } from './dataset.js';
import { READ_RULES } from './read-options.js';
import { BAD_ROW_RULES, type BadRowOptions, BadRows, SHOWN } from './rows.js';
import { type DataSource, nameOf, type ReadOptions, readSource } from './source.js';

const LF = 10;
const CR = 13;

/** Whole lines of a source, each with its end (the last of a source may have none). */
export interface LineBlock {
  readonly text: string;
  /** The places, from 0, of lines that are not UTF-8; their text has U+FFFD for what is broken. */
  readonly broken: readonly number[];
}

/** A line that is longer than the limit, in place of its text: how it begins. */
export interface LongLine {
  readonly begins: string;
}

/** The bytes of a source without a byte order mark, in pieces that do not end between CR and LF. Empty pieces are left out. */
async function* pieces(source: DataSource, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
  // What waits for the next bytes: the start, until it is long enough for a mark, or a CR.
  let held: Uint8Array = new Uint8Array(0);
  let first = true;
  const begun = (bytes: Uint8Array): Uint8Array => {
    first = false;
    return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  };
  for await (const chunk of readSource(source, options)) {
    let bytes = joined([held, chunk]);
    held = bytes.subarray(0, 0);
    if (first && bytes.length < 3) {
      held = bytes.slice();
      continue;
    }
    if (first) bytes = begun(bytes);
    if (bytes[bytes.length - 1] === CR) {
      held = Uint8Array.of(CR);
      bytes = bytes.subarray(0, -1);
    }
    if (bytes.length > 0) yield bytes;
  }
  if (first) held = begun(held);
  if (held.length > 0) yield held;
}

/** {@link concatenated}, for bytes that are used at once: the only part that is not empty is not copied. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0);
  return filled.length === 1 ? filled[0]! : concatenated(filled);
}

/** Where the line at `at` ends, and where the next one begins: behind LF, CR LF or CR. */
class LineEnds {
  private readonly bytes: Uint8Array;
  private lf = -1;
  private cr = -1;
  end = 0;
  next = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  find(at: number): void {
    const { bytes } = this;
    // Each is looked for again only when it lies behind: linear in the whole.
    const from = (b: number): number => {
      const found = bytes.indexOf(b, at);
      return found < 0 ? bytes.length : found;
    };
    if (this.lf < at) this.lf = from(LF);
    if (this.cr < at) this.cr = from(CR);
    this.end = Math.min(this.lf, this.cr);
    this.next = Math.min(this.end + (this.end === this.cr && this.lf === this.cr + 1 ? 2 : 1), bytes.length);
  }
}

/** Behind the last line end; 0 where there is none. */
function afterLastEnd(bytes: Uint8Array): number {
  const lf = bytes.lastIndexOf(LF);
  return Math.max(lf, lf + 1 + bytes.subarray(lf + 1).lastIndexOf(CR)) + 1;
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

function blockOf(bytes: Uint8Array): LineBlock {
  const text = decode(bytes);
  if (text !== null) return { text, broken: [] };
  const broken: number[] = [];
  const ends = new LineEnds(bytes);
  for (let at = 0, line = 0; at < bytes.length; at = ends.next, line++) {
    ends.find(at);
    if (decode(bytes.subarray(at, ends.end)) === null) broken.push(line);
  }
  return { text: decodeLeniently(bytes), broken };
}

/** How a long line begins: the same text however its bytes come. */
function longLine(bytes: Uint8Array, limit: number): LongLine {
  // A character that is cut at the end is left out.
  const begin = bytes.subarray(0, Math.min(limit, 4 * SHOWN));
  return {
    begins: `${new TextDecoder('utf-8', { ignoreBOM: true }).decode(begin, { stream: true }).slice(0, SHOWN)}...`,
  };
}

/** Blocks of lines, of which those longer than the limit are taken out. */
function* without(bytes: Uint8Array, limit: number): Generator<LineBlock | LongLine, void, void> {
  let from = 0;
  if (bytes.length > limit) {
    const ends = new LineEnds(bytes);
    for (let at = 0; at < bytes.length; at = ends.next) {
      ends.find(at);
      if (ends.end - at <= limit) continue;
      if (at > from) yield blockOf(bytes.subarray(from, at));
      yield longLine(bytes.subarray(at, ends.end), limit);
      from = ends.next;
    }
  }
  if (from < bytes.length) yield blockOf(from === 0 ? bytes : bytes.subarray(from));
}

/**
 * The lines of a source, in blocks as its bytes come: each in time and memory that grow with its length alone. A line ends with LF, CR LF or CR, here
 * and everywhere. A byte order mark at the start is left out.
 */
export async function* lineBlocks(
  source: DataSource,
  options: ReadOptions,
  limit: number,
): AsyncGenerator<LineBlock | LongLine, void, void> {
  /** The start of a line whose end has not come. */
  let parts: Uint8Array[] = [];
  let size = 0;
  /** Is the rest of a long line left out? */
  let skipping = false;
  for await (const piece of pieces(source, options)) {
    let bytes = piece;
    if (skipping) {
      const ends = new LineEnds(bytes);
      ends.find(0);
      if (ends.end === bytes.length) continue;
      bytes = bytes.subarray(ends.next);
      skipping = false;
    }
    const cut = afterLastEnd(bytes);
    if (cut > 0) {
      yield* without(joined([...parts, bytes.subarray(0, cut)]), limit);
      parts = [];
      size = 0;
      bytes = bytes.subarray(cut);
    }
    if (bytes.length === 0) continue;
    // A copy: who gave the bytes may use their memory again.
    parts.push(bytes.slice());
    size += bytes.length;
    if (size > limit) {
      yield longLine(joined(parts), limit);
      parts = [];
      size = 0;
      skipping = true;
    }
  }
  if (size > 0) yield blockOf(joined(parts));
}

/** A limit of bytes. */
export const BYTES: Rule = {
  expected: 'a number of bytes >= 1 (or Infinity)',
  accepts: (v) => v === Infinity || rules.count.accepts(v),
};

/** Longest line of a text, where nothing else is said: a file that is no file of lines shall not fill the memory. */
const MAX_LINE = 1 << 24;

/** Options of what reads lines. */
export interface LineOptions extends ReadOptions, BadRowOptions {
  /** Bytes of the longest line: longer ones are bad rows, and are not held in memory; 16 MiB. */
  readonly maxLineBytes?: number;
}

export const LINE_RULES: Rules<LineOptions> = { ...READ_RULES, ...BAD_ROW_RULES, maxLineBytes: BYTES };

const ENDS = /\r\n|\n|\r/;

/**
 * The lines of a source without their ends, a block at a time, each given to `use`, which puts what becomes of it into `values`; lines that are not
 * UTF-8, or too long, are bad rows. What came before a line that ends the iteration is given first.
 */
export async function* eachLine<T>(
  source: DataSource,
  options: LineOptions,
  use: (text: string, line: number, values: T[], bad: BadRows) => void,
): AsyncGenerator<readonly T[], void, void> {
  const bad = new BadRows(options);
  const file = nameOf(source, options);
  const { maxLineBytes = MAX_LINE } = options;
  let number = 1;
  for await (const block of lineBlocks(source, options, maxLineBytes)) {
    const values: T[] = [];
    const failure = attempt(() => {
      if ('begins' in block) {
        const message = `expected a line of at most ${maxLineBytes} bytes (maxLineBytes)`;
        bad.add({ reason: 'length', message, file, line: number++, text: block.begins });
        return;
      }
      const { text, broken } = block;
      const lines = text.includes('\r') ? text.split(ENDS) : text.split('\n');
      if (lines[lines.length - 1] === '') lines.pop();
      let next = 0;
      lines.forEach((line, i) => {
        if (broken[next] === i) {
          next++;
          bad.add({ reason: 'encoding', message: 'expected UTF-8', file, line: number + i, text: line });
        } else use(line, number + i, values, bad);
      });
      number += lines.length;
    });
    bad.report.good += values.length;
    if (values.length > 0) yield values;
    if (failure) throw failure;
  }
  bad.finish();
}

/** What `f` throws, so that what it has done before can be given first; `null` for nothing. */
export function attempt(f: () => void): Error | null {
  try {
    f();
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** Options of {@link textLineDataset}. */
export interface TextLineOptions extends LineOptions {
  /** Leave out lines without text; false. */
  readonly skipEmpty?: boolean;
}

const TEXT_LINE_RULES = { ...LINE_RULES, skipEmpty: rules.flag } satisfies Rules<TextLineOptions>;

/**
 * The lines of a text (UTF-8), without their ends (LF, CR LF or CR). Lines that are not UTF-8, or longer than `maxLineBytes`, are bad rows.
 * TensorFlow's `TextLineDataset`.
 */
export function textLineDataset(source: DataSource, options: TextLineOptions = {}): Dataset<string> {
  checkRules('textLineDataset', options, TEXT_LINE_RULES);
  const { skipEmpty = false } = options;
  return Dataset.fromChunks(() =>
    eachLine<string>(source, options, (line, _number, values) => {
      if (!skipEmpty || line.trim() !== '') values.push(line);
    }),
  );
}
