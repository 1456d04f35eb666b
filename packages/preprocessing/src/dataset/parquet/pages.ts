import type { Compressors } from 'hyparquet';
import { crc32 } from './crc32.js';
import { scanDeltas } from './delta.js';
import { fault } from './fault.js';
import type { Chunk, Leaf } from './metadata.js';
import { scanRuns } from './runs.js';
import { ThriftReader, type ThriftStruct } from './thrift.js';

/** Numbers of the format (https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift). */
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;
const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const DELTA_BINARY_PACKED = 5;
const DELTA_LENGTH_BYTE_ARRAY = 6;
const DELTA_BYTE_ARRAY = 7;
const RLE_DICTIONARY = 8;
const BYTE_STREAM_SPLIT = 9;
const ALP = 10;

/** Bytes of a value, of the types that have all the same. */
const WIDTHS: Readonly<Record<string, number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8, INT96: 12 };

/** What pages are read with. */
export interface PageOptions {
  /** The most bytes of a decompressed page, and of its values with 8 bytes each. */
  readonly limit: number;
  readonly compressors: Compressors;
}

function integer(fields: ThriftStruct, id: number, what: string, most: number): number {
  const value = fields.get(id);
  if (typeof value !== 'number' || value < 0 || value > most) fault(`${what} in 0..${most}`, value ?? 'none');
  return value as number;
}

function struct(fields: ThriftStruct, id: number, what: string): ThriftStruct {
  const value = fields.get(id);
  if (!(value instanceof Map)) fault(what, 'none');
  return value as ThriftStruct;
}

const widthOf = ({ element }: Leaf): number =>
  element.type === 'FIXED_LEN_BYTE_ARRAY' ? element.type_length! : WIDTHS[element.type!]!;
const bitsOf = (level: number): number => 32 - Math.clz32(level);

/** Values of one kind of encoding lie within their page, and give `count` of them. */
function checkValues(
  page: Uint8Array,
  start: number,
  encoding: number,
  count: number,
  leaf: Leaf,
  dictionary: number | null,
  limit: number,
): void {
  const { type } = leaf.element;
  const left = page.length - start;
  const needs = (bytes: number): void => {
    if (bytes > left) fault(`${bytes} bytes of ${count} values`, left);
  };
  const unless = (fits: boolean): void => {
    if (!fits) fault('an encoding for its type', `number ${encoding} for ${type}`);
  };
  switch (encoding) {
    case PLAIN: {
      if (type !== 'BYTE_ARRAY') {
        needs(type === 'BOOLEAN' ? Math.ceil(count / 8) : count * widthOf(leaf));
        return;
      }
      const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
      let at = start;
      for (let i = 0; i < count; i++) {
        if (at + 4 > page.length) fault(`${count} texts`, `${i}, then the end`);
        at += 4 + view.getUint32(at, true);
        if (at > page.length) fault('a text within its page', `one that ends ${at - page.length} bytes after it`);
      }
      return;
    }
    case RLE: {
      unless(type === 'BOOLEAN');
      if (count === 0) return;
      needs(4);
      const length = new DataView(page.buffer, page.byteOffset + start, 4).getUint32(0, true);
      needs(4 + length);
      scanRuns(page, start + 4, start + 4 + length, 1, count);
      return;
    }
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY: {
      unless(type !== 'BOOLEAN');
      if (dictionary === null) fault('a dictionary before its ids', 'none');
      if (count === 0) return;
      needs(1);
      const { max } = scanRuns(page, start + 1, page.length, page[start]!, count);
      if (max >= dictionary!) fault(`ids of a dictionary of ${dictionary}`, max);
      return;
    }
    case BYTE_STREAM_SPLIT:
      unless(type !== 'BYTE_ARRAY' && type !== 'BOOLEAN' && type !== 'INT96');
      needs(count * widthOf(leaf));
      return;
    case DELTA_BINARY_PACKED:
      unless(type === 'INT32' || type === 'INT64');
      scanDeltas(page, start, page.length, count, false);
      return;
    case DELTA_LENGTH_BYTE_ARRAY: {
      unless(type === 'BYTE_ARRAY');
      const { values, end } = scanDeltas(page, start, page.length, count, true);
      let at = end;
      for (const length of values!) {
        if (length < 0 || length > page.length - at) fault('a text within its page', `${length} bytes`);
        at += length;
      }
      return;
    }
    case DELTA_BYTE_ARRAY: {
      unless(type === 'BYTE_ARRAY' || type === 'FIXED_LEN_BYTE_ARRAY');
      const prefixes = scanDeltas(page, start, page.length, count, true);
      const suffixes = scanDeltas(page, prefixes.end, page.length, count, true);
      let [at, before, total] = [suffixes.end, 0, 0];
      for (let i = 0; i < count; i++) {
        const [prefix, suffix] = [prefixes.values![i]!, suffixes.values![i]!];
        if (prefix < 0 || prefix > before)
          fault(`a text that begins with at most ${before} bytes of the one before`, prefix);
        if (suffix < 0 || suffix > page.length - at) fault('a text within its page', `${suffix} bytes`);
        at += suffix;
        before = prefix + suffix;
        total += before;
        if (total > limit) fault(`texts of at most ${limit} bytes in a page (maxPageBytes)`, 'more');
      }
      return;
    }
    case ALP:
      unless(type === 'FLOAT' || type === 'DOUBLE');
      return;
    default:
      fault('an encoding of Parquet', `number ${encoding}`);
  }
}

/**
 * Goes through the pages of a column's chunk without keeping their values, so that decoding cannot hang, nor take more memory than `limit` a page: sizes, counts,
 * levels, runs, ids of dictionaries and lengths of texts fit together, as do checksums where there are any. `rows` are those of the row group. Throws `Fault`.
 */
