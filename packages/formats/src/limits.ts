import { FormatError } from '@recurra/tensor';
import { checkRules, type Rule, type Rules } from '@recurra/tensor/extend';

/** How much a file may make a reader allocate. Files are not trusted: what they declare is checked against these first. */
export interface Limits {
  /** Bytes of all that is read, decompressed; 2 GiB. */
  readonly maxBytes?: number;
  /** How many times larger than the file what it declares may be, where a part of it is compressed, beyond 16 MiB; 100: weights hardly get smaller. */
  readonly maxExpansion?: number;
  /** Members of archives, groups, data sets; 100000. */
  readonly maxEntries?: number;
  /** How deep groups, lists and objects may lie in each other; 128. */
  readonly maxDepth?: number;
}

const COUNT: Rule = {
  expected: 'an integer >= 1',
  accepts: (v) => Number.isSafeInteger(v) && (v as number) >= 1,
};
const RULES: Rules<Limits> = { maxBytes: COUNT, maxExpansion: COUNT, maxEntries: COUNT, maxDepth: COUNT };

/** What any file may declare. */
const SMALL = 2 ** 24;

/** What a file may not ask for, and how much of that it has asked for so far. */
export class Budget {
  readonly label: string;
  readonly maxDepth: number;
  private readonly maxBytes: number;
  private readonly maxEntries: number;
  private bytes = 0;
  private entries = 0;

  /**
   * @param label what is read, for messages
   * @param size the size of the file
   */
  constructor(label: string, size: number, limits: Limits = {}) {
    checkRules('limits', limits, RULES);
    const { maxBytes = 2 ** 31, maxExpansion = 100, maxEntries = 100_000, maxDepth = 128 } = limits;
    this.label = label;
    this.maxDepth = maxDepth;
    this.maxEntries = maxEntries;
    // A small file that declares much is a bomb, whatever is allowed for large ones.
    this.maxBytes = Math.min(maxBytes, Math.max(SMALL, size * maxExpansion));
    if (size > maxBytes)
      throw new FormatError(
        `${label}: expected a file of at most ${maxBytes} bytes, received ${size}. Raise maxBytes to read it.`,
      );
  }

  /** Before so many bytes are allocated. Throws `FormatError` beyond the limit. */
  take(bytes: number, what: string): void {
    this.bytes += bytes;
    if (!(bytes >= 0) || this.bytes > this.maxBytes)
      throw new FormatError(
        `${this.label}: expected at most ${this.maxBytes} bytes of content, received ${what}, which declares ${bytes}. If the file can be trusted, raise maxBytes or maxExpansion.`,
      );
  }

  /** For each member, group or data set. Throws `FormatError` beyond the limit. */
  enter(what: string, depth = 0): void {
    this.entries++;
    if (this.entries > this.maxEntries)
      throw new FormatError(`${this.label}: expected at most ${this.maxEntries} entries, received more, with ${what}`);
    if (depth > this.maxDepth)
      throw new FormatError(
        `${this.label}: expected entries at most ${this.maxDepth} deep in each other, received ${what}`,
      );
  }
}
