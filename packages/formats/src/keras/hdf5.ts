import { FormatError, type Tensor, tensor } from '@recurra/tensor';
import { denseData, sizeOf } from '@recurra/tensor/extend';
import type { Budget } from '../limits.js';
import { isHdf5 } from '../looks.js';
import { pacer } from '../pause.js';

/** What an attribute holds. */
export type Hdf5Attribute = string | number | readonly string[] | readonly number[];

/** A group of an HDF5 file as a plain value: attributes, groups and data sets by their names. */
export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>;
  readonly groups: ReadonlyMap<string, Hdf5Group>;
  readonly datasets: ReadonlyMap<string, Tensor>;
}

type Library = typeof import('h5wasm');
type Module = Awaited<Library['ready']>;
type Metadata = ReturnType<Module['get_dataset_metadata']>;

/** The library, once it is asked for: it is large. */
async function load(): Promise<{ readonly library: Library; readonly module: Module }> {
  const library = await import('h5wasm');
  return { library, module: await library.ready };
}

let files = 0;

/** Runs `f` with a name of a file in the library's file system, which is gone afterwards, whatever happens. */
async function withFile<R>(
  library: Library,
  f: (name: string, fs: NonNullable<Library['FS']>) => Promise<R>,
): Promise<R> {
  const fs = library.FS!;
  const name = `recurra-${++files}.h5`;
  try {
    return await f(name, fs);
  } finally {
    try {
      // What the library still has open after an error is empty then.
      fs.truncate(name, 0);
      fs.unlink(name);
    } catch {
      // It was not made.
    }
  }
}

/** Elements of 16 bits as numbers: half precision, or the upper half of a float32. */
function widened(bits: Uint16Array, brain: boolean): Float32Array {
  if (brain) return new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
  return Float32Array.from(bits, (b) => {
    const sign = b & 0x8000 ? -1 : 1;
    const exponent = (b >> 10) & 0x1f;
    const fraction = b & 0x3ff;
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * 2 ** -24 * fraction : sign * 2 ** (exponent - 25) * (1024 + fraction);
  });
}

/** Bytes in this machine's order. */
function inOrder(raw: Uint8Array<ArrayBuffer>, { size, littleEndian }: Metadata): ArrayBuffer {
  if (!littleEndian && size > 1) for (let i = 0; i + size <= raw.length; i += size) raw.subarray(i, i + size).reverse();
  return raw.buffer;
}

/** Integers of 64 bits as int32. Throws `FormatError` for one beyond that. */
function narrowed(values: BigInt64Array | BigUint64Array, label: string): Int32Array {
  return Int32Array.from(values as Iterable<bigint> & ArrayLike<bigint>, (v: bigint) => {
    if (v < -(2n ** 31n) || v >= 2n ** 31n)
      throw new FormatError(`${label}: expected integers within int32, received ${v}`);
    return Number(v);
  });
}

enum Kind {
  Integer = 0,
  Float = 1,
  Opaque = 5,
  Enum = 8,
}

/** Elements of a data set as a tensor. Throws `FormatError` for types that no weights have. */
function toTensor(raw: Uint8Array<ArrayBuffer>, metadata: Metadata, brain: boolean, label: string): Tensor {
  const { size, signed, shape } = metadata;
  const of = (data: Float32Array | Float64Array | Int32Array, dtype: 'float32' | 'float64' | 'int32'): Tensor =>
    tensor(data as never, { dtype }).reshape([...shape!]);
  const type: number = metadata.type;
  const buffer = inOrder(raw, metadata);
  if (type === Kind.Float && size === 4) return of(new Float32Array(buffer), 'float32');
  if (type === Kind.Float && size === 8) return of(new Float64Array(buffer), 'float64');
  if (type === Kind.Float && size === 2) return of(widened(new Uint16Array(buffer), false), 'float32');
  if (size === 2 && brain) return of(widened(new Uint16Array(buffer), true), 'float32');
  if (type === Kind.Enum && size === 1) {
    const bools = Array.from(new Uint8Array(buffer), (v) => v !== 0);
    return tensor(bools as never, { dtype: 'bool' }).reshape([...shape!]);
  }
  if (type === Kind.Integer) {
    if (size === 8)
      return of(narrowed(signed ? new BigInt64Array(buffer) : new BigUint64Array(buffer), label), 'int32');
    const values =
      size === 4
        ? signed
          ? new Int32Array(buffer)
          : new Uint32Array(buffer)
        : size === 2
          ? signed
            ? new Int16Array(buffer)
            : new Uint16Array(buffer)
          : signed
            ? new Int8Array(buffer)
            : new Uint8Array(buffer);
    const beyond = values.find((v) => v >= 2 ** 31);
    if (beyond !== undefined) throw new FormatError(`${label}: expected integers within int32, received ${beyond}`);
    return of(Int32Array.from(values), 'int32');
  }
  throw new FormatError(
    `${label}: expected numbers of a type that weights have, received HDF5 type ${type} of ${size} bytes`,
  );
}

