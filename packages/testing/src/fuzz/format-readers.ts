import { pytorchWeights, readSafetensors, safetensorsHeader, sniffFormat, writeSafetensors } from '@recurra/formats';
import { FormatError, type Tensor, ValueError, zeros } from '@recurra/tensor';
import fc from 'fast-check';
import { FILE, type FormatReader, type Golden } from './format-reader.js';
import { NAMES, operate, surgery } from './json-surgery.js';
import { changed, changes, type MetadataRange } from './mutation.js';
import { tfjsReader } from './tfjs-reader.js';

/** Files with some bytes changed, or as they are. */
function damagedFiles(files: readonly Uint8Array[], range: MetadataRange): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...files), changes)
    .map(([file, list]) => list.reduce((bytes, change) => changed(bytes, change, range), file));
}

function expectThat(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

const bitsOf = (value: Tensor): string => {
  const { buffer, byteOffset, byteLength } = value.data as Float32Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
};

/** What is read holds no more elements than the file has bytes, and is the same when it is written and read again. */
function readAgain(bytes: Uint8Array): void {
  const { tensors, metadata } = readSafetensors(bytes, { name: FILE });
  const elements = [...tensors.values()].reduce((n, { size }) => n + size, 0);
  expectThat(elements <= bytes.length, `expected at most ${bytes.length} elements, received ${elements}`);
  expectThat(safetensorsHeader(bytes).entries.length === tensors.size, 'expected as many tensors as the header has');
  let written: Uint8Array;
  try {
    written = writeSafetensors(tensors, { metadata: Object.fromEntries(metadata) });
  } catch (error) {
    // Halves of surrogate pairs, as escapes in a header.
    if (error instanceof ValueError && /names that a file can hold|metadata that UTF-8/.test(error.message)) return;
    throw error;
  }
  const again = readSafetensors(written, { name: FILE });
  const described = (all: ReadonlyMap<string, Tensor>): string =>
    JSON.stringify([...all].map(([name, t]) => [name, t.dtype, t.shape, bitsOf(t)]).sort());
  expectThat(
    described(again.tensors) === described(tensors),
    'expected the same tensors when they are written and read again',
  );
  const texts = (all: ReadonlyMap<string, string>): string => JSON.stringify([...all].sort());
  expectThat(texts(again.metadata) === texts(metadata), 'expected the same metadata');
}

const SAFETENSORS = [
  'safetensors/dtypes.safetensors',
  'pytorch/tagger.safetensors',
  'pytorch/gru.safetensors',
  'text_lstm.safetensors',
];

/** Files that are sniffed at alone. */
const OTHERS = ['pytorch/gru.json', 'text_lstm.keras', 'text_lstm.weights.h5'];

const headerEnd = (bytes: Uint8Array): number => 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const headerRange: MetadataRange = (bytes) => [0, Math.min(bytes.length, headerEnd(bytes))];

/** Files whose header is JSON of the right length, and says something else. */
const otherHeaders = (files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.constantFrom(...files), fc.array(surgery, { maxLength: 2 })).map(([file, cuts]) => {
    const end = headerEnd(file);
    const text = cuts.reduce((json, cut) => operate(json, cut), new TextDecoder().decode(file.subarray(8, end)));
    const header = new TextEncoder().encode(text);
    const length = new Uint8Array(8);
    new DataView(length.buffer).setUint32(0, header.length, true);
    return Uint8Array.from(Buffer.concat([length, header, file.subarray(end)]));
  });

const safetensors = (files: readonly Uint8Array[]): FormatReader => ({
  name: 'safetensors',
  files: fc.oneof(damagedFiles(files, headerRange), otherHeaders(files), fc.uint8Array({ maxLength: 64 })),
  read: readAgain,
});

const roles = fc.constantFrom('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_hr');
const tensorNames = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(roles, fc.constantFrom('_l0', '_l0', '_l1', '_l0_reverse', '_l1_reverse', '_l9999', ''))
      .map((p) => p.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom('weight', 'bias', 'embeddings', '.', 'weight.', ...NAMES.slice(1)) },
);
const shapes = fc.oneof(
  fc.constantFrom<number[]>([16, 4], [16, 3], [12, 4], [12, 3], [4, 4], [16, 8], [12, 8]),
  fc.constantFrom<number[]>([16], [12], [4], [], [0], [0, 4], [2, 2, 2]),
);
const tensors = fc
  .array(
    fc.tuple(
      fc.constantFrom('', '', 'a.', 'a.b.'),
      tensorNames,
      shapes,
      fc.constantFrom('float32', 'float32', 'float64', 'int32'),
    ),
    {
      maxLength: 10,
    },
  )
  .map(
    (list) => new Map(list.map(([prefix, name, shape, dtype]) => [prefix + name, zeros(shape, dtype as 'float32')])),
  );

/** State dicts of the golden files with some tensors more, other or gone. */
const stateDicts = (files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(null, ...files), tensors, fc.array(fc.nat(30), { maxLength: 2 }))
    .map(([file, more, gone]) => {
      const state = file ? new Map(readSafetensors(file).tensors) : new Map<string, Tensor>();
      const names = [...state.keys()];
      for (const at of gone) state.delete(names[at] ?? '');
      return writeSafetensors(new Map([...state, ...(file && gone.length > 0 ? [...more].slice(0, 1) : more)]));
    });

const pytorch = (files: readonly Uint8Array[]): FormatReader => ({
  name: 'pytorch',
  files: stateDicts(files),
  read: (bytes) => {
    const { tensors: state } = readSafetensors(bytes, { name: FILE });
    const modules = new Set([
      '',
      'encoder',
      ...[...state.keys()].map((name) => name.slice(0, Math.max(0, name.lastIndexOf('.')))),
    ]);
    let taken = 0;
    let refused = 'no module';
    for (const module of modules)
      for (const kind of [null, 'LSTM', 'Embedding', 'Linear'] as const) {
        try {
          for (const { weights, from, features, units } of pytorchWeights(state, module, { kind })) {
            expectThat(
              from.every((name) => state.has(name)),
              'expected names of tensors that are there',
            );
            expectThat(features > 0 && units > 0, 'expected sizes above 0');
            expectThat(
              weights.every(({ value }) => value.size > 0),
              'expected weights with elements',
            );
            taken++;
          }
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          refused = error.message;
        }
      }
    if (taken === 0) throw new FormatError(`${FILE}: ${refused}`);
  },
});

const sniff = (files: readonly Uint8Array[]): FormatReader => ({
  name: 'sniff',
  files: fc.oneof(damagedFiles(files, headerRange), fc.uint8Array({ maxLength: 600 })),
  read: (bytes) => {
    const format = sniffFormat(bytes);
    if (format === null) throw new FormatError(`${FILE}: none`);
    expectThat(/^[a-z0-9]+$/.test(format), `expected a format, received ${format}`);
  },
});

/** The readers that are tried, with files of a golden folder. */
export function formatReaders(golden: Golden): readonly FormatReader[] {
  const files = SAFETENSORS.map(golden);
  return [safetensors(files), pytorch(files.slice(1)), sniff([...files, ...OTHERS.map(golden)]), tfjsReader(golden)];
}
