import { RecurraError, ValueError } from '@recurra/tensor';
import { builtin } from '../internal/builtin.js';

/** Where bytes come from: a path (Node) or URL, a File or Blob, a fetch response, a stream, or bytes in memory. */
export type DataSource =
  | string
  | URL
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Uint8Array;

/** How far reading has come. */
export interface ReadProgress {
  /** Bytes read, before decompression. */
  readonly bytes: number;
  /** All bytes, where the source says. */
  readonly total: number | null;
}

/** Options of everything that reads a {@link DataSource}. */
export interface ReadOptions {
  /** Called as bytes arrive. */
  readonly onProgress?: (progress: ReadProgress) => void;
  /** The expected SHA-256 of the bytes (before decompression), in hexadecimal; checked at the end. */
  readonly sha256?: string;
  /** URLs: how often a failed request is made again, going on where it broke off; 3. */
  readonly retries?: number;
  /** URLs: the wait before the first repetition, which doubles with each, in milliseconds; 500. */
  readonly retryDelay?: number;
  /** URLs: keep the file in this folder (Node) or browser cache of this name, and read it from there next time. */
  readonly cache?: string;
  /** URLs: headers of the request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends reading. */
  readonly signal?: AbortSignal;
  /** 'auto' (default): gzip is recognised by its first bytes; 'none': bytes as they are. */
  readonly decompress?: 'auto' | 'none';
  /** What errors and bad rows call the source; by default its path, URL or file name. */
  readonly name?: string;
}

/** A source could not be read, or is not what was expected. */
export class ReadError extends RecurraError {}

const isUrl = (text: string): boolean => /^(https?|blob|data):/i.test(text);

/** What errors call a source. */
export function nameOf(source: DataSource, options: ReadOptions = {}): string {
  if (options.name !== undefined) return options.name;
  if (typeof source === 'string') return source;
  if (source instanceof URL) return source.href;
  if (typeof File !== 'undefined' && source instanceof File) return source.name;
  if (typeof Response !== 'undefined' && source instanceof Response && source.url) return source.url;
  return 'input';
}

async function* ofStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

const SHARE = 1 << 18;

async function* ofBytes(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let i = 0; i < bytes.length; i += SHARE) yield bytes.subarray(i, i + SHARE);
}

function file(path: string): typeof import('node:fs') {
  const fs = builtin('node:fs');
  if (!fs)
    throw new ReadError(
      `${path}: expected a URL, File, Response or stream, received a path, and there is no file system here`,
    );
  return fs;
}

interface Opened {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly total: number | null;
}

