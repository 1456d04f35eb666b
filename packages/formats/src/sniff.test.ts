import { readdirSync, readFileSync } from 'node:fs';
import { tensor, ValueError } from '@recurra/tensor';
import { concatenated } from '@recurra/tensor/extend';
import { writeSafetensors } from './safetensors.js';
import { type FileFormat, sniffFormat } from './sniff.js';

const FILES = `${__dirname}/../../testing/golden/files/`;
const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(`${FILES}${name}`));
const text = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

/** A zip of empty members, stored. */
function zipOf(names: readonly string[], comment = ''): Uint8Array {
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const name of names) {
    const head = new Uint8Array(30 + name.length);
    const view = new DataView(head.buffer);
    view.setUint32(0, 0x04034b50, true);
    view.setUint16(26, name.length, true);
    head.set(text(name), 30);
    const entry = new Uint8Array(46 + name.length);
    const of = new DataView(entry.buffer);
    of.setUint32(0, 0x02014b50, true);
    of.setUint16(28, name.length, true);
    of.setUint32(42, at, true);
    entry.set(text(name), 46);
    local.push(head);
    central.push(entry);
    at += head.length;
  }
  const end = new Uint8Array(22 + comment.length);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint32(16, at, true);
  view.setUint16(20, comment.length, true);
  end.set(text(comment), 22);
  return concatenated([...local, ...central, end]);
}

/** A field of protobuf: bytes, or a number below 128. */
const field = (number: number, value: Uint8Array | number): Uint8Array => {
  const tag = [number * 8 + (typeof value === 'number' ? 0 : 2)].flatMap((n) =>
    n < 128 ? [n] : [(n & 0x7f) | 0x80, n >> 7],
  );
  return typeof value === 'number'
    ? Uint8Array.of(...tag, value)
    : concatenated([Uint8Array.of(...tag, value.length), value]);
};
const HDF5 = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0);
const onnx = concatenated([
  field(1, 9),
  field(2, text('keras2onnx')),
  field(7, text('a graph')),
  field(8, Uint8Array.of(16, 17)),
]);

test.each<[string, Uint8Array, FileFormat | null]>([
  ['a .keras file', zipOf(['metadata.json', 'config.json', 'model.weights.h5']), 'keras'],
  [
    'a .keras file with a comment',
    zipOf(['metadata.json', 'config.json', 'model.weights.h5'], 'PK\u0005\u0006 x'.repeat(9)),
    'keras',
  ],
  ['a file of torch.save', zipOf(['archive/data.pkl', 'archive/version']), 'pytorch'],
  ['an older one', Uint8Array.of(0x80, 2, 0x8a, 0x0a), 'pytorch'],
  ['another zip', zipOf(['config.json', 'readme.md']), 'zip'],
  ['an empty zip', zipOf([]), 'zip'],
  ['a zip that is cut off', zipOf(['metadata.json', 'config.json']).subarray(0, 40), 'zip'],
  ['HDF5', HDF5, 'hdf5'],
  ['HDF5 behind a block of the user', concatenated([new Uint8Array(1024), HDF5]), 'hdf5'],
  ['HDF5 where it cannot stand', concatenated([new Uint8Array(1000), HDF5]), null],
  ['safetensors', writeSafetensors({ x: tensor([1, 2]) }), 'safetensors'],
  ['no tensors', writeSafetensors({}), 'safetensors'],
  ['TensorFlow.js', text({ format: 'layers-model', modelTopology: {}, weightsManifest: [] }), 'tfjs'],
  ['TensorFlow.js, indented', text(`\n  ${JSON.stringify({ weightsManifest: [] }, null, 2)}`), 'tfjs'],
  ['other JSON', text({ class_name: 'Sequential' }), 'json'],
  ['JSON with a key twice', text('{"modelTopology":1,"modelTopology":2}'), null],
  ['ONNX', onnx, 'onnx'],
  ['ONNX with functions and metadata', concatenated([onnx, field(14, text('m')), field(25, text('f'))]), 'onnx'],
  ['ONNX that is cut off', onnx.subarray(0, onnx.length - 1), null],
  ['ONNX without a graph', field(1, 9), null],
  ['protobuf of another kind', concatenated([onnx, field(9, 1)]), null],
  ['our checkpoint', text('recurra checkpoint 1\n....'), 'checkpoint'],
  ['nothing', new Uint8Array(0), null],
  ['text', text('the cat sat'), null],
  ['zeros', new Uint8Array(5000), null],
])('%s', (_, bytes, format) => {
  expect(sniffFormat(bytes)).toBe(format);
  // Wherever it lies in its buffer.
  expect(sniffFormat(concatenated([Uint8Array.of(7), bytes, Uint8Array.of(7)]).subarray(1, bytes.length + 1))).toBe(
    format,
  );
});

test('files of the golden references', () => {
  for (const name of readdirSync(FILES)) {
    if (name.endsWith('.safetensors')) expect(sniffFormat(fileOf(name))).toBe('safetensors');
    if (name.endsWith('.h5')) expect(sniffFormat(fileOf(name))).toBe('hdf5');
    if (name.endsWith('.keras')) expect(sniffFormat(fileOf(name))).toBe('keras');
  }
  expect(sniffFormat(fileOf('pytorch/gru.json'))).toBe('json');
});

test('any part of a file has an answer', () => {
  for (const bytes of [onnx, zipOf(['a/data.pkl', 'b']), writeSafetensors({ x: tensor([1]) })])
    for (let n = 0; n < bytes.length; n++) expect(() => sniffFormat(bytes.subarray(0, n))).not.toThrow();
  expect(() => sniffFormat('model.keras' as never)).toThrow(ValueError);
});
