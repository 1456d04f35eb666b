/**
 * `pnpm dev`: types and tests while one works. `tsc -b --watch` builds what changed; Jest runs the tests of what changed since the last commit (arguments go to
 * Jest: `pnpm dev packages/optim`). Ctrl-C ends both.
 */
import { spawn } from 'node:child_process';
import { root } from './setup.mjs';

const binary = (name) => new URL(`../node_modules/.bin/${name}`, import.meta.url).pathname;
const run = (name, ...args) => spawn(binary(name), args, { cwd: root, stdio: ['inherit', 'inherit', 'inherit'] });
const processes = [
  run('tsc', '-b', '--watch', '--preserveWatchOutput', '--pretty'),
  run('jest', '--watch', ...process.argv.slice(2)),
];
for (const one of processes)
  one.on('exit', (code) => {
    for (const other of processes) other.kill();
    process.exitCode ??= code ?? 1;
  });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => processes.map((one) => one.kill(signal)));
