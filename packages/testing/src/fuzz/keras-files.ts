import { readModelFile } from '@recurra/formats';
import { loadModel, type Storage } from '@recurra/layers';
import { toModelFile } from '@recurra/layers/extend';
import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { FILE, type FormatReader, type Golden } from './format-reader.js';
import { spliced, withOtherWords, wordChanges } from './hdf5-damage.js';
import { operate, surgery } from './json-surgery.js';
import { changed, changes, fraction, type MetadataRange } from './mutation.js';
import { membersOf, ZIP_FIELDS, type ZipField, type ZipMember, zipOf } from './zip-files.js';

/** Models that Keras saved, in each of its formats. */
const MODELS = [
  'text_lstm',
  'gru_reset_after',
  'bidirectional_stack',
  'functional_residual',
  'batchnorm_trained_adam',
  'conv_pool',
  'transformer',
  'lstm_trained_momentum',
];

/** Files of HDF5 that h5py wrote: some hold weights in another layout, the others what weights never are. */
const LAYOUTS =
  'layouts block latest soft external cycle twice raw virtual lzf complex words unwritten sparse many large custom deep';

/** Most of what describes a file of HDF5 stands before what it holds. */
const head: MetadataRange = (bytes) => [0, Math.min(bytes.length, 6000)];

/** The directory of an archive stands at its end. */
const directory: MetadataRange = (bytes) => [Math.max(0, bytes.length - 400), bytes.length];

/** Files of HDF5, damaged in all ways that there are. */
function damagedHdf5(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const file = fc.constantFrom(...files);
  return fc.oneof(
    { weight: 1, arbitrary: file },
    {
      weight: 6,
      arbitrary: fc.tuple(file, changes).map(([bytes, list]) => list.reduce((b, c) => changed(b, c, head), bytes)),
    },
    { weight: 6, arbitrary: fc.tuple(file, wordChanges).map(([bytes, list]) => withOtherWords(bytes, list)) },
    { weight: 1, arbitrary: fc.tuple(file, file, fraction).map(([a, b, at]) => spliced(a, b, at)) },
    {
      weight: 1,
      arbitrary: fc.tuple(file, fraction).map(([bytes, at]) => bytes.subarray(0, Math.floor(at * bytes.length))),
    },
    {
      weight: 1,
      arbitrary: fc
        .uint8Array({ maxLength: 600 })
        .map((bytes) => new Uint8Array([...(files[0]?.subarray(0, 8) ?? []), ...bytes])),
    },
  );
}

const CONFIG = 'config.json';
const WEIGHTS = 'model.weights.h5';
const isConfig = ({ name }: ZipMember): boolean => name === CONFIG;

/** A text as the bytes of a member. */
const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);
const replaced = (members: readonly ZipMember[], name: string, bytes: (own: Uint8Array) => Uint8Array): ZipMember[] =>
  members.map((member) => (member.name === name ? { ...member, bytes: bytes(member.bytes) } : member));

/** Names of members that lead out of where they belong, or that objects have by themselves. */
const PATHS = [
  '../config.json',
  '/etc/passwd',
  'C:\\config.json',
  'a/../../b',
  '..\\x',
  '',
  'a\0b',
  '__proto__',
  'assets/../../x',
  'assets/constructor',
  'assets/',
  'ASSETS/x',
  CONFIG,
];

/** Numbers where sizes and counts stand: what would not fit, and what is none. */
const NUMBERS = [
  -1,
  0,
  0.5,
  3,
  1e6,
  1e9,
  2 ** 31,
  2 ** 40,
  1e308,
  null,
  'x',
  [],
  [2],
  true,
  { class_name: 'Lambda', config: {} },
];

