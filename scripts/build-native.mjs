/**
 * `pnpm build:native [--platform NAME] [--zig]`: builds the native engine with cargo, where that is there, and puts the binary into the package of its platform: this
 * machine's, or another one's for which Rust has its standard library. `--zig`: with cargo-zigbuild, against the oldest glibc that the platform's Node runs with.
 * Programs that have `@recurra/native` among their dependencies then run on it (here: the benchmark and `packages/testing`). Without cargo it says so in one line, and
 * everything runs on WebAssembly as before.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { binaryOf, targets } from './native-targets.mjs';
import { pnpm, root, run } from './setup.mjs';

const folder = join(root, 'packages/native');
const LIBRARY = { linux: 'librecurra_native.so', darwin: 'librecurra_native.dylib', win32: 'recurra_native.dll' };

const output = (command, args) => spawnSync(command, args, { encoding: 'utf8' }).stdout?.trim() ?? '';

/** A library that is loaded cannot bring a C library of its own. */
export const MUSL_FLAGS = '-C target-feature=-crt-static';

/** What rustc builds for without being told. */
const host = () => /^host: (.*)$/m.exec(output('rustc', ['--version', '--verbose']))?.[1] ?? '';

/**
 * The environment in which cargo builds and tests for a target of Rust: with a compiler that has its standard library (on Debian its own, beside that of rustup), and the
 * linker and the emulator of another processor.
 */
export function crossEnvironment(target) {
  const has = (rustc) => {
    const library = output(rustc, ['--print', 'target-libdir', '--target', target]);
    return library !== '' && existsSync(library);
  };
  const compilers = [process.env.RUSTC, 'rustc', '/usr/bin/rustc'].filter(Boolean);
  const rustc = compilers.find(has);
  if (!rustc)
    throw new Error(`expected the standard library of Rust for ${target}, found none with ${compilers.join(', ')}`);
  const environment = { ...process.env, RUSTC: rustc };
  if (target === 'aarch64-unknown-linux-gnu' && process.arch !== 'arm64') {
    environment.CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER = 'aarch64-linux-gnu-gcc';
    // Without -L: beside the libraries of a cross compiler, the loader would take those of another build of glibc, whose threads do not start.
    environment.CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER = 'qemu-aarch64';
  }
  if (target.endsWith('-musl')) environment.RUSTFLAGS = `${process.env.RUSTFLAGS ?? ''} ${MUSL_FLAGS}`.trim();
  return environment;
}

/** Builds the engine for a platform, and puts the binary into its package. */
export function buildNative(platform, { zig = false } = {}) {
  const target = targets[platform]?.rust;
  if (!target) throw new Error(`expected a platform of ${Object.keys(targets).join(', ')}, received ${platform}`);
  run(process.execPath, ['packages/kernels/scripts/generate.mjs']);
  const glibc = zig && targets[platform].glibc ? `.${targets[platform].glibc}` : '';
  // What is built for this machine lies where cargo alone would put it.
  const isCross = zig || target !== host();
  const where = isCross ? ['--target', `${target}${glibc}`] : [];
  const args = [zig ? 'zigbuild' : 'build', '--release', '--locked', '--quiet', ...where];
  run('cargo', args, { cwd: folder, ...(isCross ? { env: crossEnvironment(target) } : {}) });
  const binary = binaryOf(platform);
  // A process that runs keeps the file that it has loaded.
  rmSync(binary, { force: true });
  const built = join(folder, 'target', isCross ? target : '', 'release', LIBRARY[platform.split('-')[0]]);
  copyFileSync(built, binary);
  console.log(`built the native engine for ${platform}`);
}

/** The platform of this machine. */
function here() {
  const target = host();
  const found = Object.keys(targets).find((platform) => targets[platform].rust === target);
  if (!found)
    throw new Error(
      `expected a machine of ${Object.values(targets)
        .map(({ rust }) => rust)
        .join(', ')}, found ${target}`,
    );
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { platform, zig } = parseArgs({ options: { platform: { type: 'string' }, zig: { type: 'boolean' } } }).values;
  if (spawnSync('cargo', ['--version']).status !== 0) {
    console.log('cargo is not here: the native engine is not built, steps run on WebAssembly.');
    process.exit(platform ? 1 : 0);
  }
  buildNative(platform ?? here(), { zig });
  pnpm(['exec', 'tsc', '-b', 'packages/native']);
}
