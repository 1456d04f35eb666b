import type { BadRowReason } from './rows.js';
import { SHOWN } from './rows.js';

/** How a file of separated values is written. */
export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** One ASCII character; `null`: none. */
  readonly quote: string | null;
  /** What lines begin with that are left out; `null`: none. */
  readonly comment: string | null;
  /** Are spaces around fields left out? */
  readonly trim: boolean;
  /** Bytes of the longest row. */
  readonly maxRowBytes: number;
  /** Bytes of the longest field. */
  readonly maxFieldBytes: number;
}

/** What is wrong with a row. */
export interface Fault {
  readonly reason: BadRowReason;
  readonly message: string;
}

/** Who takes the rows. */
export interface CsvTaker {
  /** Number of fields of a row; `null` before the header is known. */
  readonly width: number | null;
  /** One record that is whole. Gives what is wrong with its values, else `null`. */
  take(fields: string[], line: number): Fault | null;
  /** Lines that make no row. */
  tell(fault: Fault, line: number, lines: number, text: string): void;
}

const LF = 10;
const CR = 13;

/** Lines that are left out as one bad row, while it may go on. */
interface Lost extends Fault {
  readonly line: number;
  text: string;
  lines: number;
  /** Delimiters in it, whether quotes hold them together or not. */
  delimiters: number;
}

/** Where a record ends, and how. */
type State = 'whole' | 'malformed' | 'open';

const encoder = new TextEncoder();

/**
 * Cuts text into records (RFC 4180; a line ends with LF, CR LF or CR), and finds the way back after stray quotes: a row that is not well-formed is
 * given up with its first line, and the next line that makes a whole row is one. Each line is looked at a fixed number of times: a line from which
 * a quote stays open has an odd number of quotes, and the next such line closes it or shows that it is stray, so that no two tries overlap.
 */
export class CsvRows {
  private readonly dialect: CsvDialect;
  private readonly taker: CsvTaker;
  private readonly delimiterCode: number;
  private readonly quoteCode: number;
  /** Spaces that `trim` leaves out beside quotes. */
  private readonly spaces: ReadonlySet<number>;

  /** What waits: the text from a record on whose quotes are open. */
  private held: string[] = [];
  private heldLength = 0;
  /** It is not looked at again before it is so long: the text is gone through a fixed number of times. */
  private waitFor = 0;
  /** Number of the first line of what waits, or comes. */
  private line = 1;
  /** Numbers of lines that are not UTF-8, rising. */
  private broken: number[] = [];
  /** Number of the first line of the next block. */
  private incoming = 1;
  private lost: Lost | null = null;

  private text = '';
  private lf = -1;
  private cr = -1;
  private nextQuote = -1;
  /** Of the record that was read last. */
  private fields: string[] = [];
  private end = 0;
  private complaint = '';

  constructor(dialect: CsvDialect, taker: CsvTaker) {
    this.dialect = dialect;
    this.taker = taker;
    this.delimiterCode = dialect.delimiter.charCodeAt(0);
    // No character is 65536.
    this.quoteCode = dialect.quote?.charCodeAt(0) ?? 0x10000;
    this.spaces = new Set([32, 9, 11, 12].filter((c) => dialect.trim && c !== this.delimiterCode));
  }

  /** More lines, of which those at the places `broken` are not UTF-8. */
  push(text: string, broken: readonly number[]): void {
    for (const place of broken) this.broken.push(this.incoming + place);
    this.held.push(text);
    this.heldLength += text.length;
    if (this.heldLength < this.waitFor) {
      this.incoming += countEnds(text, 0, text.length);
      return;
    }
    this.read(false);
  }

  /** A line that is too long to be held. */
  long(begins: string): void {
    this.read(true, `within ${this.dialect.maxRowBytes} bytes (maxRowBytes)`);
    this.flush();
    const message = `expected a row of at most ${this.dialect.maxRowBytes} bytes (maxRowBytes)`;
    const { line } = this;
    this.incoming = ++this.line;
    this.taker.tell({ reason: 'length', message }, line, 1, begins);
  }

