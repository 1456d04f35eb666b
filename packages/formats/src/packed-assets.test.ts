import { FormatError } from '@recurra/tensor';
import { packAssets, unpackAssets } from './packed-assets.js';

test('files come back byte for byte, texts and others', () => {
  const assets = new Map([
    ['words.txt', new TextEncoder().encode('\ufeffä\n"天气"')],
    ['a/b.bin', Uint8Array.from({ length: 256 }, (_, i) => i)],
    ['none', new Uint8Array()],
  ]);
  expect(unpackAssets(packAssets(assets), 'm')).toEqual(assets);
});

test.each([
  ['{"../x":"a"}', /m: recurra.assets: expected files with plain relative names, received "..\/x"/],
  ['{"x":1}', /"x": expected a text, or bytes in base64/],
  ['{"x":{"base64":"*"}}', /expected a text, or bytes in base64/],
  ['[]', /expected an object of JSON/],
  ['{"x":"a","x":"b"}', /"x" twice/],
])('%s is refused', (text, message) => {
  expect(() => unpackAssets(text, 'm')).toThrow(FormatError);
  expect(() => unpackAssets(text, 'm')).toThrow(message);
});
