import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { examplesIn, runExample } from '@recurra/testing';

const root = join(__dirname, '..');

function* markdownUnder(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    if (['node_modules', 'dist', '.vitepress', 'api', 'golden'].includes(name)) continue;
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      // Pages of packages are copies of their READMEs, made when the site is built.
      if (!(name === 'packages' && folder.includes('docs'))) yield* markdownUnder(path);
    } else if (name.endsWith('.md') && name !== 'CHANGELOG.md') yield path;
  }
}

const files = [
  join(root, 'README.md'),
  join(root, 'CONTRIBUTING.md'),
  ...['packages', 'apps', 'docs'].flatMap((f) => [...markdownUnder(join(root, f))]),
];
const examples = files.flatMap((file) =>
  examplesIn(readFileSync(file, 'utf8')).map(
    (example) => [`${relative(root, file)}:${example.line}`, example] as const,
  ),
);

test('every package has a README with an example that checks its output', () => {
  const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'testing');
  for (const name of packages) {
    const own = examplesIn(readFileSync(join(root, 'packages', name, 'README.md'), 'utf8'));
    expect([name, own.some((e) => e.expected.length > 0)]).toEqual([name, true]);
  }
});

test.each(examples)('%s runs and prints what it says', async (_place, example) => {
  const printed = await runExample(example, require);
  if (example.expected.length > 0) expect(printed.slice(0, example.expected.length)).toEqual(example.expected);
});