  /** Nothing follows. */
  finish(): void {
    this.read(true);
    this.flush();
  }

  /** Reads what waits. `last`: no record goes on behind it; an open quote should have been closed `where`. */
  private read(last: boolean, where = 'before the end of the file'): void {
    this.text = this.held.length === 1 ? this.held[0]! : this.held.join('');
    const { text, dialect, taker } = this;
    const { comment, trim, delimiter, maxFieldBytes } = dialect;
    this.lf = this.cr = this.nextQuote = -1;
    let at = 0;
    while (at < text.length) {
      const first = this.lineEnd(at);
      if (first === at || (comment !== null && text.startsWith(comment, at))) {
        at = this.behind(first);
        this.line++;
        continue;
      }
      if (this.nextQuote < at) this.nextQuote = this.find(dialect.quote, at);
      let state: State = 'whole';
      let lines = 1;
      this.end = first;
      if (this.nextQuote >= first) {
        const line = text.slice(at, first);
        this.fields = line.split(delimiter);
        if (trim) {
          this.fields = this.fields.map((field) => field.trim());
          if (this.fields.length === 1 && this.fields[0] === '') {
            at = this.behind(first);
            this.line++;
            continue;
          }
        }
      } else {
        state = this.quoted(at);
        if (state === 'open') {
          const to = this.lastEnd();
          if (this.exceeds(at, to, dialect.maxRowBytes)) {
            state = 'malformed';
            this.complaint = `expected a closing quote within ${dialect.maxRowBytes} bytes (maxRowBytes)`;
          } else if (last) {
            state = 'malformed';
            this.complaint = `expected a closing quote ${where}`;
          } else break;
        } else if (this.end > first) {
          if (this.exceeds(at, this.end, dialect.maxRowBytes)) {
            state = 'malformed';
            this.complaint = `expected a closing quote within ${dialect.maxRowBytes} bytes (maxRowBytes)`;
          } else lines += countEnds(text, at, this.end);
        }
      }

      const { width } = taker;
      if (width === null && lines > 1 && this.delimitersIn(at, first) + 1 >= this.fields.length) {
        // Names may hold line breaks, but the first line alone is a header of as many columns.
        state = 'malformed';
        this.complaint = `expected a closing quote in line ${this.line}`;
      }
      if (state === 'malformed') {
        this.lose({ reason: 'quotes', message: this.complaint }, at, first);
        at = this.behind(first);
        this.line++;
        continue;
      }
      const { fields, end } = this;
      const wrong = width !== null && fields.length !== width;
      if (wrong) {
        const fault = this.isBroken(lines) ? ENCODING : this.count(at, first, end);
        if (this.lost) {
          this.lose(fault, at, first);
          at = this.behind(first);
          this.line++;
          continue;
        }
        if (lines > 1 && this.swallowed(at, end)) {
          const message = `expected a closing quote in line ${this.line}: the quote that closes ${lines - 1} lines below gives ${fields.length} fields in place of ${width}`;
          this.lose({ reason: 'quotes', message }, at, first);
          at = this.behind(first);
          this.line++;
          continue;
        }
        this.report(fault, lines, at, end);
      } else {
        if (this.lost) this.flush();
        let fault: Fault | null = null;
        if (this.broken.length > 0 && this.isBroken(lines)) fault = ENCODING;
        else if ((end - at) * 3 > maxFieldBytes && fields.some((field) => over(field, maxFieldBytes)))
          fault = { reason: 'length', message: `expected fields of at most ${maxFieldBytes} bytes (maxFieldBytes)` };
        else fault = taker.take(fields, this.line);
        if (fault) this.report(fault, lines, at, end);
      }
      this.line += lines;
      at = this.behind(end);
    }

    // What is left waits for more, and for so much of it that going through it again costs no more than what has come.
    const rest = at === 0 ? text : text.slice(at);
    this.held = rest === '' ? [] : [rest];
    this.heldLength = rest.length;
    this.waitFor = 2 * rest.length;
    this.incoming = this.line + (rest === '' ? 0 : countEnds(rest, 0, rest.length));
    if (this.broken.length > 0) this.broken = this.broken.filter((line) => line >= this.line);
    this.text = '';
  }