/** What a configuration may not be: code, depth, keys of objects. */
const CONFIGS = [
  '{"class_name":"Lambda","config":{"function":{"class_name":"__lambda__","config":{"code":"4wEAAAA="}}}}',
  '{"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[{"module":"keras.layers","class_name":"Lambda","config":{"name":"l","function":"os.system"},"registered_name":null}]},"registered_name":"Sequential"}',
  '{"class_name":"Sequential","config":{"__proto__":{"layers":[]},"constructor":1}}',
  `{"class_name":"Sequential","config":${'{"layers":['.repeat(200)}${']}'.repeat(200)}}`,
  `{"class_name":"Sequential","config":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  '{"class_name":"constructor","config":{}}',
  '{"class_name":"Sequential","config":{"layers":[{"class_name":"__proto__","config":{}}]}}',
  '[]',
  'NaN',
  '',
  '{"class_name":"Sequential","class_name":"Model","config":{}}',
  '\ufeff{}',
];

/** A change to a configuration at one of all its places. */
interface ConfigChange {
  readonly how: 'replace' | 'number' | 'remove' | 'rename' | 'copy' | 'wrap';
  readonly at: number;
  readonly from: number;
  readonly value: unknown;
}

const configChanges: fc.Arbitrary<readonly ConfigChange[]> = fc.array(
  fc.record({
    how: fc.constantFrom<ConfigChange['how']>(
      'replace',
      'number',
      'number',
      'number',
      'remove',
      'rename',
      'copy',
      'wrap',
    ),
    at: fraction,
    from: fraction,
    value: fc.constantFrom(...NUMBERS),
  }),
  { minLength: 1, maxLength: 3 },
);

type Place = readonly [holder: Record<string, unknown>, key: string];

/** All places of a JSON value, from top to bottom. */
function placesOf(value: unknown, into: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return into;
  for (const key of Object.keys(value)) {
    into.push([value as Record<string, unknown>, key]);
    placesOf((value as Record<string, unknown>)[key], into);
  }
  return into;
}

/** A configuration after changes, each of which sees those before it. */
function withOtherConfig(json: string, list: readonly ConfigChange[]): string {
  const root = JSON.parse(json) as unknown;
  for (const { how, at, from, value } of list) {
    const all = placesOf(root);
    const places = how === 'number' ? all.filter(([holder, key]) => typeof holder[key] === 'number') : all;
    const [holder, key] = places[Math.floor(at * places.length)] ?? [];
    const [other, name] = all[Math.floor(from * all.length)] ?? [];
    if (!holder || key === undefined || !other || name === undefined) continue;
    const own = holder[key];
    if (how === 'remove' || how === 'rename') {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      if (how === 'rename' && !Array.isArray(holder)) holder[name] = own;
    } else
      holder[key] = how === 'copy' ? structuredClone(other[name]) : how === 'wrap' ? [own] : structuredClone(value);
  }
  return JSON.stringify(root);
}

/** Archives as Keras writes them, with a configuration or weights that say something else, and with a directory that lies. */
function damagedArchives(files: readonly Uint8Array[], weights: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const file = fc.constantFrom(...files);
  const members = fc.constantFrom(...files.map(membersOf));
  const text = (list: readonly ZipMember[]): string => new TextDecoder().decode(list.find(isConfig)!.bytes);
  const withConfig = (list: readonly ZipMember[], config: string): ZipMember[] =>
    replaced(list, CONFIG, () => encoded(config));
  const member = fc.nat(2);
  return fc.oneof(
    { weight: 1, arbitrary: file },
    {
      weight: 3,
      arbitrary: fc.tuple(file, changes).map(([bytes, list]) => list.reduce((b, c) => changed(b, c, directory), bytes)),
    },
    // The checksums of all that follow fit: what is behind them is reached.
    {
      weight: 8,
      arbitrary: fc
        .tuple(members, fc.array(surgery, { minLength: 1, maxLength: 3 }), fc.boolean())
        .map(([list, cuts, deflated]) =>
          zipOf(
            withConfig(
              list,
              cuts.reduce((json, cut) => operate(json, cut), text(list)),
            ).map((m) => ({ ...m, deflated })),
          ),
        ),
    },
    {
      weight: 20,
      arbitrary: fc
        .tuple(members, configChanges)
        .map(([list, cuts]) => zipOf(withConfig(list, withOtherConfig(text(list), cuts)))),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(members, changes)
        .map(([list, damage]) =>
          zipOf(replaced(list, CONFIG, (own) => damage.reduce((b, c) => changed(b, c, (all) => [0, all.length]), own))),
        ),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(members, damagedHdf5(weights))
        .map(([list, other]) => zipOf(replaced(list, WEIGHTS, () => other))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(members, fc.constantFrom(...CONFIGS))
        .map(([list, config]) => zipOf(withConfig(list, config))),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          members,
          member,
          fc.constantFrom<ZipField>(...ZIP_FIELDS),
          fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xffffffff, 0x7fffffff)),
          fc.boolean(),
        )
        .map(([list, which, field, value, deflated]) =>
          zipOf(list.map((m, i) => ({ ...m, deflated, lies: i === which ? { [field]: value } : {} }))),
        ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(members, fc.constantFrom(...PATHS), fc.boolean())
        .map(([list, name, first]) =>
          zipOf(first ? [{ name, bytes: encoded('x') }, ...list] : [...list, { name, bytes: encoded('x') }]),
        ),
    },
    { weight: 1, arbitrary: fc.tuple(members, fc.nat(70_000)).map(([list, count]) => zipOf(list, count)) },
    { weight: 1, arbitrary: bombs(files) },
  );
}

/** Archives that declare, or hold, a thousand times their size. */
function bombs(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const zeros = new Uint8Array(2 ** 25);
  const list = membersOf(files[0]!);
  const [first] = list;
  const packed = zipOf([{ name: CONFIG, bytes: zeros, deflated: true }]);
  const overlapping = zipOf([
    ...list,
    ...Array.from({ length: 500 }, (_, i) => ({
      name: `assets/${i}`,
      bytes: new Uint8Array(0),
      lies: { at: 0, packed: first!.bytes.length, size: first!.bytes.length },
    })),
  ]);
  return fc.constantFrom(
    packed,
    zipOf([...list, { name: 'assets/zeros', bytes: zeros, deflated: true }]),
    // It says less than it holds.
    zipOf(list.map((m) => (isConfig(m) ? { name: CONFIG, bytes: zeros, deflated: true, lies: { size: 100 } } : m))),
    zipOf(list.map((m) => (m.name === WEIGHTS ? { ...m, bytes: packed } : m))),
    overlapping,
    zipOf([...list, ...Array.from({ length: 2000 }, (_, i) => ({ name: `assets/${i}`, bytes: new Uint8Array(1) }))]),
  );
}

/** The storage of a single file. */
function storageOf(bytes: Uint8Array): Storage {
  const none = async (): Promise<never> => {
    throw new Error('expected the file to be read alone');
  };
  return { read: async () => bytes, write: none, append: none, list: none, remove: none };
}

/** A model of a file is whole: it can be described again, and its weights have the sizes that they say. */
function expectWhole(model: Awaited<ReturnType<typeof loadModel>>): void {
  toModelFile(model);
  for (const { value, path } of model.weights)
    if (value.data.length !== value.shape.reduce((n, size) => n * size, 1))
      throw new Error(`expected ${path} of shape [${value.shape.join()}], received ${value.data.length} elements`);
}

const loaded = async (bytes: Uint8Array): Promise<void> =>
  expectWhole(await loadModel(FILE, { storage: storageOf(bytes) }));

/** Readers of the formats of Keras, tried with files that Keras and h5py wrote. */
export function kerasReaders(golden: Golden): readonly FormatReader[] {
  const of = (ending: string): Uint8Array[] => MODELS.map((name) => golden(`${name}.${ending}`));
  const layouts = LAYOUTS.split(' ').map((name) => golden(`hdf5/${name}.h5`));
  const weights = of('weights.h5');
  const models: ReturnType<typeof loadModel>[] = [];
  return [
    { name: 'keras', files: damagedArchives(of('keras'), [...weights, ...layouts]), read: loaded },
    { name: 'h5', files: damagedHdf5(of('h5')), read: loaded },
    {
      name: 'weights.h5',
      files: damagedHdf5([...weights, ...layouts]),
      read: async (bytes) => {
        const file = await readModelFile(bytes, { label: FILE });
        if (!file.weights && !file.layers) throw new FormatError(`${FILE}: no weights`);
        // Into the model of a file of that length: it may be the one.
        const of = Math.max(
          0,
          weights.findIndex(({ length }) => length === bytes.length),
        );
        models[of] ??= loadModel(golden(`${MODELS[of]}.keras`), { compile: false });
        await (await models[of]).loadWeights(FILE, { storage: storageOf(bytes) });
      },
    },
  ];
}