export function checkChunk(bytes: Uint8Array, chunk: Chunk, rows: number, options: PageOptions): void {
  const { leaf, meta, values } = chunk;
  const { limit, compressors } = options;
  const { codec } = meta;
  const most = Math.floor(limit / 8);
  // Values of nested columns are put together a chunk at a time.
  if (!leaf.flat && values > most) fault(`at most ${most} values (maxPageBytes: ${limit})`, values);
  const reader = new ThriftReader(bytes);
  let [seen, seenRows] = [0, 0];
  let dictionary: number | null = null;

  const decompress = (packed: Uint8Array, size: number): Uint8Array => {
    let page = packed;
    if (codec !== 'UNCOMPRESSED') {
      const decompressor = compressors[codec];
      if (!decompressor) fault('a compression that is known (see the option compressors)', codec);
      page = decompressor!(packed, size);
    }
    if (page?.length !== size) fault(`a page of ${size} bytes`, `${page?.length}`);
    return page;
  };

  /** Levels of definition or repetition; none where there is one level only. */
  const levels = (page: Uint8Array, start: number, end: number, max: number, count: number) => {
    const summary = scanRuns(page, start, end, bitsOf(max), count, max);
    if (summary.max > max) fault(`levels up to ${max}`, summary.max);
    return summary;
  };
  const countRows = (zeros: number, first: number): void => {
    if (seen === 0 && first !== 0) fault('a first row', 'the rest of one');
    seenRows += zeros;
  };

  const dataPage = (head: ThriftStruct, packed: Uint8Array, size: number): void => {
    const count = integer(head, 1, 'a number of values', Math.min(most, values - seen));
    const page = decompress(packed, size);
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    let at = 0;
    const prefixed = (max: number, encoding: number) => {
      if (encoding !== RLE) fault('levels in runs', `encoding ${encoding}`);
      if (at + 4 > page.length) fault('levels', 'the end');
      const length = view.getUint32(at, true);
      if (length > page.length - at - 4) fault('levels within their page', `${length} bytes`);
      const summary = levels(page, at + 4, at + 4 + length, max, count);
      at += 4 + length;
      return summary;
    };
    if (leaf.maxRepetition > 0) {
      const { zeros, first } = prefixed(leaf.maxRepetition, integer(head, 4, 'an encoding', 99));
      if (count > 0) countRows(zeros, first);
    } else seenRows += count;
    const there =
      leaf.maxDefinition > 0 ? prefixed(leaf.maxDefinition, integer(head, 3, 'an encoding', 99)).matching : count;
    checkValues(page, at, integer(head, 2, 'an encoding', 99), there, leaf, dictionary, limit);
    seen += count;
  };

  const dataPageV2 = (head: ThriftStruct, packed: Uint8Array, size: number): void => {
    const count = integer(head, 1, 'a number of values', Math.min(most, values - seen));
    const nulls = integer(head, 2, 'a number of nulls', count);
    const pageRows = integer(head, 3, 'a number of rows', count);
    const definition = integer(head, 5, 'bytes of levels', Math.min(size, packed.length));
    const repetition = integer(head, 6, 'bytes of levels', Math.min(size, packed.length) - definition);
    const before = seenRows;
    if (leaf.maxRepetition > 0) {
      const { zeros, first } = levels(packed, 0, repetition, leaf.maxRepetition, count);
      if (count > 0) countRows(zeros, first);
    } else seenRows += count;
    if (seenRows - before !== pageRows) fault(`a page of ${seenRows - before} rows`, pageRows);
    const there =
      leaf.maxDefinition > 0
        ? levels(packed, repetition, repetition + definition, leaf.maxDefinition, count).matching
        : count;
    if (there !== count - nulls) fault(`${count - there} nulls`, nulls);
    const rest = packed.subarray(definition + repetition);
    const plain = size - definition - repetition;
    // Without values there may be no bytes, which no compression gives.
    const page = head.get(7) === false || plain === 0 ? rest : decompress(rest, plain);
    if (page.length !== plain) fault(`${plain} bytes of values`, page.length);
    checkValues(page, 0, integer(head, 4, 'an encoding', 99), there, leaf, dictionary, limit);
    seen += count;
  };

  // The last byte alone is no page: some writers fill up.
  while (reader.offset < bytes.length - 1 && (!leaf.flat || seen < values)) {
    const fields = reader.struct();
    const size = integer(fields, 2, `the size of a page (maxPageBytes: ${limit})`, limit);
    const stored = integer(fields, 3, 'the stored size of a page', bytes.length - reader.offset);
    const packed = bytes.subarray(reader.offset, reader.offset + stored);
    reader.offset += stored;
    const crc = fields.get(4);
    if (typeof crc === 'number' && crc >>> 0 !== crc32(packed)) fault('a page with its checksum', 'a damaged one');
    const type = fields.get(1);
    if (type === DATA_PAGE) dataPage(struct(fields, 5, 'the head of a data page'), packed, size);
    else if (type === DATA_PAGE_V2) dataPageV2(struct(fields, 8, 'the head of a data page'), packed, size);
    else if (type === DICTIONARY_PAGE) {
      if (dictionary !== null || seen > 0) fault('one dictionary, first of all', 'another');
      dictionary = integer(struct(fields, 7, 'the head of a dictionary'), 1, 'a number of values', most);
      checkValues(decompress(packed, size), 0, PLAIN, dictionary, leaf, null, limit);
    } else fault('a page of data or a dictionary', `type ${String(type)}`);
  }
  if (seen !== values) fault(`${values} values`, seen);
  if (seenRows !== rows) fault(`${rows} rows`, seenRows);
}
