import { columnsOf, harmless, harmlessJson, oneLine, padEnd, padStart } from './terminal.js';

const ESC = '\u001b';
const CSI = '\u009b';

test('what a terminal would obey is shown, in texts and in JSON', () => {
  expect(harmless(`a${CSI}2Jb${ESC}[31mc\u007f\u0085\rd\n\te`)).toBe(
    'a\\u009b2Jb\\u001b[31mc\\u007f\\u0085\\u000dd\n\te',
  );
  expect(harmless('a\u202eb\u2066c\u2028d')).toBe('a\\u202eb\\u2066c\\u2028d');
  expect(oneLine(` a\r\n b\t${CSI}c `)).toBe('a b \\u009bc');
  const value = { text: `a${CSI}2J${ESC}[0m\u007f\n\u202e`, 'k\u0090': 1 };
  const json = harmlessJson(value);
  expect(json).toMatch(/^[ -~]*$/);
  expect(JSON.parse(json)).toEqual(value);
  // What is only unusual stays as it is.
  expect(harmless('\u200f\u0627e\u0301 明天 👩‍👩‍👧')).toBe('\u200f\u0627e\u0301 明天 👩‍👩‍👧');
});

// Unicode Standard Annex 11: wide and fullwidth characters take two columns.
test.each([
  ['weather', 7],
  ['天气', 4],
  ['ａｂ', 4],
  ['ｱｲ', 2],
  ['e\u0301', 1],
  ['한국', 4],
  ['👩‍👩‍👧', 2],
  ['', 0],
])('the columns of %j', (text, columns) => {
  expect(columnsOf(text)).toBe(columns);
  expect(columnsOf(padEnd(text, 9))).toBe(9);
  expect(columnsOf(padStart(text, 9))).toBe(9);
  expect(padStart(text, 1).endsWith(text)).toBe(true);
});
