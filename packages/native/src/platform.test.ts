import { candidates, PLATFORMS } from './platform.js';

test('the binaries that fit a platform', () => {
  expect(candidates('linux', 'x64')).toEqual(['linux-x64-gnu', 'linux-x64-musl']);
  expect(candidates('linux', 'arm64')).toEqual(['linux-arm64-gnu']);
  expect(candidates('darwin', 'arm64')).toEqual(['darwin-arm64']);
  expect(candidates('win32', 'x64')).toEqual(['win32-x64-msvc']);
  expect(candidates('win32', 'arm64')).toEqual([]);
  expect(candidates('linux', 'x')).toEqual([]);
  expect(new Set(PLATFORMS).size).toBe(PLATFORMS.length);
});
