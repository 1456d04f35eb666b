import { concatenated } from '@recurra/tensor/extend';
import { builtin } from '../../internal/builtin.js';
import { within } from '../../internal/waiting.js';
import { messageOf, type ReadOptions, readError } from '../read-options.js';
import { type DataSource, nameOf, ReadError, readSource } from '../source.js';
import type { Slice } from './metadata.js';

/** A file of which parts can be read. */
export interface ParquetFile {
  readonly size: number;
  readonly slice: Slice;
  close(): Promise<void>;
}

/** The path of a source that is a file here, else `null`. */
function pathOf(source: DataSource): string | null {
  const url = source instanceof URL ? source.href : source;
  if (typeof url !== 'string' || /^(https?|blob|data):/i.test(url)) return null;
  return /^file:/i.test(url) ? (builtin('node:url')?.fileURLToPath(url) ?? null) : url;
}

/** Parts by a function, each with the options' signal, time and progress. */
function watched(size: number, name: string, options: ReadOptions, read: Slice): Slice {
  const { signal, timeout = Infinity, onProgress } = options;
  let bytes = 0;
  return async (start, end) => {
    signal?.throwIfAborted();
    const part = await within(
      read(start, end),
      timeout,
      signal,
      () => new ReadError(`${name}: expected more bytes, received nothing for ${timeout} ms`),
    );
    signal?.throwIfAborted();
    if (part.byteLength !== end - start)
      throw new ReadError(
        `${name}: expected ${end - start} bytes at ${start}, received ${part.byteLength}. The file was cut meanwhile.`,
      );
    bytes += part.byteLength;
    onProgress?.({ bytes: Math.min(bytes, size), total: size });
    return part;
  };
}

/**
 * A source of which parts are read: files and Blobs never as a whole, others (URLs, streams) are in memory. `sha256` is checked before anything else is read: files and
 * Blobs are read through once for it. Throws `ReadError` for what cannot be read.
 */
export async function openParquet(source: DataSource, options: ReadOptions): Promise<ParquetFile> {
  const name = nameOf(source, options);
  options.signal?.throwIfAborted();
  const fs = builtin('node:fs/promises');
  const path = pathOf(source);
  const blob = typeof Blob !== 'undefined' && source instanceof Blob ? source : null;
  const all: ReadOptions = { ...options, decompress: 'none' };
  if ((path !== null && fs) || blob) {
    if (options.sha256 !== undefined) for await (const _ of readSource(source, all));
    // What was counted once is not counted again.
    const { onProgress, ...quiet } = options;
    const watch = options.sha256 === undefined ? options : quiet;
    if (blob)
      return {
        size: blob.size,
        slice: watched(blob.size, name, watch, (start, end) => blob.slice(start, end).arrayBuffer()),
        close: async () => {},
      };
    try {
      const handle = await fs!.open(path!);
      const stat = await handle.stat();
      if (stat.isDirectory()) {
        await handle.close();
        throw new Error('it is a folder');
      }
      return {
        size: stat.size,
        slice: watched(stat.size, name, watch, async (start, end) => {
          const bytes = new Uint8Array(end - start);
          let at = 0;
          while (at < bytes.length) {
            const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
            if (bytesRead === 0) break;
            at += bytesRead;
          }
          return bytes.buffer.slice(0, at);
        }),
        close: () => handle.close(),
      };
    } catch (error) {
      throw readError(`${name}: expected a file that can be read, received ${messageOf(error)}`, error);
    }
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of readSource(source, all)) parts.push(chunk);
  const bytes = concatenated(parts);
  const { onProgress, ...quiet } = options;
  return {
    size: bytes.length,
    slice: watched(bytes.length, name, quiet, async (start, end) => bytes.slice(start, end).buffer),
    close: async () => {},
  };
}