async function openFile(path: string): Promise<Opened> {
  const fs = file(path);
  try {
    const stat = await fs.promises.stat(path);
    if (stat.isDirectory()) throw new Error('it is a folder');
    const { size } = stat;
    return { chunks: fs.createReadStream(path, { highWaterMark: SHARE }), total: size };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    throw new ReadError(`${path}: expected a file that can be read: ${why}`);
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The bytes of a URL. A request that fails, or breaks off, is made again from where it was. */
async function openUrl(url: string, options: ReadOptions): Promise<Opened> {
  const { retries = 3, retryDelay = 500, headers = {}, signal } = options;
  let got = 0;
  let attempt = 0;
  let tag: string | null = null;
  const request = async (): Promise<Response> => {
    for (;;) {
      let failure: string;
      try {
        const range = got > 0 ? { Range: `bytes=${got}-`, ...(tag ? { 'If-Range': tag } : {}) } : {};
        const response = await fetch(url, { headers: { ...headers, ...range }, ...(signal ? { signal } : {}) });
        if (response.ok) return response;
        failure = `status ${response.status} ${response.statusText}`;
        await response.body?.cancel();
        // What the client did wrong will not be right next time.
        if (response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status))
          throw new ReadError(`${url}: expected the file, received ${failure}`);
      } catch (error) {
        if (error instanceof ReadError || signal?.aborted) throw error;
        failure = (error as Error).message;
      }
      if (attempt >= retries)
        throw new ReadError(`${url}: expected the file, received ${failure} (tried ${attempt + 1} times)`);
      await wait(retryDelay * 2 ** attempt++);
    }
  };
  const first = await request();
  tag = first.headers.get('etag');
  const encoded = first.headers.get('content-encoding');
  const length = first.headers.get('content-length');
  // With a content encoding the length is that of the encoded bytes, of which we see none.
  const total = length !== null && (encoded === null || encoded === 'identity') ? Number(length) : null;
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    let response = first;
    for (;;) {
      // A server that knows no ranges begins anew.
      let skip = response.status === 206 ? 0 : got;
      try {
        if (response.body)
          for await (const chunk of ofStream(response.body)) {
            if (skip >= chunk.length) {
              skip -= chunk.length;
              continue;
            }
            const fresh = skip > 0 ? chunk.subarray(skip) : chunk;
            skip = 0;
            got += fresh.length;
            yield fresh;
          }
        if (total === null || got >= total) return;
        throw new Error(`the end after ${got} of ${total} bytes`);
      } catch (error) {
        if (signal?.aborted) throw error;
        if (attempt >= retries)
          throw new ReadError(
            `${url}: expected the whole file, received ${(error as Error).message} (tried ${attempt + 1} times)`,
          );
        await wait(retryDelay * 2 ** attempt++);
        response = await request();
      }
    }
  }
  return { chunks: chunks(), total };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** The incremental SHA-256 of the platform, else of a package. */
async function hasher(): Promise<{ update(bytes: Uint8Array): void; hex(): string }> {
  const crypto = builtin('node:crypto');
  if (crypto) {
    const hash = crypto.createHash('sha256');
    return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
  }
  const { sha256 } = await import('@noble/hashes/sha2.js');
  const hash = sha256.create();
  return { update: (bytes) => hash.update(bytes), hex: () => hex(hash.digest()) };
}

async function hashText(text: string): Promise<string> {
  const hash = await hasher();
  hash.update(new TextEncoder().encode(text));
  return hash.hex();
}

/** Passes bytes on, counts and checks them. */
async function* watched(opened: Opened, name: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
  const { onProgress, sha256, signal } = options;
  const hash = sha256 === undefined ? null : await hasher();
  let bytes = 0;
  for await (const chunk of opened.chunks) {
    signal?.throwIfAborted();
    bytes += chunk.length;
    hash?.update(chunk);
    onProgress?.({ bytes, total: opened.total });
    yield chunk;
  }
  const found = hash?.hex();
  if (found !== undefined && found !== sha256!.toLowerCase())
    throw new ReadError(`${name}: expected SHA-256 ${sha256}, received ${found}. The file is another one, or damaged.`);
}

/** The bytes of a URL by way of a folder: written beside, checked, then renamed. */
async function* throughFolder(url: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
  const fs = file(options.cache!);
  const path = builtin('node:path')!;
  const kept = path.join(options.cache!, await hashText(url));
  if (!fs.existsSync(kept)) {
    await fs.promises.mkdir(options.cache!, { recursive: true });
    const beside = `${kept}.${Math.random().toString(36).slice(2)}.part`;
    const out = await fs.promises.open(beside, 'wx');
    try {
      for await (const chunk of watched(await openUrl(url, options), url, options)) await out.write(chunk);
      await out.close();
      await fs.promises.rename(beside, kept);
    } catch (error) {
      await out.close().catch(() => {});
      await fs.promises.rm(beside, { force: true });
      throw error;
    }
    yield* (await openFile(kept)).chunks;
    return;
  }
  yield* watched(await openFile(kept), url, options);
}

/** The bytes of a URL by way of the browser's cache. */
async function* throughCaches(url: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
  const cache = await caches.open(options.cache!);
  const kept = await cache.match(url);
  if (kept?.body) {
    yield* watched({ chunks: ofStream(kept.body), total: null }, url, options);
    return;
  }
  const parts: BlobPart[] = [];
  for await (const chunk of watched(await openUrl(url, options), url, options)) {
    parts.push(chunk as BlobPart);
    yield chunk;
  }
  await cache.put(url, new Response(new Blob(parts)));
}

async function openSource(source: DataSource, name: string, options: ReadOptions): Promise<AsyncIterable<Uint8Array>> {
  const url = source instanceof URL ? source.href : typeof source === 'string' && isUrl(source) ? source : null;
  if (url !== null && /^file:/i.test(url))
    return watched(await openFile(decodeURIComponent(new URL(url).pathname)), name, options);
  if (url !== null && options.cache !== undefined) {
    if (builtin('node:fs')) return throughFolder(url, options);
    return throughCaches(url, options);
  }
  if (url !== null) return watched(await openUrl(url, options), name, options);
  if (typeof source === 'string') return watched(await openFile(source), name, options);
  if (source instanceof Uint8Array) return watched({ chunks: ofBytes(source), total: source.length }, name, options);
  if (typeof Blob !== 'undefined' && source instanceof Blob)
    return watched({ chunks: ofStream(source.stream()), total: source.size }, name, options);
  if (typeof Response !== 'undefined' && source instanceof Response) {
    if (!source.ok) throw new ReadError(`${name}: expected a successful response, received status ${source.status}`);
    if (source.bodyUsed || !source.body)
      throw new ReadError(`${name}: expected a response whose body was not read yet. A response can be read once.`);
    const length = source.headers.get('content-length');
    return watched({ chunks: ofStream(source.body), total: length === null ? null : Number(length) }, name, options);
  }
  if (source instanceof ReadableStream) {
    if (source.locked)
      throw new ReadError(`${name}: expected a stream that was not read yet. A stream can be read once.`);
    return watched({ chunks: ofStream(source), total: null }, name, options);
  }
  if (typeof source === 'object' && Symbol.asyncIterator in source)
    return watched({ chunks: source, total: null }, name, options);
  throw new ValueError(
    `read: expected a path, URL, File, Response, stream or bytes, received ${Object.prototype.toString.call(source)}`,
  );
}

async function* inflated(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const zlib = builtin('node:zlib');
  if (zlib) {
    // Node's also reads files of several members.
    const { Readable } = builtin('node:stream')!;
    const source = Readable.from(chunks, { objectMode: false });
    const gunzip = zlib.createGunzip({ chunkSize: SHARE });
    source.on('error', (error) => gunzip.destroy(error));
    source.pipe(gunzip);
    try {
      yield* gunzip as AsyncIterable<Uint8Array>;
    } finally {
      source.destroy();
      gunzip.destroy();
    }
    return;
  }
  const iterator = chunks[Symbol.asyncIterator]();
  const stream = new ReadableStream<BufferSource>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  yield* ofStream(stream.pipeThrough(new DecompressionStream('gzip')) as ReadableStream<Uint8Array>);
}

/**
 * The bytes of a source, decompressed where they are gzip. Throws `ReadError` where it cannot be read, is cut short, or has another
 * checksum.
 */
export async function* readBytes(
  source: DataSource,
  options: ReadOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const name = nameOf(source, options);
  const chunks = await openSource(source, name, options);
  if (options.decompress === 'none') {
    yield* chunks;
    return;
  }
  const iterator = chunks[Symbol.asyncIterator]();
  let first = await iterator.next();
  while (!first.done && first.value.length < 2) {
    const next = await iterator.next();
    if (next.done) break;
    const joined = new Uint8Array(first.value.length + next.value.length);
    joined.set(first.value);
    joined.set(next.value, first.value.length);
    first = { done: false, value: joined };
  }
  if (first.done) return;
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield first.value as Uint8Array;
      for (;;) {
        const next = await iterator.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  if (first.value[0] === 0x1f && first.value[1] === 0x8b) {
    try {
      yield* inflated(all());
    } catch (error) {
      if (error instanceof RecurraError) throw error;
      throw new ReadError(`${name}: expected a whole gzip file, received a damaged one (${(error as Error).message})`);
    }
  } else yield* all();
}

/** The whole of a source as text (UTF-8). Throws `ReadError` for other bytes. */
export async function readText(source: DataSource, options: ReadOptions = {}): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new ReadError(`${nameOf(source, options)}: expected UTF-8, received other bytes`);
    }
  };
  let text = '';
  for await (const chunk of readBytes(source, options)) text += decode(chunk);
  return text + decode();
}
