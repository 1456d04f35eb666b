import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../../../..');
const folders = [
  'docs',
  ...['packages', 'apps'].flatMap((parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`)),
];

test.each(folders)('%s: the version says whether a tarball of it is for others', (folder) => {
  const { private: own = false, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
    private?: boolean;
    version: string;
  };
  // `pnpm -r pack` packs private packages, too: the names of their tarballs tell them apart.
  expect(version.endsWith('-private')).toBe(own);
});