/** What the library says is wrong, as an error of the file; faults of its own memory, too, which only damaged files cause. */
function asFormatError(label: string, error: unknown): FormatError {
  if (error instanceof FormatError) return error;
  const told = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 200);
  return Object.assign(
    new FormatError(`${label}: expected a whole HDF5 file, received one that cannot be read: ${told}`),
    {
      cause: error,
    },
  );
}

/** A shape that can be one. Throws `FormatError`. */
function checkShape(label: string, { shape, size, virtual_sources: virtual }: Metadata): readonly number[] {
  if (shape === null || !Array.isArray(shape) || shape.some((d) => !Number.isSafeInteger(d) || d < 0))
    throw new FormatError(`${label}: expected a data set with a shape, received none`);
  if (virtual && virtual.length > 0)
    throw new FormatError(`${label}: expected elements in the file itself, received such of other files`);
  if (!Number.isInteger(size) || size < 1)
    throw new FormatError(`${label}: expected elements, received such of ${size} bytes`);
  return shape;
}

/** Reads a file that stands in the library's file system. */
class Reader {
  private readonly module: Module;
  private readonly file: bigint;
  private readonly budget: Budget;
  private readonly size: number;
  private readonly pace = pacer();

  constructor(module: Module, file: bigint, size: number, budget: Budget) {
    this.module = module;
    this.file = file;
    this.size = size;
    this.budget = budget;
  }

  private label(path: string): string {
    return `${this.budget.label}: ${path}`;
  }

  async group(path: string, depth = 0): Promise<Hdf5Group> {
    const { module, file, budget } = this;
    budget.enter(`the group "${path}"`, depth);
    const groups = new Map<string, Hdf5Group>();
    const datasets = new Map<string, Tensor>();
    for (const name of module.get_names(file, path, false)) {
      const own = path === '/' ? `/${name}` : `${path}/${name}`;
      const type = module.get_type(file, own);
      if (type === module.H5G_GROUP) groups.set(name, await this.group(own, depth + 1));
      else if (type === module.H5G_DATASET) datasets.set(name, this.dataset(own));
      else throw new FormatError(`${this.label(own)}: expected a group or a data set, received a link`);
      await this.pace();
    }
    return { attributes: this.attributes(path), groups, datasets };
  }

  private attributes(path: string): Map<string, Hdf5Attribute> {
    const { module, file } = this;
    return new Map(
      [...module.get_attribute_names(file, path)].map((name) => [name, this.attribute(path, name)] as const),
    );
  }

  private attribute(path: string, name: string): Hdf5Attribute {
    const { module, file } = this;
    const label = `${this.label(path)}: attribute "${name}"`;
    this.budget.enter(`the attribute "${name}"`);
    const metadata = module.get_attribute_metadata(file, path, name);
    // An attribute without elements has no shape to check.
    if (metadata.shape === null) return '';
    const shape = checkShape(label, metadata);
    const count = sizeOf(shape);
    const isText = (metadata.type as number) === 3;
    const raw = this.raw(label, metadata, count, (at) => module.get_attribute_data(file, path, name, at), [path, name]);
    let values: readonly string[] | readonly number[];
    if (isText) values = this.texts(raw, metadata, count, label);
    else if (metadata.type === Kind.Integer || metadata.type === Kind.Float || metadata.type === Kind.Enum)
      values = count === 0 ? [] : [...toTensor(raw.bytes, { ...metadata, shape: [count] }, false, label).data];
    else values = [];
    raw.free();
    return shape.length === 0 && values.length === 1 ? values[0]! : values;
  }

  private texts(raw: Raw, metadata: Metadata, count: number, label: string): string[] {
    const { module } = this;
    if (metadata.vlen) {
      const pointers = new Uint32Array(raw.bytes.buffer);
      return Array.from(pointers, (at) => {
        const end = at === 0 ? 0 : module.HEAPU8.indexOf(0, at);
        if (end < 0) throw new FormatError(`${label}: expected a text that ends, received none`);
        this.budget.take(end - at, label);
        return new TextDecoder().decode(module.HEAPU8.slice(at, end));
      });
    }
    const { size } = metadata;
    return Array.from({ length: count }, (_, i) => {
      const bytes = raw.bytes.subarray(i * size, (i + 1) * size);
      const end = bytes.indexOf(0);
      return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    });
  }

