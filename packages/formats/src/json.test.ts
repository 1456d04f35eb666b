import { FormatError } from '@recurra/tensor';
import { readJson } from './json.js';

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
