import type { ColumnMetaData, FileMetaData, SchemaElement } from 'hyparquet';
import { fault } from './fault.js';
import { ThriftReader } from './thrift.js';

/** A column of values: a leaf of the schema. */
export interface Leaf {
  readonly path: readonly string[];
  readonly element: SchemaElement;
  /** Levels above which a value is there. */
  readonly maxDefinition: number;
  readonly maxRepetition: number;
  /** One value a row. */
  readonly flat: boolean;
}

/** Where a column's part of a row group lies, and what it is. */
export interface Chunk {
  readonly leaf: Leaf;
  readonly meta: ColumnMetaData;
  readonly start: number;
  readonly end: number;
  readonly values: number;
}

/** A row group. */
export interface Group {
  readonly rows: number;
  readonly chunks: readonly Chunk[];
}

/** What a file says of itself, found to fit together. */
export interface Metadata {
  readonly file: FileMetaData;
  readonly columns: readonly string[];
  readonly groups: readonly Group[];
  readonly rows: number;
}

/** A part of a file. */
export type Slice = (start: number, end: number) => Promise<ArrayBuffer>;

/** The first bytes of a file, and the last: PAR1. */
const MAGIC = 0x31524150;
const DEEPEST = 64;

/** An integer from 0 to `most`. */
function whole(value: unknown, what: string, most = Number.MAX_SAFE_INTEGER): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0 || number > most)
    fault(`${what} in 0..${most}`, String(value));
  return number as number;
}

/** The leaves of a schema, in order; throws `Fault` where it is no tree. */
function leavesOf(schema: readonly SchemaElement[]): { columns: string[]; leaves: Leaf[] } {
  const leaves: Leaf[] = [];
  let at = 0;
  const visit = (path: readonly string[], above: { definition: number; repetition: number }): string => {
    const element = schema[at++];
    if (!element) fault('a schema with all of its elements', `${schema.length}`);
    const { name, num_children: children = 0, repetition_type: repetition, type, type_length: length } = element!;
    const root = at === 1;
    if (path.length > DEEPEST) fault(`a schema at most ${DEEPEST} deep`, 'a deeper one');
    // An object would take it for its prototype.
    if (!root && (typeof name !== 'string' || name === '__proto__')) fault('a column with a usable name', name);
    if (!root && repetition === undefined)
      fault(`the column "${name}" to be required, optional or repeated`, 'neither');
    whole(children, 'a number of children', schema.length - at);
    const here = root ? [] : [...path, name];
    const levels = {
      definition: above.definition + (!root && repetition !== 'REQUIRED' ? 1 : 0),
      repetition: above.repetition + (repetition === 'REPEATED' ? 1 : 0),
    };
    if (children === 0 && !root) {
      if (type === undefined) fault(`the column "${here.join('.')}" to have a type`, 'none');
      if (type === 'FIXED_LEN_BYTE_ARRAY' && whole(length, 'a length of values') === 0) fault('values of a length', 0);
      leaves.push({
        path: here,
        element: element!,
        maxDefinition: levels.definition,
        maxRepetition: levels.repetition,
        flat: here.length === 1 && repetition !== 'REPEATED',
      });
    }
    const names = Array.from({ length: children }, () => visit(here, levels));
    if (new Set(names).size !== names.length) fault('columns of different names', names.join(', '));
    if (root) columns = names;
    return name;
  };
  let columns: string[] = [];
  visit([], { definition: 0, repetition: 0 });
  if (at !== schema.length) fault(`a schema of ${at} elements`, schema.length);
  return { columns, leaves };
}

/**
 * The metadata at the end of a file, checked before anything of it is used: magic, lengths within the file, a schema that is a tree, the same columns in each
 * row group, row counts that add up, and chunks that lie within the file, apart from each other. Throws `Fault`, or what `hyparquet` throws.
 */
export async function readMetadata(size: number, slice: Slice, limit: number): Promise<Metadata> {
  if (size < 12) fault('a Parquet file of at least 12 bytes', size);
  const magic = async (at: number): Promise<boolean> =>
    new DataView(await slice(at, at + 4)).getUint32(0, true) === MAGIC;
  if (!(await magic(0)) || !(await magic(size - 4))) fault('a Parquet file (PAR1 first and last)', 'other bytes');
  const length = new DataView(await slice(size - 8, size - 4)).getUint32(0, true);
  if (length > size - 12) fault(`metadata of at most ${size - 12} bytes`, length);
  if (length > limit) fault(`metadata of at most ${limit} bytes (maxPageBytes)`, length);
  const footer = size - 8 - length;
  const bytes = new Uint8Array(await slice(footer, size));
  new ThriftReader(bytes, 0, length).struct();
  const { parquetMetadata } = await import('hyparquet');
  const file = parquetMetadata(bytes);
  const { columns, leaves } = leavesOf(file.schema);
  const rows = whole(file.num_rows, 'a number of rows');
  const places: [start: number, end: number][] = [];
  const groups = file.row_groups.map((group, g) => {
    const groupRows = whole(group.num_rows, `the number of rows of row group ${g}`);
    if (group.columns.length !== leaves.length)
      fault(`${leaves.length} columns in row group ${g}`, group.columns.length);
    const chunks = group.columns.map(({ file_path: elsewhere, crypto_metadata: secret, meta_data: meta }, c): Chunk => {
      const leaf = leaves[c]!;
      const name = `column "${leaf.path.join('.')}" of row group ${g}`;
      if (elsewhere) fault(`${name} in this file`, elsewhere);
      if (secret || !meta) fault(`${name} with metadata that are not encrypted`, 'none');
      const { path_in_schema: path, type, codec, dictionary_page_offset: dictionary, data_page_offset: data } = meta!;
      if (path.length !== leaf.path.length || path.some((part, i) => part !== leaf.path[i]))
        fault(name, `"${path.join('.')}"`);
      if (type !== leaf.element.type) fault(`${name} of type ${leaf.element.type}`, type);
      if (codec === undefined) fault(`${name} with a known compression`, 'an unknown one');
      const values = whole(meta!.num_values, `the number of values of ${name}`);
      if (leaf.flat && values !== groupRows) fault(`${groupRows} values in ${name}`, values);
      const start = whole(dictionary || data, `the place of ${name}`, footer);
      const end = start + whole(meta!.total_compressed_size, `the size of ${name}`, footer - start);
      if (start < 4) fault(`${name} after the first 4 bytes`, start);
      if (end > start) places.push([start, end]);
      return { leaf, meta: meta!, start, end, values };
    });
    return { rows: groupRows, chunks };
  });
  const total = groups.reduce((n, group) => n + group.rows, 0);
  if (total !== rows) fault(`row groups with ${rows} rows together`, total);
  places.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < places.length; i++)
    if (places[i]![0] < places[i - 1]![1]) fault(`a column from byte ${places[i - 1]![1]} on`, places[i]![0]);
  return { file, columns, groups, rows };
}