  private find(what: string | null, at: number): number {
    const found = what === null ? -1 : this.text.indexOf(what, at);
    return found < 0 ? this.text.length : found;
  }

  /** The end of the line at `at`, before its LF, CR LF or CR. */
  private lineEnd(at: number): number {
    if (this.lf < at) this.lf = this.find('\n', at);
    if (this.cr < at) this.cr = this.find('\r', at);
    return Math.min(this.lf, this.cr);
  }

  /** Where the line after that with this end begins. */
  private behind(end: number): number {
    return this.text.charCodeAt(end) === CR && this.text.charCodeAt(end + 1) === LF ? end + 2 : end + 1;
  }

  /** The end of the last line. */
  private lastEnd(): number {
    const { text } = this;
    const { length } = text;
    if (text.charCodeAt(length - 1) === LF) return text.charCodeAt(length - 2) === CR ? length - 2 : length - 1;
    return text.charCodeAt(length - 1) === CR ? length - 1 : length;
  }

  /** Reads a record with quotes: `fields` and `end` when it is whole; `end` and `complaint` when it is not well-formed. */
  private quoted(at: number): State {
    const { text, delimiterCode, quoteCode, spaces } = this;
    const { quote, trim } = this.dialect;
    const fields: string[] = [];
    this.fields = fields;
    for (let i = at; ; ) {
      let start = i;
      while (spaces.has(text.charCodeAt(start))) start++;
      if (text.charCodeAt(start) === quoteCode) {
        let doubled = false;
        let close = start + 1;
        for (;;) {
          close = text.indexOf(quote!, close);
          if (close < 0) return 'open';
          if (text.charCodeAt(close + 1) !== quoteCode) break;
          doubled = true;
          close += 2;
        }
        const value = text.slice(start + 1, close);
        fields.push(doubled ? value.replaceAll(quote! + quote!, quote!) : value);
        i = close + 1;
        while (spaces.has(text.charCodeAt(i))) i++;
      } else {
        for (; i < text.length; i++) {
          const c = text.charCodeAt(i);
          if (c === delimiterCode || c === LF || c === CR) break;
          if (c === quoteCode) {
            this.end = i;
            this.complaint = `expected a quote to stand at the start of a field, or doubled in a quoted one, received one in field ${fields.length + 1}`;
            return 'malformed';
          }
        }
        const value = text.slice(start, i);
        fields.push(trim ? value.trim() : value);
      }
      if (i >= text.length) break;
      const c = text.charCodeAt(i);
      if (c === LF || c === CR) {
        this.end = i;
        return 'whole';
      }
      if (c !== delimiterCode) {
        this.end = i;
        this.complaint = `expected a delimiter or the end of the line after the closing quote of field ${fields.length}`;
        return 'malformed';
      }
      i++;
    }
    this.end = text.length;
    return 'whole';
  }

  /**
   * Is a record of several lines, with well-formed quotes but another number of fields, made of rows between two stray quotes? It is where its first line
   * holds enough delimiters for a row, and most lines between the first and the last are rows of their own.
   */
  private swallowed(at: number, end: number): boolean {
    const { text } = this;
    const { fields } = this;
    const width = this.taker.width!;
    let whole = 0;
    let inner = 0;
    let verdict: boolean | null = null;
    for (let from = at; ; ) {
      const to = endOfLine(text, from);
      const raw = this.delimitersIn(from, to) + 1;
      if (from === at) {
        if (raw < width) verdict = false;
      } else if (to >= end) {
        verdict ??= inner > 0 ? whole * 2 > inner : raw === width;
      } else if (to > from && verdict === null) {
        inner++;
        if (this.quoted(from) === 'whole' && this.end === to && this.fields.length === width) whole++;
      }
      if (verdict !== null) break;
      from = this.behind(to);
    }
    this.fields = fields;
    this.end = end;
    return verdict;
  }

