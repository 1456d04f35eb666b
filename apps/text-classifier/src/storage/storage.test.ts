import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabelEncoder } from 'recurra';
import { TextClassifier } from '../classifier.js';
import { encodeFloats } from '../floats.js';
import { buildModel } from '../model.js';
import { Words } from '../words.js';
import { seal } from './seal.js';
import { encodeClassifier, loadClassifier } from './storage.js';

let folder: string;
let path: string;
let whole: Uint8Array;
let classifier: TextClassifier;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'text-classifier-'));
  path = join(folder, 'model.json');
  const words = Words.learn(['the constructor', 'the 天气 __proto__'], 20);
  const architecture = { cell: 'gru', units: 2, layers: 1, bidirectional: true, embedding: 2, dropout: 0 } as const;
  const model = buildModel(architecture, { vocabulary: words.size, maxLength: 3, classes: 2 });
  classifier = new TextClassifier(words, new LabelEncoder(['b', 'a']), model, architecture, 3);
  whole = encodeClassifier(classifier);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function load(bytes: Uint8Array): TextClassifier {
  writeFileSync(path, bytes);
  return loadClassifier(path);
}
const REFUSED = /model.json: expected a file that train --out wrote, received (another|a damaged|one of version)/;

test('what was saved predicts the same', async () => {
  const texts = ['the constructor', '天气', '__proto__ toString'];
  expect(await load(whole).predict(texts)).toEqual(await classifier.predict(texts));
  expect(encodeClassifier(load(whole))).toEqual(whole);
});

test('every flipped bit, missing end and added byte is refused', () => {
  // All bits of what stands around the content, one of each byte of the content.
  const [head, foot] = [200, whole.length - 2];
  for (let i = 0; i < whole.length; i++)
    for (let bit = 0; bit < 8; bit++) {
      if (i >= head && i < foot && bit !== i % 8) continue;
      const flipped = whole.slice();
      flipped[i]! ^= 1 << bit;
      expect(() => load(flipped)).toThrow(REFUSED);
    }
  for (let size = 1; size < whole.length; size += 13) expect(() => load(whole.slice(0, size))).toThrow(REFUSED);
  expect(() => load(Uint8Array.of(...whole, 32))).toThrow(REFUSED);
  expect(() =>
    load(new TextEncoder().encode(JSON.stringify(JSON.parse(new TextDecoder().decode(whole)), null, 2))),
  ).toThrow(REFUSED);
});

interface Content {
  labels: unknown[];
  maxLength: unknown;
  words: unknown[];
  architecture: Record<string, unknown>;
  weights: { path: unknown; shape: unknown[]; data: string }[];
  more?: unknown;
}

// Sealed anew: the checksum is right, the content is not.
test.each<[string, (content: Content) => void, RegExp]>([
  ['an enormous length', (c) => (c.maxLength = 1e9), /maxLength: /],
  ['a length that is no number', (c) => (c.maxLength = '3'), /maxLength: /],
  ['half a step', (c) => (c.maxLength = 2.5), /maxLength: /],
  ['labels in another order', (c) => c.labels.reverse(), /labels in sorted order/],
  ['a renamed label that sorts elsewhere', (c) => (c.labels[0] = 'z'), /labels in sorted order/],
  ['a label twice', (c) => (c.labels[1] = 'a'), /labels: Expected labels that are distinct/],
  ['a label too many', (c) => c.labels.push('c'), /expected shape \[4, 3\]/],
  ['one label', (c) => c.labels.pop(), /labels: /],
  ['a label that is no text', (c) => (c.labels[0] = null), /labels.0: /],
  ['a word twice', (c) => (c.words[0] = c.words[1]), /words: Expected words that are distinct/],
  ['a word too few', (c) => c.words.pop(), /expected shape/],
  ['no words', (c) => (c.words = []), /words: /],
  ['an unknown cell', (c) => (c.architecture['cell'] = 'constructor'), /architecture.cell: /],
  ['another cell', (c) => (c.architecture['cell'] = 'lstm'), /expected shape/],
  ['enormous layers', (c) => (c.architecture['units'] = 1e9), /architecture.units: /],
  ['large layers without their weights', (c) => (c.architecture['units'] = 16_000), /expected shape/],
  ['a dropout of 1', (c) => (c.architecture['dropout'] = 1), /architecture.dropout: /],
  ['something unknown', (c) => (c.more = 1), /more: |Invalid key/],
  ['a weight too few', (c) => c.weights.pop(), /expected 9 weights, received 8/],
  ['another shape', (c) => c.weights[0]!.shape.reverse(), /expected shape/],
  ['another name', (c) => (c.weights[0]!.path = 'x'), /expected the weight/],
  ['elements missing', (c) => (c.weights[0]!.data = c.weights[0]!.data.slice(4)), /characters of base64/],
  ['no base64', (c) => (c.weights[0]!.data = c.weights[0]!.data.replace(/./, '*')), /base64/],
  ['NaN', (c) => (c.weights[0]!.data = notFinite(c.weights[0]!.data, 0x7fc00000)), /finite numbers, received NaN/],
  ['infinity', (c) => (c.weights[0]!.data = notFinite(c.weights[0]!.data, 0x7f800000)), /received Infinity/],
])('wrong content under a right checksum is refused: %s', (_name, change, message) => {
  const { content } = JSON.parse(new TextDecoder().decode(whole));
  change(content);
  expect(() => load(seal('recurra-text-classifier', 2, content))).toThrow(message);
});

function notFinite(base64: string, bits: number): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes.writeUInt32LE(bits, 4);
  return bytes.toString('base64');
}

test('a model that is not finite is not saved', () => {
  expect(() => encodeFloats([1, Number.NaN])).toThrow(/finite numbers, received NaN at 1/);
  expect(() => encodeFloats([1e39])).toThrow(/finite/);
  const { model } = classifier;
  const before = model.getWeights();
  model.setWeights(before.map((w, i) => (i === 2 ? w.mul(Number.NaN) : w)));
  expect(() => encodeClassifier(classifier)).toThrow(/not saved: .*finite numbers, received NaN/);
  model.setWeights(before);
});
