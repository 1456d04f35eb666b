import fc from 'fast-check';

/** Names that objects have by themselves. */
export const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'] as const;

/** What stands where something else should. */
const ODD: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  '__proto__',
  '{',
  '{"a": 1}',
  '{"1": "a"}',
  -1,
  0,
  1,
  1.5,
  1e9,
  2 ** 32,
  -0,
  1e308,
  [],
  [1],
  ['a', 'b'],
  {},
  { a: 1 },
];

/** A change to a JSON value. */
export type Surgery = [path: number[], how: string, odd: number];

/** A place in a JSON value, and what is done there: each number chooses among the keys of its level. */
export const surgery: fc.Arbitrary<Surgery> = fc.tuple(
  fc.array(fc.nat(400), { minLength: 1, maxLength: 5 }),
  fc.constantFrom('replace', 'replace', 'remove', 'copy', 'name'),
  fc.nat(ODD.length - 1),
);

/** JSON, changed at one place; texts that hold JSON are gone into. */
export function operate(json: string, [path, how, odd]: Surgery): string {
  const root: unknown = JSON.parse(json);
  const visit = (value: unknown, level: number): unknown => {
    if (level >= path.length) return ODD[odd];
    if (typeof value === 'string' && value.startsWith('{')) {
      try {
        return JSON.stringify(visit(JSON.parse(value), level));
      } catch {
        return ODD[odd];
      }
    }
    if (typeof value !== 'object' || value === null) return ODD[odd];
    const entries = Object.entries(value);
    if (entries.length === 0) return ODD[odd];
    const at = path[level]! % entries.length;
    const [key, inner] = entries[at]!;
    // The last step removes, doubles or renames; all before go deeper.
    if (level === path.length - 1 && how === 'remove') entries.splice(at, 1);
    else if (level === path.length - 1 && how === 'copy') entries[(at + 1) % entries.length]![1] = inner;
    else if (level === path.length - 1 && how === 'name') entries[at] = [NAMES[odd % NAMES.length]!, inner];
    else entries[at] = [key, visit(inner, level + 1)];
    return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
  };
  return JSON.stringify(visit(root, 0));
}
