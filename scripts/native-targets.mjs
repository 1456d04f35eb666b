/**
 * The platforms that the native engine has binaries for (`packages/native/targets.json`, the only list; `platform.test.ts` compares what repeats it).
 * `--matrix` prints them for the release workflow. `--collect FOLDER` puts the binaries that its jobs have left there, in one folder each, into their packages.
 * `--check` says of each package whether it holds a binary for its platform, and ends with `N passed, N failed`.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

const native = join(root, 'packages/native');

/** By platform, as napi-rs names it: what Rust calls it, the oldest glibc that it must load with (Node 20's own), and where it is built. */
export const targets = JSON.parse(readFileSync(join(native, 'targets.json'), 'utf8'));

/** Where the binary of a platform lies in its package. */
export const binaryOf = (platform) => join(native, 'npm', platform, `recurra-native.${platform}.node`);

const ELF_MACHINES = { 62: 'x64', 183: 'arm64' };
const MACH_MACHINES = { 16777223: 'x64', 16777228: 'arm64' };

/** The system and the processor that a binary is for, by its header: `linux-x64`; or what it begins with. */
function platformOf(file) {
  const bytes = readFileSync(file);
  const at = (offset, read) => (offset + 4 <= bytes.length ? bytes[read](offset) : 0);
  if (at(0, 'readUInt32BE') === 0x7f454c46) return `linux-${ELF_MACHINES[at(18, 'readUInt16LE')]}`;
  if (at(0, 'readUInt32LE') === 0xfeedfacf) return `darwin-${MACH_MACHINES[at(4, 'readUInt32LE')]}`;
  const pe = at(0x3c, 'readUInt32LE');
  if (at(0, 'readUInt16LE') === 0x5a4d && at(pe, 'readUInt32BE') === 0x50450000)
    return `win32-${at(pe + 4, 'readUInt16LE') === 0x8664 ? 'x64' : 'another processor'}`;
  return `something that begins with ${bytes.subarray(0, 4).toString('hex')}`;
}

function check() {
  let [passed, failed] = [0, 0];
  for (const platform of Object.keys(targets)) {
    const file = binaryOf(platform);
    const found = existsSync(file) ? platformOf(file) : 'nothing';
    const fits = platform === found || platform.startsWith(`${found}-`);
    if (fits) passed++;
    else {
      failed++;
      console.log(`FAILED ${platform}: expected its binary at ${file}, received ${found}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}

/** Copies what is there; what is missing is found by the check. */
function collect(folder) {
  for (const file of readdirSync(folder, { recursive: true })) {
    const platform = /^recurra-native\.(.+)\.node$/.exec(basename(file))?.[1];
    if (platform in targets) copyFileSync(join(folder, file), binaryOf(platform));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [what, folder] = process.argv.slice(2);
  if (what === '--collect' && folder !== undefined) {
    collect(resolve(folder));
    process.exitCode = check() ? 0 : 1;
  } else if (what === '--matrix')
    console.log(
      JSON.stringify({ include: Object.entries(targets).map(([platform, rest]) => ({ platform, ...rest })) }),
    );
  else if (what === '--check') process.exitCode = check() ? 0 : 1;
  else {
    console.error(`expected --matrix, --collect FOLDER or --check, received ${what}`);
    process.exitCode = 2;
  }
}
