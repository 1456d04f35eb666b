import { RecurraError, ValueError } from '@recurra/tensor';
import { isRecord, type Rule, type Rules, rules } from '@recurra/tensor/extend';

/** How far reading has come. */
export interface ReadProgress {
  /** Bytes read, before decompression. */
  readonly bytes: number;
  /** All bytes, where the source says. */
  readonly total: number | null;
}

/** Options of everything that reads a `DataSource`. */
export interface ReadOptions {
  /** Called as bytes arrive. */
  readonly onProgress?: (progress: ReadProgress) => void;
  /** The expected SHA-256 of the bytes (before decompression), in hexadecimal; checked at the end. */
  readonly sha256?: string;
  /**
   * URLs: how often a failed request is made again; 3. It goes on where it broke off if the server says that the file is still the same one; else it
   * begins anew, and what was read already is compared: a file that has changed meanwhile is a `ReadError`.
   */
  readonly retries?: number;
  /** URLs: the wait before the first repetition, which doubles with each (to a minute at most), in milliseconds; 500. */
  readonly retryDelay?: number;
  /** URLs and responses: the longest wait for the next bytes, in milliseconds; 30,000. `Infinity`: none. Other sources have no limit by default. */
  readonly timeout?: number;
  /**
   * URLs: keep the file in this folder (Node) or browser cache of this name, and read it from there next time. Requests with other headers have
   * other files. A file that is damaged there, or has not the `sha256` that is asked for, is fetched again.
   */
  readonly cache?: string;
  /** URLs: headers of the request; none of Range and If-Range. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends reading at once, with its reason as the error. */
  readonly signal?: AbortSignal;
  /** 'auto' (default): gzip is recognised by its first bytes; 'none': bytes as they are. */
  readonly decompress?: 'auto' | 'none';
  /** What errors and bad rows call the source; by default its path, URL or file name. */
  readonly name?: string;
}

/** Set where a transfer goes on. */
const isRange = (header: string): boolean => /^(if-)?range$/i.test(header);

export const READ_RULES: Rules<ReadOptions> = {
  onProgress: rules.callable,
  sha256: { expected: 'a text of 64 hexadecimal digits', accepts: rules.text.accepts },
  retries: rules.countOrZero,
  retryDelay: { expected: 'a number of milliseconds >= 0', accepts: rules.notNegative.accepts },
  timeout: {
    expected: 'a number of milliseconds > 0, or Infinity',
    accepts: (v) => v === Infinity || rules.positive.accepts(v),
  },
  cache: { expected: 'the name of a folder (or browser cache)', accepts: (v) => rules.text.accepts(v) && v !== '' },
  // What holds no texts of its own (`Headers`, a Map) would be taken for no headers at all.
  headers: {
    expected: 'an object of texts, without Range and If-Range, which are set where a transfer goes on',
    accepts: (v) =>
      isRecord(v) && Object.entries(v).every(([name, value]) => typeof value === 'string' && !isRange(name)),
  },
  signal: {
    expected: "an AbortSignal (an AbortController's `signal`)",
    accepts: (v) => typeof (v as Partial<AbortSignal> | null)?.addEventListener === 'function',
  },
  decompress: { expected: "'auto' or 'none'", accepts: rules.oneOf('auto', 'none').accepts },
  name: rules.text,
};

/** A source could not be read, or is not what was expected. */
export class ReadError extends RecurraError {}

/** A `ReadError` about an error of the platform, which stays its `cause`. */
export function readError(message: string, cause: unknown): ReadError {
  const error = new ReadError(message);
  error.cause = cause;
  return error;
}

/** What an error of the platform says, with what it stems from: fetch says no more than "fetch failed". */
export function messageOf(error: unknown): string {
  if (!(typeof error === 'object' && error !== null && 'message' in error)) return String(error);
  const { message, cause } = error as Error;
  const inner = typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : '';
  return inner === '' || message.includes(inner) ? message : `${message} (${inner})`;
}

/** Throws `ValueError` for values that cannot be followed; names are for whoever takes the options. */
export function checkReadOptions(options: ReadOptions): void {
  for (const [option, rule] of Object.entries<Rule>(READ_RULES)) {
    const value: unknown = options[option as keyof ReadOptions];
    if (value !== undefined && !rule.accepts(value))
      throw new ValueError(`read: expected ${option} to be ${rule.expected}, received ${String(value)}`);
  }
}
