import { RecurraError, ValueError } from '@recurra/tensor';
import { checkRules, isRecord, type Rules, rules } from '@recurra/tensor/extend';
import type { Compressors } from 'hyparquet';
import { stringsOf } from '../internal/texts.js';
import { Dataset } from './dataset.js';
import { openParquet, type ParquetFile } from './parquet/file.js';
import { type Chunk, type Group, type Metadata, readMetadata } from './parquet/metadata.js';
import { checkChunk } from './parquet/pages.js';
import { unsnap } from './parquet/snappy.js';
import { messageOf, READ_RULES, readError } from './read-options.js';
import { type DataSource, nameOf, type ReadOptions } from './source.js';

/** Taken as the module loads: tests put clocks in its place that stand still. */
const { setTimeout } = globalThis;

/** Options of {@link parquetDataset}. */
export interface ParquetOptions extends ReadOptions {
  /** Columns to read; all by default. The others are not decoded. */
  readonly columns?: readonly string[];
  /** Decompressors beside those for uncompressed and Snappy pages: `compressors` of the package `hyparquet-compressors`. */
  readonly compressors?: Compressors;
  /** Rows that are decoded at a time; 10,000. */
  readonly rowsPerRead?: number;
  /**
   * The most bytes of a page (decompressed), and of its values with 8 bytes each; of a row group's part of a column with lists or structs, which is decoded at
   * once, the same of its values. 268,435,456 (256 MiB). A file that says to have more is refused before memory is taken.
   */
  readonly maxPageBytes?: number;
}

const PARQUET_RULES = {
  ...READ_RULES,
  columns: rules.anything,
  compressors: {
    expected: 'an object of functions',
    accepts: (v) => isRecord(v) && Object.values(v).every((one) => typeof one === 'function'),
  },
  rowsPerRead: rules.count,
  maxPageBytes: { expected: rules.count.expected, accepts: (v) => rules.count.accepts(v) && Number.isSafeInteger(v) },
} satisfies Rules<ParquetOptions>;

/** What a row group's chunks hold of a file: other bytes are zeros, and not asked for. */
async function bytesOf(file: ParquetFile, chunks: readonly Chunk[]): Promise<Map<Chunk, ArrayBuffer>> {
  const bytes = new Map<Chunk, ArrayBuffer>();
  for (const chunk of chunks) bytes.set(chunk, await file.slice(chunk.start, chunk.end));
  return bytes;
}

function sliceOf(bytes: ReadonlyMap<Chunk, ArrayBuffer>, start: number, end: number): ArrayBuffer {
  const part = new Uint8Array(end - start);
  for (const [chunk, buffer] of bytes) {
    const [from, to] = [Math.max(start, chunk.start), Math.min(end, chunk.end)];
    if (from < to) part.set(new Uint8Array(buffer, from - chunk.start, to - from), from - start);
  }
  return part.buffer;
}

/** The rows of a row group, some at a time; all its pages are checked first. */
async function* rowsOf(
  file: ParquetFile,
  metadata: Metadata,
  { rows, chunks }: Group,
  first: number,
  columns: readonly string[] | undefined,
  options: Required<Pick<ParquetOptions, 'compressors' | 'maxPageBytes' | 'rowsPerRead'>> & ReadOptions,
): AsyncGenerator<Record<string, unknown>[], void, void> {
  const { parquetReadObjects } = await import('hyparquet');
  const { compressors, maxPageBytes: limit, rowsPerRead, signal } = options;
  const chosen = chunks.filter(({ leaf }) => !columns || columns.includes(leaf.path[0]!));
  const bytes = await bytesOf(file, chosen);
  for (const chunk of chosen) {
    checkChunk(new Uint8Array(bytes.get(chunk)!), chunk, rows, { limit, compressors });
    // Between columns others have their turn, and the signal its effect.
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
  }
  const flat = chosen.filter(({ leaf }) => leaf.flat).map(({ leaf }) => leaf.path[0]!);
  for (let start = 0; start < rows; start += rowsPerRead) {
    signal?.throwIfAborted();
    const end = Math.min(rows, start + rowsPerRead);
    const part = await parquetReadObjects({
      file: { byteLength: file.size, slice: (from, to = file.size) => sliceOf(bytes, from, to) },
      metadata: metadata.file,
      rowStart: first + start,
      rowEnd: first + end,
      compressors,
      ...(columns ? { columns: [...columns] } : {}),
    });
    if (part.length !== end - start) throw new Error(`${end - start} rows became ${part.length}`);
    for (const row of part) {
      for (const name of flat) if (row[name] === undefined) throw new Error(`a row without a value of "${name}"`);
      for (const [key, value] of Object.entries(row))
        if (typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)
          row[key] = Number(value);
    }
    yield part;
  }
}

/**
 * The rows of a Parquet file, by the names of their columns, a part of a row group at a time (by `hyparquet`). 64-bit integers that are safe as
 * numbers come as numbers. Of files and Blobs only the columns asked for are read, a row group at a time; with `sha256` all of it once before that, so
 * that no row of another file comes out.
 *
 * What a file says of itself is checked before it is used: its metadata when it is opened, and each row group's pages (sizes, counts, levels, ids, checksums)
 * before they are decoded, within `maxPageBytes`. Throws `ReadError`, with the file's name, for files that are none, damaged, or not all there: rows are
 * never left out in silence.
 */
export function parquetDataset<T = Record<string, unknown>>(
  source: DataSource,
  options: ParquetOptions = {},
): Dataset<T> {
  checkRules('parquetDataset', options, PARQUET_RULES);
  const { rowsPerRead = 10_000, maxPageBytes = 2 ** 28 } = options;
  const columns = options.columns === undefined ? undefined : stringsOf('parquetDataset', 'columns', options.columns);
  const name = nameOf(source, options);
  const compressors: Compressors = { SNAPPY: unsnap, ...options.compressors };
  return Dataset.fromChunks(async function* () {
    const file = await openParquet(source, options);
    try {
      const metadata = await readMetadata(file.size, file.slice, maxPageBytes);
      for (const column of columns ?? [])
        if (!metadata.columns.includes(column))
          throw new ValueError(`${name}: expected a column "${column}", received ${metadata.columns.join(', ')}`);
      let first = 0;
      for (const [g, group] of metadata.groups.entries()) {
        const about = `row group ${g}`;
        try {
          const settings = { ...options, compressors, maxPageBytes, rowsPerRead };
          yield* rowsOf(file, metadata, group, first, columns, settings) as AsyncGenerator<T[], void, void>;
        } catch (error) {
          throw asReadError(error, name, about, options.signal);
        }
        first += group.rows;
      }
    } catch (error) {
      throw asReadError(error, name, 'metadata', options.signal);
    } finally {
      await file.close();
    }
  });
}

/** An error of decoding, of whatever kind, as a `ReadError`; what already says whose it is, and the signal's reason, stay. */
function asReadError(error: unknown, name: string, about: string, signal: AbortSignal | undefined): unknown {
  if (error instanceof RecurraError || (signal?.aborted && error === signal.reason)) return error;
  return readError(`${name}: expected a Parquet file that is whole (${about}): ${messageOf(error)}`, error);
}
