import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { folderDataset, ReadError } from '../index.js';

const base = mkdtempSync(join(tmpdir(), 'recurra-folder-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** A folder with these files. */
function folderOf(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(base, name, file)), { recursive: true });
    writeFileSync(join(base, name, file), text);
  }
  return join(base, name);
}
const ten = Object.fromEntries(
  ['a', 'b'].flatMap((label) => [0, 1, 2, 3, 4].map((i) => [`${label}/${i}.txt`, `${label}${i}`])),
);
const texts = async (...args: Parameters<typeof folderDataset>): Promise<string[]> =>
  (await folderDataset(...args).toArray()).map((f) => `${f.label}:${f.text}`);

test.each([/\.txt$/, /\.txt$/g, /\w\.txt/gy, /\.TXT$/gi, /^\d.*/y])(
  'a pattern finds every file, whatever its flags: %s',
  async (pattern) => {
    const folder = folderOf('ten', ten);
    for (let pass = 0; pass < 2; pass++) expect(await texts(folder, { pattern })).toHaveLength(10);
    expect(pattern.lastIndex).toBe(0);
    const files = Object.entries(ten).map(([name, text]) =>
      Object.defineProperty(new File([text], name.split('/')[1]!), 'webkitRelativePath', { value: `ten/${name}` }),
    );
    expect(await texts(files, { pattern })).toHaveLength(10);
  },
);

test('links to folders and files are followed, not in circles', async () => {
  const real = folderOf('real', { 'one.txt': 'linked', 'two.txt': 'linked too' });
  const folder = folderOf('links', { 'a/1.txt': 'plain' });
  symlinkSync(real, join(folder, 'b'));
  symlinkSync(join(real, 'one.txt'), join(folder, 'a', '2.txt'));
  symlinkSync(folder, join(folder, 'a', 'up'));
  symlinkSync(join(folder, 'a'), join(folder, 'a', 'self'));
  symlinkSync(join(folder, 'nowhere'), join(folder, 'a', '.#lock'));
  expect(await texts(folder)).toEqual(['a:plain', 'a:linked', 'b:linked', 'b:linked too']);
  expect(await texts(join(folder, 'a', 'up'))).toHaveLength(4);
  symlinkSync(join(folder, 'nowhere'), join(folder, 'a', '9.txt'));
  await expect(texts(folder)).rejects.toThrow(ReadError);
  await expect(texts(folder)).rejects.toThrow(/9\.txt: expected .* can be read/);
});

test('folders within a class belong to it, as in Keras', async () => {
  const files = { 'a/1.txt': '1', 'a/deep/er/2.txt': '2', 'b/3.txt': '3', 'b/x.txt/4.txt': '4', 'loose.txt': 'none' };
  const expected = ['a:1', 'a:2', 'b:3', 'b:4'];
  expect(await texts(folderOf('nested', files))).toEqual(expected);
  const given = Object.entries(files).map(([name, text]) =>
    Object.defineProperty(new File([text], 'f.txt'), 'webkitRelativePath', { value: `nested/${name}` }),
  );
  expect(await texts(given.slice(0, 4))).toEqual(expected);
});

test('mistakes are told', async () => {
  const folder = folderOf('ten', ten);
  expect(await texts(folder, { classNames: ['b'] })).toHaveLength(5);
  await expect(texts(folder, { classNames: ['a', 'c'] })).rejects.toThrow(/none for "c" beside a, b/);
  expect(() => folderDataset(folder, { classNames: 'ab' as never })).toThrow(
    /a list of classNames, received the string "ab"/,
  );
  expect(() => folderDataset(folder, { classNames: ['a', 'a'] })).toThrow(/each of classNames once/);
  expect(() => folderDataset(folder, { pattern: '*.txt' as never })).toThrow(/pattern to be a regular expression/);
  expect(() => folderDataset(folder, { onBadRow: 'zzz' as never })).toThrow(
    "folderDataset: expected onBadRow to be one of 'error', 'skip', 'collect', received \"zzz\"",
  );
  expect(() => folderDataset(folder, { report: {} as never })).toThrow(/report to be a RowReport/);
  expect(() => folderDataset(null as never)).toThrow(
    /the folder to be a path, or the files of a folder, received null/,
  );
  await expect(texts([[1]] as never)).rejects.toThrow(/file 0 to be a File, received \[1\]/);
  await expect(texts(join(base, 'absent'))).rejects.toThrow(ReadError);
});
