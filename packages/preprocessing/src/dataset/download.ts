import { ValueError } from '@recurra/tensor';
import { builtin } from '../internal/builtin.js';
import { type Sha256, sha256 } from '../internal/sha256.js';
import { wait, within } from '../internal/waiting.js';
import { messageOf, ReadError, type ReadOptions, readError } from './read-options.js';

/** Bytes as they come, and how many there will be. */
export interface Opened {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly total: number | null;
}

/** Milliseconds without a byte after which a server is taken to have stalled. */
export const TIMEOUT = 30_000;
/** Waits between requests double no further. */
const LONGEST_DELAY = 60_000;

/** What tells a file from another one behind the same URL. */
interface Identity {
  /** A strong ETag: bytes are the same. */
  readonly tag: string | null;
  readonly modified: string | null;
  /** Bytes of the whole, as they come; `null` where they are encoded on the way, or not counted. */
  readonly total: number | null;
  readonly encoded: boolean;
}

const isEncoded = (headers: Headers): boolean => {
  const encoding = headers.get('content-encoding');
  return encoding !== null && encoding !== '' && encoding !== 'identity';
};

/** Bytes that an answer announces; with an encoding, its length is that of bytes of which we see none. */
export function announced(headers: Headers): number | null {
  const length = headers.get('content-length');
  return length === null || isEncoded(headers) || !/^\d+$/.test(length) ? null : Number(length);
}

function identityOf({ headers }: Response): Identity {
  const tag = headers.get('etag');
  return {
    tag: tag?.startsWith('"') ? tag : null,
    modified: headers.get('last-modified'),
    total: announced(headers),
    encoded: isEncoded(headers),
  };
}

const differ = <T>(a: T | null, b: T | null): boolean => a !== null && b !== null && a !== b;

/** Is an answer 206 the rest, from byte `got` on, of the file that was begun? */
function isRest(response: Response, file: Identity, got: number): boolean {
  const { headers } = response;
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(headers.get('content-range') ?? '');
  if (!range || Number(range[1]) !== got || Number(range[2]) < got || isEncoded(headers)) return false;
  const own = identityOf(response);
  const total = range[3] === '*' ? null : Number(range[3]);
  return !differ(own.tag, file.tag) && !differ(own.modified, file.modified) && !differ(total, file.total);
}

/**
 * The bytes of a URL. A request that fails, breaks off or stalls is made again: from where it was, if the server has a validator for the file (an ETag or
 * Last-Modified, sent as If-Range) and answers with just that part, else from the start, where the bytes that were given on have to come again.
 * Throws `ReadError` where it cannot be read in so many tries, or has changed meanwhile; the signal's reason as soon as that is aborted.
 */
