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

/** Members of a structure with their types, in order, in camelCase. */
function membersOf(source: string, name: string, member: RegExp): [string, string][] {
  const [, body] = new RegExp(`(?:class|struct) ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  const camel = (text: string): string => text.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());
  return [...(body ?? '').matchAll(member)].map(([, field, type]) => [camel(field!), type!]);
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
      const kernels = membersOf(assembly, structure, /^ {2}(\w+): (\w+);$/gm);
      const engine = membersOf(native, capital(name), /^ {4}pub (\w+): (\w+),$/gm);
      expect(words.length).toBeGreaterThan(0);
      expect(kernels.map(([field]) => field)).toEqual(words);
      expect(engine.map(([field]) => field)).toEqual(words);
      // A pointer has the size of an address in memory of WebAssembly; the types agree otherwise.
      expect(engine.map(([, type]) => type)).toEqual(kernels.map(([, type]) => (type === 'usize' ? 'u32' : type)));
      const floats = kernels.filter(([, type]) => type === 'f32').map(([field]) => field);
      expect(layout.floats).toEqual(floats);
    },
  );

  test('numbers are the same everywhere', () => {
    const constant = (text: string): string => text.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
    for (const { name, number } of Object.values(Command)) {
      expect(assembly).toContain(`export const COMMAND_${constant(name)}: i32 = ${number};`);
      expect(native).toContain(`    pub const ${constant(name)}: i32 = ${number};`);
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
