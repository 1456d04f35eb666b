import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ValueError } from '@recurra/tensor';
import type { ParquetWriteOptions } from 'hyparquet-writer';
import { parquetDataset, ReadError } from '../index.js';
import { crc32 } from './parquet/crc32.js';

const folder = mkdtempSync(join(tmpdir(), 'recurra-parquet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type ColumnData = ParquetWriteOptions['columnData'];
type Encoding = NonNullable<ColumnData[number]['encoding']>;
async function written(columnData: ColumnData, options: Partial<ParquetWriteOptions> = {}): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  return new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
}
const numbers = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);
const small = (n = 400): Promise<Uint8Array> =>
  written([{ name: 'a', data: numbers(n), type: 'INT32' }], { rowGroupSize: 100, codec: 'UNCOMPRESSED' });

/** Where bytes occur first in others. */
function find(bytes: Uint8Array, part: readonly number[], from = 0): number {
  for (let i = from; i + part.length <= bytes.length; i++) if (part.every((b, j) => bytes[i + j] === b)) return i;
  throw new Error(`the bytes ${part.join(' ')} do not occur`);
}
/** An unsigned integer as Thrift's compact protocol writes it, zigzag. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
/** A file with other metadata of the same length. */
function swapped(bytes: Uint8Array, from: readonly number[], to: readonly number[], after = 0): Uint8Array {
  const copy = bytes.slice();
  copy.set(to, find(copy, from, after));
  return copy;
}
const footerOf = (bytes: Uint8Array): number =>
  bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);

