import { customNames, customObject, registeredName, registerSerializable, withCustomObjects } from './registry.js';

class Own {
  readonly own = true;
  static fromConfig(): Own {
    return new Own();
  }
}
class Other extends Own {}

test('a class is known by its package and name, and knows it', () => {
  expect(registerSerializable('tests', Own)).toBe(Own);
  expect(registerSerializable('tests', Own)).toBe(Own);
  expect(registeredName(Own)).toBe('tests>Own');
  expect(registeredName(Other)).toBeNull();
  expect(customObject('Own', 'tests>Own')).toBe(Own);
  expect(customObject('tests>Own')).toBe(Own);
  expect(customNames()).toContain('tests>Own');
  // A name without its package could be that of another class.
  expect(customObject('Own')).toBeNull();
  expect(customObject('Own', 'elsewhere>Own')).toBeNull();
});

test('names are those that are given', () => {
  const swap = (x: number): number => -x;
  expect(registerSerializable('tests', swap, 'negated')).toBe(swap);
  expect(registeredName(swap)).toBe('tests>negated');
  class Whole extends Own {}
  registerSerializable('tests>whole', Whole);
  expect(customObject('tests>whole')).toBe(Whole);
});

test('objects of one reading come first, the innermost at once, and go with it', () => {
  withCustomObjects({ Own: Other }, () => {
    expect(customObject('Own', 'tests>Own')).toBe(Other);
    withCustomObjects({ 'tests>Own': Own }, () => expect(customObject('Own', 'tests>Own')).toBe(Own));
    expect(customObject('Own')).toBe(Other);
  });
  expect(customObject('Own')).toBeNull();
  expect(() =>
    withCustomObjects({ Own: Other }, () => {
      throw new Error('within');
    }),
  ).toThrow('within');
  expect(customObject('Own')).toBeNull();
  expect(withCustomObjects(null, () => 1)).toBe(1);
});

test.each<[string, unknown[], RegExp]>([
  ['no package', [Own], /expected the name of a package first, received the class Own/],
  ['an empty package', ['', Own], /expected the name of a package first/],
  ['an instance', ['tests', new Own()], /expected a class or a function/],
  ['nothing', ['tests', undefined], /expected a class or a function, received undefined/],
  ['no name', ['tests', () => 1], /expected a name for what has none itself/],
  ['a name that is taken', ['tests', Other, 'Own'], /"tests>Own", which is registered/],
  ['a class twice', ['again', Own], /the one that is "tests>Own" again, as "again>Own"/],
])('%s is refused', (_, args, message) => {
  expect(() => registerSerializable(...(args as [string, typeof Own]))).toThrow(message);
});

test('only classes and functions are objects of a reading', () => {
  expect(() => withCustomObjects({ Own: 1 }, () => 1)).toThrow(/customObjects: expected an object of classes/);
  expect(() => withCustomObjects([] as never, () => 1)).toThrow(/customObjects: expected an object of classes/);
});
