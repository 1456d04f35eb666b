import { ValueError } from '@recurra/tensor';
import type { AsyncBuffer, Compressors } from 'hyparquet';
import { builtin } from '../internal/builtin.js';
import { stringsOf } from '../internal/texts.js';
import { Dataset } from './dataset.js';
import { checkReadOptions } from './read-options.js';
import { type DataSource, nameOf, ReadError, type ReadOptions, readBytes } from './source.js';

/** Options of {@link parquetDataset}. */
export interface ParquetOptions extends ReadOptions {
  /** Columns to read; all by default. The others are not decoded. */
  readonly columns?: readonly string[];
  /** Decompressors beside those for uncompressed and Snappy pages: `compressors` of the package `hyparquet-compressors`. */
  readonly compressors?: Compressors;
  /** Rows that are decoded at a time; 10,000. */
  readonly rowsPerRead?: number;
}

/** A file of which parts can be read: the whole of a Parquet file is never in memory where its source allows that. */
async function bufferOf(
  source: DataSource,
  options: ReadOptions,
): Promise<{ buffer: AsyncBuffer; close(): Promise<void> }> {
  const name = nameOf(source, options);
  const fs = builtin('node:fs/promises');
  if (typeof source === 'string' && fs && !/^(https?|blob|data|file):/i.test(source)) {
    const handle = await fs.open(source).catch((error: Error) => {
      throw new ReadError(`${name}: expected a file that can be read, received ${error.message}`);
    });
    const { size } = await handle.stat();
    return {
      buffer: {
        byteLength: size,
        slice: async (start, end = size) => {
          const from = start < 0 ? size + start : start;
          const bytes = new Uint8Array(end - from);
          await handle.read(bytes, 0, bytes.length, from);
          return bytes.buffer;
        },
      },
      close: () => handle.close(),
    };
  }
  if (typeof Blob !== 'undefined' && source instanceof Blob)
    return {
      buffer: { byteLength: source.size, slice: async (start, end) => source.slice(start, end).arrayBuffer() },
      close: async () => {},
    };
  const parts: Uint8Array[] = [];
  for await (const chunk of readBytes(source, { ...options, decompress: 'none' })) parts.push(chunk);
  const bytes = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return {
    buffer: { byteLength: bytes.length, slice: async (start, end) => bytes.slice(start, end).buffer },
    close: async () => {},
  };
}

/**
 * The rows of a Parquet file, by the names of their columns, a part of a row group at a time (by `hyparquet`). 64-bit integers that are safe as
 * numbers come as numbers. Throws `ReadError` for files that are none.
 */
export function parquetDataset<T = Record<string, unknown>>(
  source: DataSource,
  options: ParquetOptions = {},
): Dataset<T> {
  const { compressors, rowsPerRead = 10_000 } = options;
  const columns = options.columns === undefined ? undefined : stringsOf('parquetDataset', 'columns', options.columns);
  checkReadOptions(options);
  if (!(Number.isInteger(rowsPerRead) && rowsPerRead >= 1))
    throw new ValueError(`parquetDataset: expected rowsPerRead to be an integer >= 1, received ${rowsPerRead}`);
  const name = nameOf(source, options);
  return Dataset.fromChunks(async function* () {
    const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
    const { buffer: file, close } = await bufferOf(source, options);
    try {
      const metadata = await parquetMetadataAsync(file).catch((error: Error) => {
        throw new ReadError(`${name}: expected a Parquet file, received ${error.message}`);
      });
      const known = metadata.schema.slice(1).map((s) => s.name);
      for (const column of columns ?? [])
        if (!known.includes(column))
          throw new ValueError(`${name}: expected a column "${column}", received ${known.join(', ')}`);
      const count = Number(metadata.num_rows);
      for (let rowStart = 0; rowStart < count; rowStart += rowsPerRead) {
        const rows = await parquetReadObjects({
          file,
          metadata,
          rowStart,
          rowEnd: Math.min(count, rowStart + rowsPerRead),
          ...(columns ? { columns: [...columns] } : {}),
          ...(compressors ? { compressors } : {}),
        });
        for (const row of rows)
          for (const [key, value] of Object.entries(row))
            if (typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)
              row[key] = Number(value);
        yield rows as T[];
      }
    } finally {
      await close();
    }
  });
}