export async function openUrl(url: string, options: ReadOptions): Promise<Opened> {
  const { retries = 3, retryDelay = 500, timeout = TIMEOUT, headers = {}, signal } = options;
  try {
    new URL(url);
  } catch (error) {
    throw readError(`${url}: expected a URL, received one that does not parse (${messageOf(error)})`, error);
  }
  try {
    new Headers(headers);
  } catch (error) {
    throw new ValueError(`read: expected headers of a request, received others (${messageOf(error)})`);
  }
  let attempt = 0;
  /** Waits before the next try, if there is one. */
  const again = async (what: string, failure: string): Promise<void> => {
    signal?.throwIfAborted();
    if (attempt >= retries)
      throw new ReadError(`${url}: expected ${what}, received ${failure} (tried ${attempt + 1} times)`);
    await wait(Math.min(LONGEST_DELAY, retryDelay * 2 ** attempt++), signal);
  };
  const late = (): Error => new Error(`nothing for ${timeout} ms`);

  /** One answer; `null` where the server refuses a part, so that all has to be asked for. */
  const request = async (part: Readonly<Record<string, string>>): Promise<Answer | null> => {
    const ranged = 'Range' in part;
    for (;;) {
      signal?.throwIfAborted();
      const stop = new AbortController();
      let failure: string;
      try {
        const response = await within(
          fetch(url, { headers: { ...headers, ...part }, signal: stop.signal }),
          timeout,
          signal,
          late,
        );
        if (response.status === 200 || response.status === 203 || (ranged && response.status === 206))
          return { response, stop };
        stop.abort();
        failure = `status ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`;
        if (ranged && response.status === 416) return null;
        // What the client did wrong will not be right next time, nor will an answer without the file.
        if (response.status < 500 && ![408, 425, 429].includes(response.status))
          throw new ReadError(`${url}: expected the file, received ${failure}`);
      } catch (error) {
        stop.abort();
        signal?.throwIfAborted();
        if (error instanceof ReadError) throw error;
        failure = messageOf(error);
        // A page may not be allowed to ask another site for parts, and is not told so.
        if (ranged && !builtin('node:fs')) {
          await again('the file', failure);
          return null;
        }
      }
      await again('the file', failure);
    }
  };
  const whole = async (): Promise<Answer> => (await request({}))!;
  const changed = (how: string): ReadError =>
    new ReadError(
      `${url}: expected the rest of the file that was begun, received another file (${how}). It has changed while it was read: read it again.`,
    );

  const first = await whole();
  let file = identityOf(first.response);
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    let answer = first;
    let got = 0;
    /** Bytes of this answer that were given on already. */
    let skip = 0;
    let parts = true;
    // Without a strong ETag, only its bytes tell whether a file is the same.
    const seen: Sha256 | null = file.tag === null ? await sha256() : null;
    for (;;) {
      let failure: string;
      try {
        const known = seen !== null && skip > 0 ? await sha256() : null;
        const before = known ? seen!.hex() : '';
        for await (const chunk of bodyOf(answer, timeout, signal, late)) {
          let fresh = chunk;
          if (skip > 0) {
            const old = chunk.subarray(0, skip);
            known?.update(old);
            skip -= old.length;
            if (skip > 0) continue;
            if (known && known.hex() !== before) throw changed('its first bytes differ');
            fresh = chunk.subarray(old.length);
            if (fresh.length === 0) continue;
          }
          got += fresh.length;
          seen?.update(fresh);
          yield fresh;
        }
        if (skip > 0 || (file.total !== null && got > file.total)) throw changed('it has another length');
        if (file.total === null || got === file.total) return;
        failure = `the end after ${got} of ${file.total} bytes`;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ReadError) throw error;
        failure = messageOf(error);
      } finally {
        answer.stop.abort();
      }
      await again('the whole file', failure);
      const validator = file.tag ?? file.modified;
      if (got > 0 && parts && validator !== null && !file.encoded) {
        const rest = await request({ Range: `bytes=${got}-`, 'If-Range': validator });
        if (rest?.response.status === 206) {
          if (isRest(rest.response, file, got)) {
            answer = rest;
            skip = 0;
            continue;
          }
          rest.stop.abort();
        }
        // Whoever answers with another part than was asked for is not asked again.
        if (rest === null || rest.response.status === 206) parts = false;
        answer = rest === null || rest.response.status === 206 ? await whole() : rest;
      } else answer = await whole();
      const own = identityOf(answer.response);
      skip = got;
      if (got === 0) file = own;
      else if (differ(own.tag, file.tag)) throw changed(`ETag ${own.tag}, before ${file.tag}`);
      else if (differ(own.modified, file.modified)) throw changed(`of ${own.modified}, before ${file.modified}`);
      else if (differ(own.total, file.total)) throw changed(`${own.total} bytes, before ${file.total}`);
      else if (file.tag !== null && own.tag === null) throw changed(`without ETag, before ${file.tag}`);
    }
  }
  return { chunks: chunks(), total: file.total };
}

interface Answer {
  readonly response: Response;
  /** Ends the transfer. */
  readonly stop: AbortController;
}

async function* bodyOf(
  { response, stop }: Answer,
  timeout: number,
  signal: AbortSignal | undefined,
  late: () => Error,
): AsyncGenerator<Uint8Array, void, void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), timeout, signal, late);
      if (done) return;
      yield value;
    }
  } finally {
    stop.abort();
    // What is still being read ends by that; nobody waits for it.
    reader.cancel().catch(() => {});
  }
}
