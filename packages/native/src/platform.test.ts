import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { candidates, PLATFORMS } from './platform.js';

const folder = join(__dirname, '..');
const json = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

test('the binaries that fit a platform', () => {
  expect(candidates('linux', 'x64')).toEqual(['linux-x64-gnu', 'linux-x64-musl']);
  expect(candidates('linux', 'arm64')).toEqual(['linux-arm64-gnu']);
  expect(candidates('darwin', 'arm64')).toEqual(['darwin-arm64']);
  expect(candidates('win32', 'x64')).toEqual(['win32-x64-msvc']);
  expect(candidates('win32', 'arm64')).toEqual([]);
  expect(candidates('linux', 'x')).toEqual([]);
  expect(new Set(PLATFORMS).size).toBe(PLATFORMS.length);
});

// What is built (targets.json), what is looked for, what is published and what is installed.
test('there are packages of all platforms, and of no others', () => {
  expect(Object.keys(json('targets.json'))).toEqual([...PLATFORMS]);
  expect(readdirSync(join(folder, 'npm')).sort()).toEqual([...PLATFORMS].sort());
  expect(Object.keys(json('package.json').optionalDependencies)).toEqual(PLATFORMS.map((p) => `@recurra/native-${p}`));
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const platform of PLATFORMS) expect(readme).toContain(`\`${platform}\``);
});

test.each(PLATFORMS)('the package of %s holds its binary alone, and is installed where it fits alone', (platform) => {
  const manifest = json('npm', platform, 'package.json');
  const [os, cpu, abi] = platform.split('-');
  const binary = `recurra-native.${platform}.node`;
  expect(manifest).toMatchObject({
    name: `@recurra/native-${platform}`,
    main: binary,
    files: [binary],
    os: [os],
    cpu: [cpu],
  });
  expect(manifest.libc).toEqual(os === 'linux' ? [abi === 'musl' ? 'musl' : 'glibc'] : undefined);
  expect(manifest.engines).toEqual(json('package.json').engines);
  expect([manifest.scripts, manifest.dependencies]).toEqual([undefined, undefined]);
});
