import { RecurraError, ValueError } from '@recurra/tensor';
import { checkOptions, concatenated } from '@recurra/tensor/extend';
import { builtin } from '../internal/builtin.js';
import { sha256 as sha256Of } from '../internal/sha256.js';
import { within } from '../internal/waiting.js';
import { announced, type Opened, openUrl, TIMEOUT } from './download.js';
import { keptBlob, keptFile } from './download-cache.js';
import { checkReadOptions, messageOf, READ_RULES, ReadError, type ReadOptions, readError } from './read-options.js';

export { ReadError, type ReadOptions, type ReadProgress } from './read-options.js';

/** Where bytes come from: a path (Node) or URL, a File or Blob, a fetch response, a stream, or bytes in memory. */
export type DataSource =
  | string
  | URL
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Uint8Array;

const isUrl = (text: string): boolean => /^(https?|blob|data|file):/i.test(text);

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

/** Passes bytes on, counts and checks them; ends when the signal or the time does, whatever the source does then. */
async function* watched(
  opened: Opened,
  name: string,
  options: ReadOptions,
  timeout: number,
): AsyncGenerator<Uint8Array, void, void> {
  const { onProgress, sha256, signal } = options;
  const hash = sha256 === undefined ? null : await sha256Of();
  const iterator = opened.chunks[Symbol.asyncIterator]();
  const late = (): Error => new ReadError(`${name}: expected more bytes, received nothing for ${timeout} ms`);
  let bytes = 0;
  /** A source that is still at work is not waited for. */
  let left = true;
  try {
    for (;;) {
      signal?.throwIfAborted();
      let next: IteratorResult<Uint8Array, unknown>;
      try {
        next = await within(iterator.next(), timeout, signal, late);
      } catch (error) {
        left = false;
        Promise.resolve(iterator.return?.()).catch(() => {});
        signal?.throwIfAborted();
        if (error instanceof RecurraError) throw error;
        throw readError(`${name}: expected bytes that can be read, received ${messageOf(error)}`, error);
      }
      if (next.done) {
        left = false;
        break;
      }
      const chunk: unknown = next.value;
      if (!(ArrayBuffer.isView(chunk) && (chunk as Uint8Array).BYTES_PER_ELEMENT === 1))
        throw new ReadError(
          `${name}: expected bytes (Uint8Array), received ${typeof chunk === 'string' ? 'text: encode it first (TextEncoderStream)' : Object.prototype.toString.call(chunk)}`,
        );
      bytes += (chunk as Uint8Array).length;
      hash?.update(chunk as Uint8Array);
      onProgress?.({ bytes, total: opened.total });
      yield chunk as Uint8Array;
    }
  } finally {
    if (left) await iterator.return?.();
  }
  const found = hash?.hex();
  if (found !== undefined && found !== sha256!.toLowerCase())
    throw new ReadError(`${name}: expected SHA-256 ${sha256}, received ${found}. The file is another one, or damaged.`);
}

/** The path of a URL of a file. */
function pathOf(url: string): string {
  const { fileURLToPath } = builtin('node:url') ?? {};
  try {
    return fileURLToPath!(url);
  } catch (error) {
    throw readError(`${url}: expected the URL of a file that can be read, received ${messageOf(error)}`, error);
  }
}

async function openSource(source: DataSource, name: string, options: ReadOptions): Promise<AsyncIterable<Uint8Array>> {
  checkReadOptions(options);
  const { timeout = Infinity, signal } = options;
  signal?.throwIfAborted();
  const pass = (opened: Opened, limit = timeout): AsyncIterable<Uint8Array> => watched(opened, name, options, limit);
  const url = source instanceof URL ? source.href : typeof source === 'string' && isUrl(source) ? source : null;
  if (url !== null && /^file:/i.test(url)) return pass(await openFile(pathOf(url)));
  // Who downloads has its own limit, and tries again.
  if (url !== null && options.cache === undefined) return pass(await openUrl(url, options), Infinity);
  if (url !== null) {
    const fetchAll = async (): Promise<AsyncIterable<Uint8Array>> => pass(await openUrl(url, options), Infinity);
    // What was fetched just now was counted and checked on the way.
    const reread = (opened: Opened, fresh: boolean): AsyncIterable<Uint8Array> =>
      watched(opened, name, fresh ? (signal ? { signal } : {}) : options, timeout);
    if (builtin('node:fs')) {
      const { copy, fresh } = await keptFile(url, options, fetchAll);
      return reread(await openFile(copy), fresh);
    }
    const { copy, fresh } = await keptBlob(url, options, fetchAll);
    return reread({ chunks: ofStream(copy.stream()), total: copy.size }, fresh);
  }
  if (typeof source === 'string') return pass(await openFile(source));
  if (source instanceof Uint8Array) return pass({ chunks: ofBytes(source), total: source.length });
  if (typeof Blob !== 'undefined' && source instanceof Blob)
    return pass({ chunks: ofStream(source.stream()), total: source.size });
  if (typeof Response !== 'undefined' && source instanceof Response) {
    if (!source.ok || source.status === 206)
      throw new ReadError(
        `${name}: expected a successful response with all of the file, received status ${source.status}`,
      );
    if (source.bodyUsed || !source.body)
      throw new ReadError(`${name}: expected a response whose body was not read yet. A response can be read once.`);
    return pass({ chunks: ofStream(source.body), total: announced(source.headers) }, options.timeout ?? TIMEOUT);
  }
  if (source instanceof ReadableStream) {
    if (source.locked)
      throw new ReadError(`${name}: expected a stream that was not read yet. A stream can be read once.`);
    return pass({ chunks: ofStream(source), total: null });
  }
  if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source)
    return pass({ chunks: source, total: null });
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
  checkOptions('readBytes', options, READ_RULES);
  yield* readSource(source, options);
}

/** {@link readBytes}, by options that may be of a reader with more of them. */
export async function* readSource(source: DataSource, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
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
    first = { done: false, value: concatenated([first.value, next.value]) };
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
      options.signal?.throwIfAborted();
      if (error instanceof RecurraError) throw error;
      throw new ReadError(`${name}: expected a whole gzip file, received a damaged one (${(error as Error).message})`);
    }
  } else yield* all();
}

/** The whole of a source as text (UTF-8). Throws `ReadError` for other bytes. */
export async function readText(source: DataSource, options: ReadOptions = {}): Promise<string> {
  checkOptions('readText', options, READ_RULES);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new ReadError(`${nameOf(source, options)}: expected UTF-8, received other bytes`);
    }
  };
  let text = '';
  for await (const chunk of readSource(source, options)) text += decode(chunk);
  return text + decode();
}