  private delimitersIn(from: number, to: number): number {
    let n = 0;
    for (let i = from; i < to; i++) if (this.text.charCodeAt(i) === this.delimiterCode) n++;
    return n;
  }

  /** Does the text have more bytes, as UTF-8, than the limit? */
  private exceeds(from: number, to: number, limit: number): boolean {
    return (to - from) * 3 > limit && over(this.text.slice(from, to), limit);
  }

  /** Is one of the next lines not UTF-8? */
  private isBroken(lines: number): boolean {
    if (this.broken.length === 0) return false;
    // The numbers rise: those before the line have been dealt with.
    let low = 0;
    let high = this.broken.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.broken[middle]! < this.line) low = middle + 1;
      else high = middle;
    }
    return low < this.broken.length && this.broken[low]! < this.line + lines;
  }

  /** Another number of fields, and which delimiter would give the right one. */
  private count(at: number, first: number, end: number): Fault {
    const width = this.taker.width!;
    const message = `expected ${width} fields, received ${this.fields.length}`;
    const line = end === first ? this.text.slice(at, first) : '';
    const better = DELIMITERS.find(
      (d) => d !== this.dialect.delimiter && line !== '' && line.split(d).length === width,
    );
    const hint = better !== undefined && width > 1 ? ` (${width} with delimiter: ${JSON.stringify(better)})` : '';
    return { reason: 'fieldCount', message: message + hint };
  }

  private report(fault: Fault, lines: number, at: number, end: number): void {
    this.taker.tell(fault, this.line, lines, this.text.slice(at, Math.min(end, at + SHOWN + 1)));
  }

  /** Gives up a line: as a bad row, or as more of the one before. */
  private lose(fault: Fault, at: number, first: number): void {
    const text = this.text.slice(at, Math.min(first, at + SHOWN + 1));
    const delimiters = this.delimitersIn(at, first);
    const { lost, line } = this;
    if (lost) {
      lost.lines = line + 1 - lost.line;
      lost.delimiters += delimiters;
      if (lost.text.length <= SHOWN) lost.text += `\n${text}`;
    } else {
      const known = this.isBroken(1) ? ENCODING : fault;
      this.lost = { ...known, line, text, lines: 1, delimiters };
    }
    // With as many delimiters as a row has it is complete, and the next bad line is another bad row.
    const { width } = this.taker;
    if (width === null || this.lost!.delimiters >= width - 1) this.flush();
  }

  private flush(): void {
    const { lost } = this;
    if (!lost) return;
    this.lost = null;
    const { reason, message, line, lines, text } = lost;
    this.taker.tell({ reason, message }, line, lines, text);
  }
}

const ENCODING: Fault = { reason: 'encoding', message: 'expected UTF-8' };

/** What may separate fields, for hints. */
export const DELIMITERS: readonly string[] = [',', ';', '\t', '|'];

function over(text: string, limit: number): boolean {
  if (text.length > limit) return true;
  return text.length * 3 > limit && encoder.encode(text).length > limit;
}

/** The end of the line at `from`. */
function endOfLine(text: string, from: number): number {
  let i = from;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === LF || c === CR) break;
  }
  return i;
}

/** The number of line ends. */
function countEnds(text: string, from: number, to: number): number {
  let n = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c === LF) n++;
    else if (c === CR && text.charCodeAt(i + 1) !== LF) n++;
  }
  return n;
}
