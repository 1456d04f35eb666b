/**
 * `pnpm build:native`: builds the native engine with cargo, where that is there, for this machine, and puts the binary into the package of its platform.
 * Programs that have `@recurra/native` among their dependencies then run on it (here: the benchmark and `packages/testing`). Without cargo it says so in one line, and
 * everything runs on WebAssembly as before.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pnpm, root, run } from './setup.mjs';

const folder = join(root, 'packages/native');
const SUFFIX = { linux: '.so', darwin: '.dylib', win32: '.dll' };

/** The platform that rustc builds for here, as napi-rs names it. */
function platform() {
  const { stdout } = spawnSync('rustc', ['--version', '--verbose'], { encoding: 'utf8' });
  const host = /^host: (.*)$/m.exec(stdout)?.[1] ?? '';
  if (process.platform === 'linux') return `linux-${process.arch}-${host.endsWith('musl') ? 'musl' : 'gnu'}`;
  return process.platform === 'win32' ? `win32-${process.arch}-msvc` : `${process.platform}-${process.arch}`;
}

if (spawnSync('cargo', ['--version']).status !== 0) {
  console.log('cargo is not here: the native engine is not built, steps run on WebAssembly.');
  process.exit(0);
}
run(process.execPath, ['packages/kernels/scripts/generate.mjs']);
run('cargo', ['build', '--release', '--locked', '--quiet'], { cwd: folder });
const name = platform();
const target = join(folder, 'npm', name);
if (!existsSync(target)) throw new Error(`expected a package for ${name} under packages/native/npm, found none`);
const library = process.platform === 'win32' ? 'recurra_native' : 'librecurra_native';
const binary = join(target, `recurra-native.${name}.node`);
// A process that runs keeps the file that it has loaded.
rmSync(binary, { force: true });
copyFileSync(join(folder, 'target/release', `${library}${SUFFIX[process.platform]}`), binary);
pnpm(['exec', 'tsc', '-b', 'packages/native']);
console.log(`built the native engine for ${name}`);
