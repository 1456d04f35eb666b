/** Runners that print how many tests passed and failed, and what those of the native engine are. */
import { spawnSync } from 'node:child_process';
import { root } from './setup.mjs';

/** How cargo tests the native engine, in `packages/native`: kernels and pool without Node. */
export const NATIVE_TESTS = ['test', '--release', '--locked', '--no-default-features', '--lib', '--tests'];
/** Debian's compiler, whose package `rust-web-src` has the sources of its standard library. */
export const DEBIAN_COMPILER = '/usr/bin/rustc';
/** What each of those programs prints at its end. */
export const NATIVE_RESULT = /^test result: .* (\d+) passed; (\d+) failed/gm;
/** For a processor that is emulated: fewer random words than else, and the largest shapes left out. */
export const EMULATED = { RECURRA_CASES: '2000', RECURRA_EMULATED: '1' };

/** Runs a command, shows what it prints, and returns that. */
export function shown(command, args, options) {
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
export function counted({ text, ok }, pattern) {
  const found = [...text.matchAll(pattern)];
  const sum = (k) => found.reduce((all, match) => all + Number(match[k]), 0);
  const [passed, failed] = [sum(1), sum(2)];
  return { passed, failed: failed + (found.length === 0 || (!ok && failed === 0) ? 1 : 0) };
}

/** Prints the sum of counts as the last line, and sets the exit code. */
export function finish(...counts) {
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
