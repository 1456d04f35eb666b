/**
 * The native engine built for the platforms that this machine is none of and rustup brings nothing for: their standard library is compiled from Debian's sources of it
 * (`rust-web-src`, by the compiler of the same version, `rustc-web`), and cargo-zigbuild (PyPI: `cargo-zigbuild`, `ziglang`) brings C libraries and linkers.
 *
 * - musl: the library that Node loads, and cargo's tests, which run here (Debian's `musl`). With `--node COMMAND` (a Node for musl; its loader before it, if that is another than the
 *   system's) the cases that all engines share, too.
 * - macOS: the library that Node loads, linked. Nothing runs.
 * - Windows: compiled, for Microsoft's linker, which is not here. Nothing runs.
 *
 * Arguments: platforms, all of these by default. Some five minutes each on two cores. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MUSL_FLAGS } from './build-native.mjs';
import { counted, DEBIAN_COMPILER, finish, NATIVE_RESULT, NATIVE_TESTS, shown } from './counted.mjs';
import { binaryOf, targets } from './native-targets.mjs';
import { root, run } from './setup.mjs';

const cwd = join(root, 'packages/native');
const folder = join(cwd, 'target/targets');
const here = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
const STD = ['-Zbuild-std', '--target-dir', folder];
// Rust's own tool for stripping another system's binaries is not in Debian's package.
const env = { ...process.env, RUSTC: DEBIAN_COMPILER, RUSTC_BOOTSTRAP: '1', CARGO_PROFILE_RELEASE_STRIP: 'none' };

/** Runs cargo for a target of Rust: one check, that it ends well. */
function builds(what, args, more = {}) {
  const { ok } = shown('cargo', args, { cwd, env: { ...env, ...more } });
  console.log(`${ok ? 'ok' : 'FAILED'}: ${what}`);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

/** The library that Node loads. */
const library = (platform, more) =>
  builds(
    `${platform}: built and linked`,
    ['zigbuild', '--release', '--locked', ...STD, '--target', targets[platform].rust],
    more,
  );

/** Cargo's tests, in a target's own programs. */
const ran = (target, more) =>
  counted(
    shown('cargo-zigbuild', [...NATIVE_TESTS, ...STD, '--target', target], { cwd, env: { ...env, ...more } }),
    NATIVE_RESULT,
  );

/** The shared cases, in a Node for musl that finds the engine where its package has it. */
function cases(platform, node) {
  const binary = binaryOf(platform);
  if (existsSync(binary)) throw new Error(`expected no binary at ${binary}, which this check would replace`);
  try {
    copyFileSync(join(folder, targets[platform].rust, 'release/librecurra_native.so'), binary);
    const [command, ...first] = node.split(' ');
    const args = [...first, 'packages/testing/dist/engines/cli.js', 'native'];
    return counted(shown(command, args), /^(\d+) passed, (\d+) failed$/gm);
  } finally {
    rmSync(binary, { force: true });
  }
}

const SHARED = { RUSTFLAGS: MUSL_FLAGS };
const CHECKS = {
  'linux-x64-musl': (platform, node) => [
    library(platform, SHARED),
    ran(targets[platform].rust, SHARED),
    ...(node ? [cases(platform, node)] : []),
  ],
  'darwin-arm64': (platform) => [library(platform)],
  'darwin-x64': (platform) => [library(platform)],
  'win32-x64-msvc': (platform) => [
    // Without a linker: all of the engine's code is generated all the same.
    builds(`${platform}: compiled`, [
      'rustc',
      '--release',
      '--locked',
      ...STD,
      '--target',
      targets[platform].rust,
      '--lib',
      '--crate-type',
      'rlib',
    ]),
  ],
};

const { values, positionals } = parseArgs({ options: { node: { type: 'string' } }, allowPositionals: true });
const platforms = positionals.length > 0 ? positionals : Object.keys(CHECKS);
const unknown = platforms.filter((platform) => !(platform in CHECKS));
if (unknown.length > 0) {
  console.error(`expected platforms of ${Object.keys(CHECKS).join(', ')}, received ${unknown.join(', ')}`);
  process.exit(2);
}
if (!existsSync(DEBIAN_COMPILER) || !existsSync('/usr/lib/rustlib/src/rust/library') || !here('cargo-zigbuild')) {
  console.error(
    `expected ${DEBIAN_COMPILER} and its sources (rustc-web, rust-web-src), and cargo-zigbuild on the PATH`,
  );
  process.exit(2);
}
run(process.execPath, ['packages/kernels/scripts/generate.mjs']);
finish(...platforms.flatMap((platform) => CHECKS[platform](platform, values.node)));
