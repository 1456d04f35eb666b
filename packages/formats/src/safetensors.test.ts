import { readdirSync, readFileSync } from 'node:fs';
import { FormatError, ones, type Tensor, tensor, tensorFromJSON, ValueError, zeros } from '@recurra/tensor';
import { concatenated } from '@recurra/tensor/extend';
import { readSafetensors, safetensorsHeader, writeSafetensors } from './safetensors.js';

const FILES = new URL('../../testing/golden/files/', `file://${__dirname}/`);
const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FILES)));
const jsonOf = (name: string): unknown => JSON.parse(readFileSync(new URL(name, FILES), 'utf8'));

/** A file of any header, with so many bytes of data. */
function fileWith(header: unknown, size: number, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const begin = new Uint8Array(8);
  new DataView(begin.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  return concatenated([begin, text, new Uint8Array(size)]);
}

const info = (shape: readonly number[], begin: number, end: number, dtype: unknown = 'F32'): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('what Python wrote', () => {
  const { tensors: expected } = jsonOf('safetensors/dtypes.json') as { tensors: Record<string, never> };

  test.each(Object.keys(expected))('%s is read as PyTorch reads it', (name) => {
    const { tensors } = readSafetensors(fileOf('safetensors/dtypes.safetensors'));
    const wanted = tensorFromJSON(expected[name]!);
    const found = tensors.get(name)!;
    expect([found.dtype, found.shape]).toEqual([wanted.dtype, wanted.shape]);
    // Object.is, so that -0 and NaN count.
    expect([...found.data]).toEqual([...wanted.data]);
  });

  test('metadata, and the order of the header', () => {
    const { tensors, metadata } = readSafetensors(fileOf('safetensors/dtypes.safetensors'));
    expect([...metadata]).toEqual([
      ['format', 'pt'],
      ['note', 'é\n'],
    ]);
    expect([...tensors.keys()].slice(0, 4)).toEqual(['U64', 'I64', 'F64', 'F32']);
  });

  test('payloads of NaN stay', () => {
    const file = fileWith({ x: info([2], 0, 4, 'F16'), y: info([1], 4, 6, 'BF16'), z: info([1], 6, 10) }, 0);
    const halves = Uint8Array.of(0x01, 0x7e, 0x55, 0xfd, 0x81, 0xff, 1, 2, 0xc0, 0x7f);
    const { tensors } = readSafetensors(concatenated([file, halves]));
    const bits = (name: string): number[] => [...new Uint32Array((tensors.get(name)!.data as Float32Array).buffer)];
    expect(bits('x')).toEqual([0x7fc02000, 0xffaaa000]);
    expect(bits('y')).toEqual([0xff810000]);
    expect(bits('z')).toEqual([0x7fc00201]);
  });

  test.each([
    ['too_large', /expected I64 elements, received 2147483648, which int32 does not reach/],
    ['too_small', /expected I64 elements, received -2147483649, which int32/],
    ['too_large_unsigned', /expected U32 elements, received 4294967295, which int32/],
    ['complex', /tensor "x": expected numbers that float32.*can hold, received C64/],
    ['F4', /received F4\. Convert it/],
  ])('%s is refused', (name, message) => {
    const file = fileOf(`safetensors/refused_${name}.safetensors`);
    expect(() => readSafetensors(file)).toThrow(FormatError);
    expect(() => readSafetensors(file)).toThrow(message);
    expect(safetensorsHeader(file).entries).toHaveLength(1);
  });

  const models = readdirSync(FILES).filter((name) => name.endsWith('.safetensors'));
  test.each(models)('%s is written again byte for byte', (name) => {
    const file = fileOf(name);
    const { tensors } = readSafetensors(file);
    const { cases } = jsonOf(name.replace('.safetensors', '.json')) as { cases: { weights: { name: string }[] }[] };
    for (const weight of cases[0]!.weights)
      expect(tensors.get(weight.name)!.toJSON()).toEqual(tensorFromJSON(weight as never).toJSON());
    expect(tensors.size).toBe(cases[0]!.weights.length);
    expect(writeSafetensors(tensors)).toEqual(file);
  });

  test('a file of PyTorch with metadata is written again byte for byte', () => {
    const file = fileOf('pytorch/tagger.safetensors');
    const { tensors, metadata } = readSafetensors(file);
    expect(writeSafetensors(tensors, { metadata: Object.fromEntries(metadata) })).toEqual(file);
  });
});

describe('writing', () => {
  test('all dtypes, views and odd names come back, in their order; data of larger elements lies first', () => {
    const given: [string, Tensor][] = [
      ['b/bool', tensor([[true, false, true]])],
      ['10', tensor([1.5, -0, Number.NaN, Infinity])],
      ['2', tensor([0.1, 5e-324], { dtype: 'float64' })],
      ['', tensor([-2147483648, 2147483647], { dtype: 'int32' })],
      [
        'ü 😀 "\n',
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]).transpose(),
      ],
      ['none', zeros([0, 3])],
      ['scalar', tensor(2.5)],
      ['constructor', ones([2, 2]).slice([0, 1], [2, 1])],
    ];
    const file = writeSafetensors(new Map(given), { metadata: { 'a key': 'über' } });
    expect(file.length % 8 >= 0 && Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
    const { tensors, metadata } = readSafetensors(file);
    expect([...metadata]).toEqual([['a key', 'über']]);
    expect(new Set(tensors.keys())).toEqual(new Set(given.map(([name]) => name)));
    for (const [name, value] of given) {
      const found = tensors.get(name)!;
      expect([found.dtype, found.shape, [...found.data]]).toEqual([value.dtype, value.shape, [...value.data]]);
    }
    const { entries } = safetensorsHeader(file);
    for (const { begin, dtype } of entries)
      expect(begin % ({ F64: 8, F32: 4, I32: 4, BOOL: 1 } as Record<string, number>)[dtype]!).toBe(0);
    const byPlace = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end).map(({ dtype }) => dtype);
    expect(byPlace).toEqual(['F64', 'F32', 'F32', 'F32', 'F32', 'F32', 'I32', 'BOOL']);
  });

  test('the header has the order that was given', () => {
    const { tensors } = readSafetensors(writeSafetensors({ kernel: zeros([2]), bias: zeros([2]), a: zeros([1]) }));
    expect([...tensors.keys()]).toEqual(['kernel', 'bias', 'a']);
  });

  test('no tensors at all, as Python writes them', () => {
    const file = writeSafetensors({});
    expect([...file]).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 32, 32, 32, 32, 32, 32]);
    expect(readSafetensors(file).tensors.size).toBe(0);
  });

  test('what is read is one’s own: neither the file nor another tensor changes with it', () => {
    const file = writeSafetensors({ x: tensor([1, 2], { dtype: 'float32' }) });
    const { tensors } = readSafetensors(file);
    file.fill(0xff);
    expect([...tensors.get('x')!.data]).toEqual([1, 2]);
  });

  test('a file in the middle of other bytes', () => {
    const file = writeSafetensors({ x: tensor([1.5, 2], { dtype: 'float64' }) });
    const within = concatenated([Uint8Array.of(1, 2, 3), file, Uint8Array.of(4)]).subarray(3, 3 + file.length);
    expect([...readSafetensors(within).tensors.get('x')!.data]).toEqual([1.5, 2]);
  });

  test.each([
    [{ ['__metadata__']: zeros([1]) }, {}, /expected names that a file can hold, received "__metadata__"/],
    [new Map([['__proto__', zeros([1])]]), {}, /received "__proto__"/],
    [{ '\ud800': zeros([1]) }, {}, /names that a file can hold/],
    [{ x: 1 }, {}, /expected "x" to be a tensor, received 1/],
    [[zeros([1])], {}, /expected tensors by their names/],
    [null, {}, /expected tensors by their names/],
    [new Map([[1, zeros([1])]]), {}, /expected a name to be a text/],
    [{}, { metadata: { a: 1 } }, /expected metadata to be an object of texts/],
    [{}, { metadata: { a: '\udc00' } }, /metadata that UTF-8 can hold/],
    [{}, { meta: {} }, /unknown option "meta"/],
  ])('%# is refused', (tensors, options, message) => {
    expect(() => writeSafetensors(tensors as never, options as never)).toThrow(ValueError);
    expect(() => writeSafetensors(tensors as never, options as never)).toThrow(message);
  });
});

