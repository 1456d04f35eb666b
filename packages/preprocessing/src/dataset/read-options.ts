import { RecurraError, ValueError } from '@recurra/tensor';
import type { OptionTable } from '@recurra/tensor/extend';

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

/** Names of the options. */
export const READ_OPTIONS: OptionTable<ReadOptions> = {
  onProgress: true,
  sha256: true,
  retries: true,
  retryDelay: true,
  timeout: true,
  cache: true,
  headers: true,
  signal: true,
  decompress: true,
  name: true,
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

/** Throws `ValueError` for options that cannot be followed. */
export function checkReadOptions(options: ReadOptions): void {
  const { retries, retryDelay, timeout, cache, headers, signal, decompress, sha256, onProgress, name } = options;
  const refuse = (option: string, expected: string, received: unknown): never => {
    throw new ValueError(`read: expected ${option} to be ${expected}, received ${String(received)}`);
  };
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0))
    refuse('retries', 'an integer >= 0', retries);
  if (retryDelay !== undefined && !(Number.isFinite(retryDelay) && retryDelay >= 0))
    refuse('retryDelay', 'a number of milliseconds >= 0', retryDelay);
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0))
    refuse('timeout', 'a number of milliseconds > 0, or Infinity', timeout);
  if (cache !== undefined && (typeof cache !== 'string' || cache === ''))
    refuse('cache', 'the name of a folder (or browser cache)', cache === '' ? 'an empty text' : cache);
  if (sha256 !== undefined && typeof sha256 !== 'string')
    refuse('sha256', 'a text of 64 hexadecimal digits', typeof sha256);
  if (decompress !== undefined && decompress !== 'auto' && decompress !== 'none')
    refuse('decompress', "'auto' or 'none'", decompress);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    refuse('onProgress', 'a function', typeof onProgress);
  if (name !== undefined && typeof name !== 'string') refuse('name', 'a text', typeof name);
  if (signal !== undefined && typeof (signal as Partial<AbortSignal>).addEventListener !== 'function')
    refuse('signal', "an AbortSignal (an AbortController's `signal`)", typeof signal);
  for (const key of Object.keys(headers ?? {}))
    if (/^(if-)?range$/i.test(key))
      refuse('headers', 'without Range and If-Range, which are set where a transfer goes on', key);
}