describe('the whole source', () => {
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  test('sha256 is checked for paths, URLs of files, Blobs and bytes, before any row', async () => {
    const bytes = await small();
    const path = join(folder, 'sum.parquet');
    writeFileSync(path, bytes);
    for (const source of [path, pathToFileURL(path), new Blob([bytes as BlobPart]), bytes]) {
      const right = parquetDataset(source, { sha256: digest(bytes) });
      expect((await right.toArray()).length).toBe(400);
      const seen: unknown[] = [];
      const wrong = (async () => {
        for await (const row of parquetDataset(source, { sha256: '0'.repeat(64) })) seen.push(row);
      })();
      await expect(wrong).rejects.toThrow(/expected SHA-256 0{64}, received/);
      await expect(wrong).rejects.toThrow(ReadError);
      expect(seen).toEqual([]);
    }
  });

  test('a signal ends reading, before it and between rows, with its reason', async () => {
    const bytes = await small();
    const path = join(folder, 'signal.parquet');
    writeFileSync(path, bytes);
    for (const source of [path, new Blob([bytes as BlobPart]), bytes]) {
      const reason = new Error('enough');
      const over = AbortSignal.abort(reason);
      await expect(parquetDataset(source, { signal: over }).toArray()).rejects.toBe(reason);
      const controller = new AbortController();
      let rows = 0;
      const reading = (async () => {
        for await (const _ of parquetDataset(source, { signal: controller.signal, rowsPerRead: 10 }))
          if (++rows === 15) controller.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      expect(rows).toBe(20);
    }
  });

  test('a source that stalls ends with the signal, and with the time', async () => {
    const blob = new Blob([(await small()) as BlobPart]);
    blob.slice = () => ({ arrayBuffer: () => new Promise<ArrayBuffer>(() => {}) }) as Blob;
    const controller = new AbortController();
    const reading = parquetDataset(blob, { signal: controller.signal }).toArray();
    setTimeout(() => controller.abort(new Error('too long')), 20);
    await expect(reading).rejects.toThrow('too long');
    await expect(parquetDataset(blob, { timeout: 20 }).toArray()).rejects.toThrow(/received nothing for 20 ms/);
  });

  test('progress counts the bytes of what is read, and of a checked source each once', async () => {
    const bytes = await small();
    for (const options of [{}, { sha256: digest(bytes) }]) {
      const counts: number[] = [];
      const blob = new Blob([bytes as BlobPart]);
      const dataset = parquetDataset(blob, {
        ...options,
        onProgress: ({ bytes: n, total }) => {
          expect(total).toBe(bytes.length);
          counts.push(n);
        },
      });
      await dataset.toArray();
      expect(counts.length).toBeGreaterThan(0);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBeLessThanOrEqual(bytes.length);
    }
  });

  test('what is no file is told by its path', async () => {
    await expect(parquetDataset(join(folder, 'none.parquet')).toArray()).rejects.toThrow(ReadError);
    await expect(parquetDataset(folder).toArray()).rejects.toThrow(/it is a folder/);
  });
});

describe('files that are whole', () => {
  const texts = Array.from({ length: 300 }, (_, i) => `text ${i % 7} ${i}`);
  const repeats = Array.from({ length: 300 }, (_, i) => (i % 5 === 0 ? null : `label ${i % 3}`));
  const big = BigInt64Array.from({ length: 300 }, (_, i) => BigInt(i * i) * 1_000_003n);
  const floats = Float64Array.from({ length: 300 }, (_, i) => Math.sin(i) * 1e3);
  const flags = Array.from({ length: 300 }, (_, i) => i % 3 === 0);
  const cases: [name: string, column: ColumnData[number], value: (i: number) => unknown][] = [
    ['texts', { name: 'x', data: texts, type: 'STRING', encoding: 'PLAIN' }, (i) => texts[i]],
    ['a dictionary with nulls', { name: 'x', data: repeats, type: 'STRING', nullable: true }, (i) => repeats[i]],
    ['booleans', { name: 'x', data: flags, type: 'BOOLEAN' }, (i) => flags[i]],
    ['booleans in runs', { name: 'x', data: flags, type: 'BOOLEAN', encoding: 'RLE' }, (i) => flags[i]],
    ...(['DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY'] as Encoding[]).map((encoding): (typeof cases)[number] => [
      encoding,
      { name: 'x', data: texts, type: 'STRING', encoding },
      (i) => texts[i],
    ]),
    ...(['PLAIN', 'DELTA_BINARY_PACKED', 'BYTE_STREAM_SPLIT'] as Encoding[]).flatMap((encoding): typeof cases => [
      [`${encoding} of INT32`, { name: 'x', data: numbers(300), type: 'INT32', encoding }, (i) => i],
      [`${encoding} of INT64`, { name: 'x', data: big, type: 'INT64', encoding }, (i) => Number(big[i])],
    ]),
    [
      'BYTE_STREAM_SPLIT of DOUBLE',
      { name: 'x', data: floats, type: 'DOUBLE', encoding: 'BYTE_STREAM_SPLIT' },
      (i) => floats[i],
    ],
    ['JSON', { name: 'x', data: texts.map((t) => ({ t })), type: 'JSON' }, (i) => ({ t: texts[i] })],
  ];
  test.each(cases)('%s, compressed or not, in small pages and groups', async (_, column, value) => {
    for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
      const bytes = await written([column], { codec, pageSize: 200, rowGroupSize: 128 });
      const rows = await parquetDataset(bytes, { rowsPerRead: 50 }).toArray();
      expect(rows).toEqual(Array.from({ length: 300 }, (_row, i) => ({ x: value(i) })));
    }
  });

  test('lists', async () => {
    const data = Array.from({ length: 50 }, (_, i) =>
      i % 7 === 0 ? null : Array.from({ length: i % 4 }, (_v, j) => i + j),
    );
    const bytes = await written([{ name: 'ids', data }], {
      schema: [
        { name: 'root', num_children: 1 },
        { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
      ],
      rowGroupSize: 20,
    });
    const rows = await parquetDataset<{ ids: unknown }>(bytes, { rowsPerRead: 7 }).toArray();
    expect(rows.map((row) => row.ids)).toEqual(data);
    await expect(parquetDataset(bytes, { maxPageBytes: 200 }).toArray()).rejects.toThrow(/maxPageBytes/);
  });

  test('no rows', async () => {
    expect(
      await parquetDataset(await written([{ name: 'a', data: new Int32Array(0), type: 'INT32' }])).toArray(),
    ).toEqual([]);
  });
});

describe('files that are not', () => {
  const refused = async (bytes: Uint8Array, what: RegExp): Promise<void> => {
    const reading = parquetDataset(bytes, { name: 'rows.parquet' }).toArray();
    await expect(reading).rejects.toThrow(what);
    await expect(reading).rejects.toThrow(ReadError);
    await expect(reading).rejects.toThrow(/^rows\.parquet: /);
  };

  test('row counts that do not add up: fewer and more, of the file and of a group', async () => {
    const bytes = await small();
    const footer = footerOf(bytes);
    await refused(swapped(bytes, varint(400), varint(300), footer), /row groups with 300 rows together, received 400/);
    await refused(swapped(bytes, varint(400), varint(500), footer), /row groups with 500 rows together, received 400/);
    // The first 100 of the metadata is the number of values of the first chunk; the rows of its group follow.
    const first = find(bytes, varint(100), footer);
    await refused(
      swapped(bytes, varint(100), varint(99), footer),
      /100 values in column "a" of row group 0, received 99/,
    );
    await refused(swapped(bytes, varint(100), varint(90), first + 2), /row group|rows|values/);
  });

  test('every cut of a file', async () => {
    const bytes = await small(20);
    for (let length = 0; length < bytes.length; length++) await refused(bytes.slice(0, length), /expected/);
  });

  test('magic, lengths of metadata, other files', async () => {
    const bytes = await small();
    const copy = bytes.slice();
    copy[0] = 0;
    await refused(copy, /PAR1 first and last/);
    for (const length of [0xffffffff, bytes.length, bytes.length - 11]) {
      const long = bytes.slice();
      new DataView(long.buffer).setUint32(long.length - 8, length, true);
      await refused(long, /metadata of at most/);
    }
    await refused(new TextEncoder().encode('a,b\n1,2\nno parquet at all\n'), /expected a Parquet file/);
  });

  test('sizes of pages are bounded before memory is taken', async () => {
    const bytes = await written([{ name: 'a', data: numbers(1000), type: 'INT32', encoding: 'PLAIN' }]);
    await expect(parquetDataset(bytes, { maxPageBytes: 3000 }).toArray()).rejects.toThrow(
      /the size of a page \(maxPageBytes: 3000\) in 0\.\.3000, received 40\d\d/,
    );
    // The head of the first page, after PAR1: its type, then the size of what it holds.
    await refused(swapped(bytes, varint(4003), [0xfe, 0x7f]), /at least|Snappy|bytes|size|expected/);
    expect(() => parquetDataset(bytes, { maxPageBytes: 0 })).toThrow(ValueError);
  });

  test('CRC-32 is that of the specification', () => {
    // From the specification of CRC-32: https://www.rfc-editor.org/rfc/rfc1952#section-8
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });

  test('a column that an object would take for its prototype', async () => {
    await refused(await written([{ name: '__proto__', data: numbers(3), type: 'INT32' }]), /a usable name/);
  });

  test('compressions that nobody knows name the option', async () => {
    const bytes = await written([{ name: 'a', data: numbers(10), type: 'INT32' }], {
      codec: 'GZIP',
      compressors: { GZIP: (input) => input.slice() },
    });
    await refused(bytes, /see the option compressors\), received GZIP/);
    await expect(parquetDataset(bytes, { compressors: { GZIP: (input) => input.slice(1) } }).toArray()).rejects.toThrow(
      ReadError,
    );
    expect(await parquetDataset(bytes, { compressors: { GZIP: (input) => input } }).toArray()).toHaveLength(10);
  });
});
