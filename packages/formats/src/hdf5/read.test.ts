import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '@recurra/tensor';
import * as h5wasm from 'h5wasm';
import type { Hdf5Group } from '../keras/hdf5.js';
import { Budget } from '../limits.js';
import { readHdf5 } from './read.js';

const FOLDER = join(__dirname, '../../../testing/golden/files');
const bytesOf = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(join(FOLDER, name)));
const read = (bytes: Uint8Array): Promise<Hdf5Group> => readHdf5(bytes, new Budget('test', bytes.length));
const open = (name: string): Promise<Hdf5Group> => read(bytesOf(`hdf5/${name}`));

/** What layouts.py calls X. */
const X = Array.from({ length: 11 * 7 * 3 }, (_, i) => i / 4);

/** All that a tree holds, by paths, as texts. */
function flat(
  { attributes, groups, datasets }: Hdf5Group,
  path = '',
  into = new Map<string, string>(),
): Map<string, string> {
  for (const [key, value] of attributes) into.set(`${path}@${key}`, JSON.stringify(value));
  for (const [key, { shape, data }] of datasets)
    into.set(`${path}/${key}`, `${JSON.stringify(shape)} ${[...data].join()}`);
  for (const [key, group] of groups) flat(group, `${path}/${key}`, into);
  return into;
}

/** The same, as the library of the HDF Group reads it. */
function flatByLibrary(group: h5wasm.Group, path = '', into = new Map<string, string>()): Map<string, string> {
  const plain = (_key: string, value: unknown): unknown =>
    ArrayBuffer.isView(value)
      ? Array.from(value as unknown as ArrayLike<number | bigint>, Number)
      : typeof value === 'bigint'
        ? Number(value)
        : value;
  for (const [key, { value }] of Object.entries(group.attrs)) into.set(`${path}@${key}`, JSON.stringify(value, plain));
  for (const key of group.keys()) {
    const child = group.get(key);
    if (child instanceof h5wasm.Group) flatByLibrary(child, `${path}/${key}`, into);
    else if (child instanceof h5wasm.Dataset) {
      const value = child.value as unknown;
      const elements = ArrayBuffer.isView(value)
        ? Array.from(value as unknown as ArrayLike<number | bigint>, Number)
        : [Number(value)];
      into.set(`${path}/${key}`, `${JSON.stringify(child.shape)} ${elements.join()}`);
    }
  }
  return into;
}

test.each(readdirSync(FOLDER).filter((name) => name.endsWith('.h5')))(
  "%s holds what the HDF Group's library reads of it",
  async (name) => {
    const bytes = bytesOf(name);
    const { FS } = await h5wasm.ready;
    FS.writeFile(name, bytes);
    const file = new h5wasm.File(name, 'r');
    const expected = flatByLibrary(file);
    file.close();
    FS.unlink(name);
    expect(expected.size).toBeGreaterThan(5);
    expect(flat(await read(bytes))).toEqual(expected);
  },
);

