import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { readJson, readJsonObject, writeJson } from './json.js';
import type { Json } from './model-file.js';

const label = 'file';

test.each([
  '{}',
  '[1,{"a":[{}]}]',
  '"{\\"a\\":1,\\"a\\":2}"',
  '{"a":"\\\\","b":"\\"a\\":"}',
  ' {"a" : {"a":1}, "b":[{"a":1},{"a":2}]} ',
  'null',
])('%s is what JSON.parse makes of it', (text) => {
  expect(readJson(text, { label })).toEqual(JSON.parse(text));
  expect(readJson(new TextEncoder().encode(text), { label })).toEqual(JSON.parse(text));
});

test.each([
  ['{"a":1,"a":1}', /file: expected each key once in an object, received "a" twice/],
  ['{"a":1,"\\u0061" :1}', /received "a" twice/],
  ['[{"__proto__":1}]', /received the key "__proto__"/],
  ['{"\\u005f_proto__":1}', /received the key "__proto__"/],
  ['[[[[1]]]]', /JSON of at most 3 levels/],
  ['{"a', /expected JSON, received text that is none/],
  ['{"a\\', /expected JSON/],
  ['{"\\x":1}', /expected JSON/],
  ['}}{', /expected JSON/],
  ['', /expected JSON/],
  ['\ufeff{}', /expected JSON/],
])('%s is refused', (text, message) => {
  expect(() => readJson(text, { label, maxDepth: 3 })).toThrow(FormatError);
  expect(() => readJson(text, { label, maxDepth: 3 })).toThrow(message);
});

test("Python's numbers are read where they are asked for, and nowhere in texts and names", () => {
  const text = '[NaN,-Infinity , Infinity,{"NaN":"NaN","a\\"b":[NaN]},1e999,-0.0,"-Infinity"]';
  const read = [
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    { NaN: 'NaN', 'a"b': [Number.NaN] },
    Number.POSITIVE_INFINITY,
    -0,
    '-Infinity',
  ];
  expect(readJson(text, { label, python: true })).toEqual(read);
  expect(readJson('NaN', { label, python: true })).toBeNaN();
  expect(() => readJson(text, { label })).toThrow(FormatError);
});

test.each(['NaN1', 'xNaN', '--Infinity', '{NaN:1}', '[1NaN]', 'Nan', '"a"NaN', '+Infinity', 'InfinityNaN', '[NaN'])(
  '%s is no number of Python',
  (text) => {
    expect(() => readJson(text, { label, python: true })).toThrow(FormatError);
  },
);

test('a text that is too large, and another value than an object', () => {
  expect(() => readJson('[1,2,3]', { label, maxSize: 6 })).toThrow(/at most 6 bytes, received 7/);
  expect(() => readJsonObject('[]', { label })).toThrow(/file: expected an object of JSON/);
  expect(() => readJson('[NaN', { label, python: true })).toThrow(/received text that is none: "\[NaN"/);
});

test('what is written is read again, whatever the texts say', () => {
  const strings = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\u0000number:NaN', 'NaN', '{"__proto__":0}', '"', '\\', '\ud800', 'constructor'),
  );
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.double(),
      fc.integer(),
      strings,
      fc.constantFrom(null, true, false),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(strings, tie('json'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(json, (value) => {
      expect(readJson(writeJson(value), { label, python: true })).toEqual(value);
    }),
    { numRuns: 500 },
  );
  expect(writeJson({ a: 1, b: undefined } as never, (key) => key === 'a')).toBe('{"a":1.0}');
});