describe('hostile files', () => {
  const x = info([2], 0, 8);
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /received 0 bytes, which is too short/],
    ['a length beyond the limit', fileWith({}, 0, 100_000_001n), /at most 100000000 bytes, received one of 100000001/],
    ['a length of 64 bits', fileWith({}, 0, 2n ** 64n - 1n), /received one of 18446744073709551615/],
    ['a length beyond the file', fileWith({}, 0, 3n), /expected a header of 3 bytes, received 2/],
    ['a header that is no object', fileWith('[]', 0), /begins with "\{"/],
    ['a byte order mark', fileWith('\ufeff{}', 0), /begins with "\{"/],
    ['no JSON', fileWith('{"x"', 0), /header: expected JSON, received text that is none/],
    ['text behind it', fileWith('{}x', 0), /expected JSON/],
    ['no UTF-8', concatenated([fileWith('{"', 0, 4n), Uint8Array.of(0xff, 0x7d)]), /expected JSON in UTF-8/],
    [
      'a tensor twice',
      fileWith(`{"x":${JSON.stringify(x)},"\\u0078":${JSON.stringify(x)}}`, 8),
      /each key once in an object, received "x" twice/,
    ],
    [
      'a field twice',
      fileWith('{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
      /received "dtype" twice/,
    ],
    ['__proto__', fileWith(`{"__proto__":${JSON.stringify(x)}}`, 8), /received the key "__proto__"/],
    ['__proto__ in metadata', fileWith('{"__metadata__":{"__proto__":"x"}}', 0), /received the key "__proto__"/],
    ['deep nesting', fileWith(`{"x":${'['.repeat(1e5)}`, 0), /at most 3 levels/],
    [
      'numbers as metadata',
      fileWith({ __metadata__: { a: 1 } }, 0),
      /expected __metadata__ to be texts by names, received 1/,
    ],
    ['metadata that are none', fileWith({ __metadata__: 'x', y: x }, 8), /texts by names, received "x"/],
    [
      'no description',
      fileWith({ x: null }, 0),
      /tensor "x": expected \{ dtype, shape, data_offsets \}, received null/,
    ],
    ['a list for one', fileWith({ x: [1] }, 0), /expected \{ dtype, shape/],
    ['an unknown dtype', fileWith({ x: info([2], 0, 8, 'F99') }, 8), /expected a dtype among BOOL, .*received "F99"/],
    ['a dtype of Object', fileWith({ x: info([2], 0, 8, 'constructor') }, 8), /received "constructor"/],
    ['a dtype that is no text', fileWith({ x: info([2], 0, 8, 7) }, 8), /received 7/],
    [
      'a negative size',
      fileWith({ x: info([-2], 0, 8) }, 8),
      /expected a shape of at most 8 sizes >= 0, received \[-2\]/,
    ],
    ['a size of a fraction', fileWith({ x: info([0.5, 4], 0, 8) }, 8), /expected a shape/],
    [
      'a shape that is no list',
      fileWith({ x: { dtype: 'F32', shape: 2, data_offsets: [0, 8] } }, 8),
      /expected a shape/,
    ],
    ['nine sizes', fileWith({ x: info([1, 1, 1, 1, 1, 1, 1, 1, 2], 0, 8) }, 8), /at most 8 sizes/],
    [
      'sizes beyond all bytes',
      fileWith({ x: info([2 ** 52, 2 ** 52, 2 ** 52], 0, 8) }, 8),
      /received 8\. Header and data/,
    ],
    ['a shape that lies', fileWith({ x: info([3], 0, 8) }, 8), /expected 12 bytes of F32 \[3\], received 8/],
    ['offsets beyond the file', fileWith({ x: info([2], 0, 8) }, 7), /within the 7 of the file's data/],
    ['offsets backwards', fileWith({ x: info([2], 8, 0) }, 8), /tensor "x": expected its bytes within/],
    [
      'one offset',
      fileWith({ x: { dtype: 'F32', shape: [2], data_offsets: [0] } }, 8),
      /expected data_offsets \[begin, end\]/,
    ],
    ['huge offsets', fileWith({ x: info([2], 2 ** 53, 2 ** 53) }, 8), /expected data_offsets/],
    [
      'overlap',
      fileWith({ x: info([2], 0, 8), y: info([2], 4, 12) }, 12),
      /expected its bytes to begin at 8.*received 4\. Tensors overlap/,
    ],
    ['two for one place', fileWith({ x, y: x }, 8), /tensor "y".*Tensors overlap/],
    ['a hole', fileWith({ x, y: info([1], 12, 16) }, 16), /tensor "y": .*There is a hole/],
    ['a hole at the begin', fileWith({ x: info([1], 4, 8) }, 8), /There is a hole/],
    ['bytes behind', fileWith({ x }, 9), /expected an end after \d+ bytes/],
    [
      'a boolean of 2',
      concatenated([fileWith({ x: info([2], 0, 2, 'BOOL') }, 0), Uint8Array.of(1, 2)]),
      /received the byte 2, where true is 1/,
    ],
    ['half a byte', fileWith({ x: info([1], 0, 1, 'F4') }, 1), /expected 0.5 bytes of F4/],
  ])('%s', (_, file, message) => {
    const read = (): unknown => readSafetensors(file, { name: 'a.safetensors' });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^a\.safetensors: /);
  });

  test('a file that is cut off at any byte, or has one too many', () => {
    for (const name of ['safetensors/dtypes.safetensors', 'pytorch/gru.safetensors']) {
      const file = fileOf(name);
      for (let n = 0; n < file.length; n++) expect(() => readSafetensors(file.subarray(0, n))).toThrow(FormatError);
      expect(() => readSafetensors(concatenated([file, new Uint8Array(1)]))).toThrow(FormatError);
    }
  });

  test('names of what objects have by themselves are names', () => {
    const { tensors } = readSafetensors(fileWith({ constructor: x, toString: info([1], 8, 12) }, 12));
    expect([...tensors.keys()]).toEqual(['constructor', 'toString']);
  });

  test.each([[null], ['text'], [new ArrayBuffer(8)], [[1, 2]]])('%p is no file', (value) => {
    expect(() => readSafetensors(value as never)).toThrow(/expected the file to be a Uint8Array/);
    expect(() => safetensorsHeader(value as never)).toThrow(ValueError);
  });
});