describe('what h5py wrote', () => {
  test('attributes', async () => {
    expect(Object.fromEntries((await open('layouts.h5')).attributes)).toEqual({
      half: 2.5,
      list: [0, 1, 2, 3],
      nothing: '',
      number: 7,
      one: 'hällo',
      own: ['x', 'ünï', ''],
      texts: ['abc', 'de'],
    });
  });

  test('types', async () => {
    const { datasets } = (await open('layouts.h5')).groups.get('types')!;
    const found = [...datasets].map(([name, { dtype, shape, data }]) => [name, dtype, shape.join(), [...data]]);
    expect(Object.fromEntries(found.map(([name, ...rest]) => [name, rest]))).toEqual({
      big: ['float32', '2', [1.5, -2]],
      bigger: ['int32', '2', [-300, 4]],
      bool: ['bool', '2', [1, 0]],
      empty: ['float32', '0,3', []],
      f2: ['float32', '4', [1.5, -0, 2 ** -24, Number.POSITIVE_INFINITY]],
      f4: ['float32', '4', [1.5, -0, Math.fround(1e-45), Number.NEGATIVE_INFINITY]],
      f8: ['float64', '2', [1.5, 1e300]],
      i1: ['int32', '2', [-3, 4]],
      i2: ['int32', '2', [-300, 4]],
      i4: ['int32', '2', [-(2 ** 31), 7]],
      i8: ['int32', '2', [-5, 2 ** 31 - 1]],
      scalar: ['float32', '', [2.5]],
      u1: ['int32', '2', [250, 4]],
      u2: ['int32', '2', [65000, 1]],
      u4: ['int32', '2', [7, 8]],
      u8: ['int32', '2', [3, 4]],
    });
  });

  test('chunks, as they are, deflated, shuffled and with checksums', async () => {
    const { groups } = await open('layouts.h5');
    const { growing, ...others } = Object.fromEntries(groups.get('chunked')!.datasets);
    expect(growing!.toArray()).toEqual([0, 1, 2, 3, 4]);
    expect(Object.keys(others)).toEqual(['all', 'checked', 'deflated', 'plain']);
    for (const value of Object.values(others)) {
      expect(value.shape).toEqual([11, 7, 3]);
      expect([...value.data]).toEqual(X);
    }
    // Those that do not lie beside each other in a tree of one node.
    const many = [...groups.get('many')!.datasets].map(([name, value]) => [name, value.item()]);
    expect(Object.fromEntries(many)).toEqual(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`d${i}`, i])));
  });

  test("the newest layout, and a block of a user's own before the file", async () => {
    const { groups } = await open('latest.h5');
    const vars = groups.get('layers')!.groups.get('dense')!.groups.get('vars')!;
    expect([vars.attributes.get('name'), [...vars.datasets.get('0')!.data]]).toEqual(['dense', X]);
    expect([...(await open('block.h5')).datasets.get('x')!.data]).toEqual(X);
  });

  test.each([
    ['soft.h5', /the link "b" to another place. Save it again/],
    ['external.h5', /the link "b" to another place/],
    ['cycle.h5', /\/a\/b: expected each part to be linked once/],
    ['twice.h5', /\/b: expected each part to be linked once/],
    ['raw.h5', /\/a: expected elements in the file itself, received such in other files/],
    ['virtual.h5', /\/v: expected elements in the file itself/],
    ['lzf.h5', /expected filters deflate, shuffle and fletcher32, received the filter 32000/],
    ['complex.h5', /numbers of a type that weights have, received HDF5 type 6/],
    ['custom.h5', /numbers of a type that weights have, received HDF5 type 1 of 4 bytes/],
    ['words.h5', /expected numbers, received texts/],
    ['unwritten.h5', /a data set that was never written/],
    ['sparse.h5', /a data set that was never written/],
    ['many.h5', /received such in a heap, as libver="latest" writes/],
    ['large.h5', /expected integers within int32, received 2147483648/],
  ])('%s is refused', async (name, message) => {
    await expect(open(name)).rejects.toThrow(FormatError);
    await expect(open(name)).rejects.toThrow(message);
  });
});

test('a file that is cut off at any byte is refused, or as it was', async () => {
  const bytes = bytesOf('hdf5/latest.h5');
  const whole = flat(await read(bytes));
  for (let end = 0; end < bytes.length; end++) {
    const outcome = await read(bytes.subarray(0, end)).then(flat, (error: unknown) => error);
    if (!(outcome instanceof FormatError)) expect([end, outcome]).toEqual([end, whole]);
  }
});

test('a chunk that is not as its checksum says', async () => {
  const bytes = bytesOf('hdf5/layouts.h5');
  const { length } = bytes;
  let refused = 0;
  for (let at = 1000; at < length; at += 331) {
    const damaged = bytes.slice();
    damaged[at]! ^= 0x10;
    const outcome = await read(damaged).then(
      () => null,
      (error: unknown) => error,
    );
    if (outcome !== null) expect(outcome).toBeInstanceOf(FormatError);
    if (outcome instanceof FormatError && /checksum fits/.test(outcome.message)) refused++;
  }
  expect(refused).toBeGreaterThan(0);
});

test('a shuffle of elements of another size than these, which would be walked byte by byte, is refused at once', async () => {
  const bytes = bytesOf('hdf5/layouts.h5');
  const name = Buffer.from(bytes).indexOf('shuffle');
  // Behind the name, which has eight bytes, is the size of an element.
  new DataView(bytes.buffer).setUint32(name + 8, 0xffffffff, true);
  await expect(read(bytes)).rejects.toThrow(/expected a shuffle of elements of 4 bytes, received 4294967295/);
});
