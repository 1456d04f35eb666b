import { checkOptions, type OptionTable } from './extend.js';
import { tensor, ValueError } from './index.js';

interface Common {
  readonly name?: string;
  readonly learningRate?: number;
}
interface Options extends Common {
  readonly units: number;
  readonly returnSequences?: boolean;
}
const COMMON = { name: true, learningRate: true } satisfies OptionTable<Common>;
const OPTIONS = { ...COMMON, units: true, returnSequences: true } satisfies OptionTable<Options>;
const check = (options: unknown) => checkOptions('LSTM', options as Options, OPTIONS);

test('a table that forgets an option, or invents one, does not compile', () => {
  // @ts-expect-error: returnSequences is missing
  const missing = { ...COMMON, units: true } satisfies OptionTable<Options>;
  // @ts-expect-error: size is no option
  const invented = { ...COMMON, units: true, returnSequences: true, size: true } satisfies OptionTable<Options>;
  expect(Object.keys(missing).length).toBeLessThan(Object.keys(invented).length);
});

test('known options pass, own or inherited, and none at all', () => {
  expect(check(undefined)).toBeUndefined();
  expect(check({})).toBeUndefined();
  expect(check(Object.create(null))).toBeUndefined();
  expect(check({ units: 3, name: 'x' })).toBeUndefined();
  expect(check(Object.create({ units: 3 }))).toBeUndefined();
});

test.each([
  ['return_sequences', 'LSTM: unknown option "return_sequences". Did you mean "returnSequences"?'],
  ['lr', 'LSTM: unknown option "lr". Did you mean "learningRate"?'],
  ['unit', 'LSTM: unknown option "unit". Did you mean "units"?'],
  ['constructor', 'LSTM: unknown option "constructor". Known options: name, learningRate, units, returnSequences.'],
  ['toString', 'LSTM: unknown option "toString". Known options: name, learningRate, units, returnSequences.'],
])('an unknown option is refused: %s', (key, message) => {
  expect(() => check({ units: 3, [key]: 1 })).toThrow(new ValueError(message));
});

test('unknown options are found where they are inherited, undefined, or named __proto__', () => {
  expect(() => check(Object.create({ lr: 1 }))).toThrow('unknown option "lr"');
  expect(() => check({ lr: undefined })).toThrow('unknown option "lr"');
  expect(() => check(JSON.parse('{ "__proto__": 1 }'))).toThrow('unknown option "__proto__"');
});

test.each([
  [null, 'null'],
  ['relu', '"relu"'],
  [3, '3'],
  [true, 'true'],
  [[], '[]'],
  [() => 1, 'the function without a name'],
  [new Map([['units', 3]]), 'an instance of Map'],
  [tensor([1]), 'an instance of Tensor'],
])('what is no object of options is refused: %p', (value, words) => {
  expect(() => check(value)).toThrow(new ValueError(`LSTM: expected an object of options, received ${words}`));
});