  private dataset(path: string): Tensor {
    const { module, file } = this;
    const label = this.label(path);
    this.budget.enter(`the data set "${path}"`);
    const metadata = module.get_dataset_metadata(file, path);
    const shape = checkShape(label, metadata);
    const count = sizeOf(shape);
    if (metadata.vlen || (metadata.type as number) === 3)
      throw new FormatError(`${label}: expected numbers, received texts`);
    if (!metadata.chunks && count * metadata.size > this.size)
      throw new FormatError(
        `${label}: expected elements that the file has, received a shape [${shape.join(', ')}] that is larger than the file`,
      );
    const raw = this.raw(
      label,
      metadata,
      count,
      (at) => module.get_dataset_data(file, path, null, null, null, at),
      null,
    );
    raw.free();
    const brain = this.attributes(path).get('dtype') === 'bfloat16';
    return toTensor(raw.bytes, { ...metadata, shape: [...shape] }, brain, label);
  }

  /** The bytes of elements, copied out of the library's memory. */
  private raw(
    label: string,
    { size, vlen }: Metadata,
    count: number,
    read: (at: bigint) => unknown,
    reclaim: readonly [string, string] | null,
  ): Raw {
    const { module, file } = this;
    const bytes = count * size;
    this.budget.take(bytes, label);
    if (bytes === 0) return { bytes: new Uint8Array(0), free: () => {} };
    const at = module._malloc(bytes);
    if (at === 0) throw new FormatError(`${label}: expected elements that fit into memory, received ${bytes} bytes`);
    // Of elements that are not there (a file that is cut), memory would tell what was there before.
    module.HEAPU8.fill(0, at, at + bytes);
    const free = (): void => {
      if (vlen && reclaim) module.reclaim_vlen_memory(file, reclaim[0], reclaim[1], BigInt(at));
      module._free(at);
    };
    try {
      const status = read(BigInt(at));
      if (typeof status === 'number' && status < 0) throw new FormatError(`${label}: expected elements, received none`);
      return { bytes: module.HEAPU8.slice(at, at + bytes), free };
    } catch (error) {
      module._free(at);
      throw error;
    }
  }
}

interface Raw {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly free: () => void;
}

/**
 * What an HDF5 file holds. Throws `FormatError` for what is none, for one that is damaged, for links, virtual data sets and types that no weights have, and for
 * more than the budget allows.
 */
export async function readHdf5(bytes: Uint8Array, budget: Budget): Promise<Hdf5Group> {
  const { label } = budget;
  if (!isHdf5(bytes)) throw new FormatError(`${label}: expected an HDF5 file, received other bytes`);
  const { library, module } = await load();
  return withFile(library, async (name, fs) => {
    fs.writeFile(name, bytes);
    // Otherwise it writes to the console, and goes on with numbers that mean nothing.
    module.activate_throwing_error_handler();
    let file: bigint | null = null;
    try {
      file = module.open(name, module.H5F_ACC_RDONLY as unknown as number, false, -1, -1);
      if (file < 0n) throw new FormatError(`${label}: expected an HDF5 file, received one that cannot be opened`);
      return await new Reader(module, file, bytes.length, budget).group('/');
    } catch (error) {
      throw asFormatError(label, error);
    } finally {
      module.deactivate_throwing_error_handler();
      if (file !== null && file >= 0n) module.close_file(file);
    }
  });
}

/** A group as an HDF5 file. */
export async function writeHdf5(root: Hdf5Group): Promise<Uint8Array> {
  const { library } = await load();
  return withFile(library, async (name, fs) => {
    const pace = pacer();
    const file = new library.File(name, 'w');
    try {
      const fill = async (group: InstanceType<Library['Group']>, from: Hdf5Group): Promise<void> => {
        for (const [key, value] of from.attributes) writeAttribute(group, key, value);
        for (const [key, value] of from.datasets) {
          writeDataset(group, key, value);
          await pace();
        }
        for (const [key, child] of from.groups) await fill(group.create_group(key), child);
      };
      await fill(file, root);
      file.flush();
    } finally {
      file.close();
    }
    return fs.readFile(name);
  });
}

function writeAttribute(group: InstanceType<Library['Group']>, key: string, value: Hdf5Attribute): void {
  // A list without elements says nothing of their type: as h5py, it is one of numbers.
  if (Array.isArray(value) && value.length === 0) group.create_attribute(key, new Float64Array(0), [0], '<d');
  else group.create_attribute(key, value as string | string[]);
}

const TYPES: Readonly<Record<string, string>> = { float32: '<f', float64: '<d', int32: '<i', bool: '<b' };

function writeDataset(group: InstanceType<Library['Group']>, name: string, value: Tensor): void {
  const data = denseData(value.concrete('save'));
  const shape = [...value.shape];
  group.create_dataset({ name, data: data as Float32Array, shape, dtype: TYPES[value.dtype]! });
}
