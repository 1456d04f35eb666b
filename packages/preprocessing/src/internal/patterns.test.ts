import { FormatError } from '@recurra/tensor';
import { checkPattern, KNOWN } from './patterns.js';

test.each([
  '(a+)+$',
  '(a|a)*b',
  '(a|aa)+',
  'a+b',
  '\\s+$',
  '\\s*\\s*x',
  '(?:a+)b',
  '(?:x|a+)b',
  '(a{1,100})b',
  '(a)\\1',
  '(?=a+)a',
  '(?<n>a)',
  '(a{2,}){3}',
  'a?'.repeat(30) + 'a'.repeat(30),
  '(?:a|b|c)(?:a|b|c)'.repeat(8),
  '[a',
  'a)',
  '(a',
  'x'.repeat(5000),
])('%s is refused', (pattern) => {
  expect(() => checkPattern('test', pattern)).toThrow(FormatError);
});

test.each([
  ' {2,}',
  '\\s+',
  '[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+',
  "'s|'t| ?\\p{L}+",
  '\\p{N}{1,3}',
  '\\d',
  '(a|b)',
  'a?b+',
  '[+*]x',
  '\\+b',
])('%s takes linear time', (pattern) => {
  expect(() => checkPattern('test', pattern)).not.toThrow();
  const start = performance.now();
  for (const c of ['a', ' ', 'b', "'", '1', 'é']) `${c.repeat(50_000)}!`.match(new RegExp(pattern, 'gu'));
  expect(performance.now() - start).toBeLessThan(2000);
});

test.each([...KNOWN])('%s, which is known, takes linear time', (pattern) => {
  expect(() => checkPattern('test', pattern)).not.toThrow();
  // Node 20 has no flags within patterns; the package for tokenizers rewrites them.
  const regex = new RegExp(pattern.replaceAll('(?i:', '(?:'), 'gu');
  const start = performance.now();
  for (const c of ['a', 'A', 'Aa', ' ', '\n', ' \n', '\t', "'", '1', '\u4e00', 'e\u0301', '!', ' !'])
    for (const end of ['', '!', 'a', '\n']) `${c.repeat(50_000)}${end}`.match(regex);
  expect(performance.now() - start).toBeLessThan(10_000);
});
