import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Record as Records, SELECT } from './generated/commands.js';
import { type Layout, wordsOf } from './layout.js';

const assembly = readFileSync(resolve(__dirname, '../assembly/generated/commands.ts'), 'utf8');

function rust(): string {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-commands-'));
  try {
    const file = join(folder, 'commands.rs');
    execFileSync(process.execPath, [resolve(__dirname, '../scripts/generate.mjs'), file]);
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Members of a structure with their types, in order. */
function membersOf(name: string): [string, string][] {
  const [, body] = new RegExp(`class ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(assembly) ?? [];
  return [...(body ?? '').matchAll(/^ {2}(\w+): (\w+);$/gm)].map(([, field, type]) => [field!, type!]);
}

const constant = (text: string): string => text.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();

/** Names and values of a module of Rust, in order. */
function constantsOf(source: string, name: string): [string, number][] {
  const [, indent, body] =
    new RegExp(`^( *)pub mod ${constant(name).toLowerCase()}_? \\{\\n([\\s\\S]*?)\\n\\1\\}`, 'm').exec(source) ?? [];
  expect(indent).toBeDefined();
  return [...body!.matchAll(/pub const (\w+): \w+ = (\d+);/g)].map(([, key, value]) => [key!, Number(value)]);
}

const capital = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

describe('layouts of commands', () => {
  const native = rust();
  const layouts: [string, Layout, string, string[]][] = [
    ...Object.values(Command).map((c): [string, Layout, string, string[]] => [
      c.name,
      c,
      `${capital(c.name)}Command`,
      ['number', 'length'],
    ]),
    ...Object.values(Records).map((r): [string, Layout, string, string[]] => [r.name, r, capital(r.name), []]),
  ];

  test.each(layouts)(
    '%s has the same words in the same order for kernels, compiler and native engine',
    (name, layout, structure, head) => {
      const words = [...head, ...layout.words];
      const kernels = membersOf(structure);
      expect(words.length).toBeGreaterThan(0);
      expect(kernels.map(([field]) => field)).toEqual(words);
      expect(constantsOf(native.slice(native.indexOf('pub mod word')), name)).toEqual([
        ...layout.words.map((word, i) => [constant(word), i]),
        ['WORDS', layout.words.length],
      ]);
      const floats = kernels.filter(([, type]) => type === 'f32').map(([field]) => field);
      expect(layout.floats).toEqual(floats);
    },
  );

  test('numbers are the same everywhere', () => {
    const numbers = new Map(constantsOf(native, 'command'));
    for (const { name, number } of Object.values(Command)) {
      expect(assembly).toContain(`export const COMMAND_${constant(name)}: i32 = ${number};`);
      expect(numbers.get(constant(name))).toBe(number);
    }
    expect(assembly).toContain(`export const SELECT: i32 = ${SELECT};`);
    expect(native).toContain(`pub const SELECT: i32 = ${SELECT};`);
  });

  test('words come in order, floats as their bits, and what is absent as 0', () => {
    const at = { x: 'x', out: 'out' };
    expect(wordsOf(Command.rows, { kind: 1, count: 2, n: 3, epsilon: 1, ...at })).toEqual([
      1,
      2,
      3,
      'x',
      0,
      'out',
      0x3f800000,
    ]);
    expect(wordsOf(Command.rows, { kind: 1, count: 2, n: 3, epsilon: -0, gradient: null, ...at })[6]).toBe(-(2 ** 31));
  });
});
