/**
 * The native engine's tests under ThreadSanitizer, on Linux x64: threads that touch the same bytes without having met. The standard library is compiled with it, too, since what
 * it does not see of locks and channels would be reported: that takes the sources and the compiler of one version, which Debian has (`rust-web-src`, `rustc-web`), and the
 * sanitizer's library and a linker of rustup's toolchain. It knows accesses of at most 16 bytes: what is checked is the portable instruction set, whose work is shared among threads
 * as that of the others is. Commands with wrong words (`tests/bounds.rs`) are left out: they race because they are wrong. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { counted, DEBIAN_COMPILER, finish, NATIVE_RESULT, NATIVE_TESTS, shown } from './counted.mjs';
import { root, run } from './setup.mjs';

const TARGET = 'x86_64-unknown-linux-gnu';
const cwd = join(root, 'packages/native');
const folder = join(cwd, 'target/races');

/** Where a toolchain has its libraries for the target. */
const librariesOf = (rustc) =>
  spawnSync(rustc, ['--print', 'sysroot'], { encoding: 'utf8' }).stdout?.trim().concat(`/lib/rustlib/${TARGET}`) ?? '';
const found = librariesOf('rustc');
const runtime =
  existsSync(join(found, 'lib')) && readdirSync(join(found, 'lib')).find((name) => name.endsWith('_rt.tsan.a'));
if (!runtime || !existsSync(DEBIAN_COMPILER)) {
  console.error(`expected rustup's toolchain (with its *_rt.tsan.a, in ${found}/lib) and ${DEBIAN_COMPILER}`);
  process.exit(2);
}

/** A linker that adds the sanitizer to programs alone: cargo gives all that it links for a target the same arguments, a library that is loaded, too. */
function linker() {
  mkdirSync(folder, { recursive: true });
  // Its name tells rustc which arguments it takes.
  const file = join(folder, 'races-gcc');
  const lines = [
    '#!/bin/bash',
    'all="$*"',
    `for argument in "$@"; do case "$argument" in @*) all+=" $(tr "\\n\\"" "  " <"\${argument#@}")" ;; esac; done`,
    'case " $all " in',
    '  *" -shared "*) exec cc "$@" ;;',
    `  *races/${TARGET}/*) exec cc "$@" -Wl,--whole-archive "${join(found, 'lib', runtime)}" -Wl,--no-whole-archive -rdynamic -lm -ldl -lresolv -lrt -lc -B"${found}/bin/gcc-ld" -fuse-ld=lld ;;`,
    'esac',
    'exec cc "$@"',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  chmodSync(file, 0o755);
  return file;
}

run(process.execPath, ['packages/kernels/scripts/generate.mjs']);
const env = {
  ...process.env,
  RUSTC: DEBIAN_COMPILER,
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: '-Zsanitizer=thread -Zexternal-clangrt',
  CARGO_PROFILE_RELEASE_STRIP: 'none',
  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER: linker(),
  // Its memory is laid out for addresses that are not drawn at random.
  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER: 'setarch -R',
  RECURRA_SIMD: 'portable',
};
const tests = [...NATIVE_TESTS.filter((argument) => argument !== '--tests'), '--test', 'commands'];
const where = ['-Zbuild-std', '--target', TARGET, '--target-dir', folder];
finish(counted(shown('cargo', [...tests, ...where, '--', '--test-threads=1'], { cwd, env }), NATIVE_RESULT));
