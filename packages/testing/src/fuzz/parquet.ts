import { parquetDataset, ReadError } from '@recurra/preprocessing';
import fc from 'fast-check';
import { type ParquetWriteOptions, parquetWriteBuffer } from 'hyparquet-writer';
import { changed, changes, type MetadataRange } from './mutation.js';
import type { FuzzTarget } from './target.js';
import { propertyTarget } from './target.js';

/** Rows of each file. */
const ROWS = 400;
/** A file of some kilobytes that takes longer hangs. */
const LONGEST = 5000;

type Column = ParquetWriteOptions['columnData'][number];
const row = <T>(f: (i: number) => T): T[] => Array.from({ length: ROWS }, (_, i) => f(i));
const texts = row((i) => `text ${i % 11} of ${i}`);
const integers = Int32Array.from({ length: ROWS }, (_, i) => (i * 7919) % 1000);
const longs = BigInt64Array.from({ length: ROWS }, (_, i) => BigInt(i) ** 4n);
const labels = row((i) => (i % 5 === 0 ? null : `label ${i % 3}`));
const flags = row((i) => i % 3 === 0);

/** Files of all encodings that the writer knows, with and without compression. */
const FILES: readonly Uint8Array[] = (() => {
  const columns: readonly (readonly Column[])[] = [
    [
      { name: 'id', data: integers, type: 'INT32', encoding: 'PLAIN' },
      { name: 'text', data: texts, type: 'STRING', encoding: 'PLAIN' },
      { name: 'label', data: labels, type: 'STRING', nullable: true },
    ],
    [
      { name: 'id', data: integers, type: 'INT32', encoding: 'DELTA_BINARY_PACKED' },
      { name: 'long', data: longs, type: 'INT64', encoding: 'DELTA_BINARY_PACKED' },
      { name: 'text', data: texts, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' },
    ],
    [
      { name: 'text', data: texts, type: 'STRING', encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
      { name: 'flag', data: flags, type: 'BOOLEAN', encoding: 'RLE' },
      { name: 'number', data: Float64Array.from(integers, Math.sqrt), type: 'DOUBLE', encoding: 'BYTE_STREAM_SPLIT' },
    ],
    [{ name: 'json', data: row((i) => ({ i, of: [i, null] })), type: 'JSON' }],
  ];
  const options: Partial<ParquetWriteOptions>[] = [
    { codec: 'SNAPPY', rowGroupSize: 150 },
    { codec: 'UNCOMPRESSED', rowGroupSize: ROWS, pageSize: 500 },
  ];
  const lists: ParquetWriteOptions['columnData'] = [
    { name: 'ids', data: row((i) => (i % 7 === 0 ? null : Array.from({ length: i % 4 }, (_, j) => i + j))) },
  ];
  const schema: NonNullable<ParquetWriteOptions['schema']> = [
    { name: 'root', num_children: 1 },
    { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
  ];
  return options.flatMap((option) => [
    ...columns.map((columnData) => new Uint8Array(parquetWriteBuffer({ columnData: [...columnData], ...option }))),
    new Uint8Array(parquetWriteBuffer({ columnData: lists, schema, ...option })),
  ]);
})();

/** The metadata stand at the end, before their length and the mark. */
const metadataRange: MetadataRange = (bytes) => {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
  return [Math.max(0, bytes.length - 8 - length), bytes.length];
};

const mutants = fc.record({ file: fc.nat(FILES.length - 1), changes });

/** How many mutated files were refused (`ReadError`), and how many gave all of their rows, be it with other values. */
export const outcomes: { refused: number; read: number } = { refused: 0, read: 0 };

/** Mutated Parquet files: all rows or a `ReadError` with the file's name, soon. */
export const parquet: FuzzTarget = propertyTarget(
  'Parquet files with some bytes changed: all of their rows or a ReadError, within some seconds',
  mutants,
  async ({ file, changes: list }) => {
    const bytes = list.reduce((now, change) => changed(now, change, metadataRange), FILES[file]!);
    const start = performance.now();
    const result = await parquetDataset(bytes, { name: 'mutant.parquet', rowsPerRead: 100 })
      .toArray()
      .catch((error: unknown) => error);
    const time = performance.now() - start;
    if (time > LONGEST) throw new Error(`expected an end within ${LONGEST} ms, received one after ${time} ms`);
    if (result instanceof ReadError && result.message.startsWith('mutant.parquet: ')) outcomes.refused++;
    else if (!Array.isArray(result)) throw new Error(`expected a ReadError, received ${String(result)}`);
    else if (result.length !== ROWS) throw new Error(`expected ${ROWS} rows, received ${result.length}`);
    else outcomes.read++;
  },
);
