import { FileName } from './file-name.js';

// What Python's format gives.
test.each<[string, number, string]>([
  ['02d', 3, '03'],
  ['02d', 123, '123'],
  ['.4f', 0.123456, '0.1235'],
  ['.2f', 1.005, '1.00'],
  ['08.3f', -1.5, '-001.500'],
  ['+.1e', 12345.678, '+1.2e+04'],
  ['>6', 3, '     3'],
  ['<6d', 3, '3     '],
  ['^7.2f', 2.5, ' 2.50  '],
  ['*^9d', 42, '***42****'],
  ['%', 0.25, '25.000000%'],
  ['.1%', 0.12345, '12.3%'],
  ['g', 1e-5, '1e-05'],
  ['g', 123456789, '1.23457e+08'],
  ['.3g', 0.00012345, '0.000123'],
  [',d', 1234567, '1,234,567'],
  ['_.1f', 1234567.89, '1_234_567.9'],
  ['', 0.1, '0.1'],
  ['', 1e-7, '1e-07'],
  ['.3', 1234.5, '1.23e+03'],
  ['05', -3, '-0003'],
  [' d', 7, ' 7'],
  ['=+6d', 5, '+    5'],
  ['.2f', Number.NaN, 'nan'],
])('{v:%s} of %p is %p', (spec, value, expected) => {
  expect(new FileName('t', spec === '' ? '{v}' : `{v:${spec}}`).of({ v: value })).toBe(expected);
});

test('names come from epoch, batch and logs, in either spelling; doubled braces are braces', () => {
  const name = new FileName('t', 'a/{epoch:02d}-{val_loss:.2f}-{valPrecision_1:.1f}-{{x}}.ckpt');
  expect(name.of({ epoch: 7, valLoss: 0.256, valPrecision_1: 0.5 })).toBe('a/07-0.26-0.5-{x}.ckpt');
});

test.each([
  ['{epoch', /expected \{name\} or \{name:format\}/],
  ['epoch}', /expected \{name\} or \{name:format\}/],
  ['{}', /expected \{name\} or \{name:format\}/],
  ['{epoch:xyz}', /a format of numbers such as 02d or .4f for epoch, received "xyz"/],
  ['{epoch:.2d}', /without precision/],
])('%s is refused', (template, message) => {
  expect(() => new FileName('ModelCheckpoint', template)).toThrow(message);
});

test('a name that there is not, and a part of a whole number, are refused', () => {
  expect(() => new FileName('t', '{valLoss:.2f}').of({ epoch: 1, loss: 2 })).toThrow(
    /expected names among epoch, loss, received \{valLoss\}/,
  );
  expect(() => new FileName('t', '{loss:d}').of({ loss: 0.5 })).toThrow(
    /expected an integer for \{loss:d\}, received 0.5/,
  );
});
