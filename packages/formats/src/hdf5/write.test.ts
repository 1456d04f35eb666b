import { FormatError, type Tensor, tensor, zeros } from '@recurra/tensor';
import * as h5wasm from 'h5wasm';
import type { Hdf5Attribute, Hdf5Group } from '../keras/hdf5.js';
import { Budget } from '../limits.js';
import { readHdf5 } from './read.js';
import { writeHdf5 } from './write.js';

const group = (
  attributes: Record<string, Hdf5Attribute> = {},
  datasets: Record<string, Tensor> = {},
  groups: Record<string, Hdf5Group> = {},
): Hdf5Group => ({
  attributes: new Map(Object.entries(attributes)),
  datasets: new Map(Object.entries(datasets)),
  groups: new Map(Object.entries(groups)),
});
const numbered = <T>(count: number, of: (i: number) => T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, of(i)]));

const ROOT = group(
  {
    long: 'x'.repeat(100_000),
    names: ['a', '', 'ünï'],
    nothing: [],
    number: 7,
    numbers: [1, 2.5],
    one: 'hällo',
    zero: -0,
  },
  {
    bool: tensor([true, false, true], { dtype: 'bool' }),
    double: tensor([1e300, -0], { dtype: 'float64' }),
    empty: zeros([0, 3]),
    float: tensor([
      [1.5, -2],
      [Number.POSITIVE_INFINITY, 1e-45],
    ]),
    int: tensor([-(2 ** 31), 7], { dtype: 'int32' }),
    scalar: tensor(2.5),
  },
  {
    // More than a table holds, and more tables than a node of their tree.
    many: group(
      {},
      numbered(700, (i) => tensor(i)),
    ),
    nested: group(
      {},
      {},
      numbered(50, (i) => group({ name: `layer ${i}` })),
    ),
    none: group(),
  },
);

test('the library of the HDF Group reads what was written', async () => {
  const { FS } = await h5wasm.ready;
  FS.writeFile('own.h5', await writeHdf5(ROOT));
  const file = new h5wasm.File('own.h5', 'r');
  const attributes = Object.entries(file.attrs).map(([name, { value }]) => [name, value]);
  expect(Object.fromEntries(attributes)).toEqual({
    ...Object.fromEntries(ROOT.attributes),
    nothing: new Float64Array(0),
    numbers: Float64Array.of(1, 2.5),
  });
  for (const [name, { shape, data }] of ROOT.datasets) {
    const { shape: own, value } = file.get(name) as h5wasm.Dataset;
    expect([name, own]).toEqual([name, [...shape]]);
    const elements = ArrayBuffer.isView(value) ? [...(value as Float32Array)] : [value];
    expect([name, elements.map(Number)]).toEqual([name, [...data].map(Number)]);
  }
  expect((file.get('bool') as h5wasm.Dataset).metadata.enum_type).toMatchObject({ members: { FALSE: 0, TRUE: 1 } });
  const many = file.get('many') as h5wasm.Group;
  expect(many.keys()).toHaveLength(700);
  for (const [name, value] of ROOT.groups.get('many')!.datasets)
    expect((many.get(name) as h5wasm.Dataset).value).toBe(value.item());
  expect((file.get('nested/n49') as h5wasm.Group).attrs['name']!.value).toBe('layer 49');
  expect((file.get('none') as h5wasm.Group).keys()).toEqual([]);
  file.close();
  FS.unlink('own.h5');
});

test('all comes back', async () => {
  const bytes = await writeHdf5(ROOT);
  const again = await readHdf5(bytes, new Budget('test', bytes.length));
  const plain = ({ attributes, datasets, groups }: Hdf5Group): unknown => ({
    attributes: Object.fromEntries(attributes),
    datasets: Object.fromEntries([...datasets].map(([name, { dtype, shape, data }]) => [name, [dtype, shape, data]])),
    groups: Object.fromEntries([...groups].map(([name, child]) => [name, plain(child)])),
  });
  expect(plain(again)).toEqual(plain(ROOT));
});

test('names of a list that an attribute cannot hold are refused', async () => {
  const names = Array.from({ length: 5000 }, (_, i) => `${i}`);
  const writing = async (): Promise<Uint8Array> => writeHdf5(group({}, {}, { layers: group({ names }) }));
  await expect(writing()).rejects.toThrow(FormatError);
  await expect(writing()).rejects.toThrow(
    /HDF5\/layers: attribute "names": expected names and shapes of at most 65528 bytes/,
  );
});
