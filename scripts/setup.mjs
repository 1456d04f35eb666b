import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const { packageManager, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const stampFile = join(root, 'node_modules', '.cache', 'recurra-setup.json');

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs a command in the root, showing its output; ends the process with its exit code if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', npm_config_update_notifier: 'false' },
    ...options,
  });
  if (result.error) fail(`${command}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The command line of pnpm in its pinned version: the installed one if it is that version, else through npx. */
export function pnpmCommand() {
  const found = spawnSync('pnpm', ['--version'], { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  return found.status === 0 && `pnpm@${found.stdout.trim()}` === packageManager
    ? ['pnpm']
    : ['npx', '--yes', packageManager];
}

/** Runs pnpm of the pinned version. */
export function pnpm(args, options = {}) {
  const [command, ...first] = pnpmCommand();
  run(command, [...first, ...args], options);
}

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (['node_modules', 'dist', 'generated', 'target'].includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(path).update('\0').update(readFileSync(path));
  return hash.digest('hex');
}

/** A digest of what the installation depends on, and of what the build depends on. */
function digests() {
  const manifests = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', '.npmrc'].map((f) => join(root, f));
  const sources = ['packages', 'apps']
    .flatMap((folder) => [...filesUnder(join(root, folder))])
    .filter(
      (file) =>
        /\.(ts|mjs|json)$/.test(file) &&
        !file.endsWith('.test.ts') &&
        !file.startsWith(join(root, 'packages/testing/golden')),
    )
    .sort();
  return { install: hashOf(manifests), build: hashOf([...manifests, join(root, 'tsconfig.base.json'), ...sources]) };
}

/** Is the native engine built here? (`pnpm build:native`) */
function hasNative() {
  const folder = join(root, 'packages/native/npm');
  return readdirSync(folder).some((name) => existsSync(join(folder, name, `recurra-native.${name}.node`)));
}

/** Installs dependencies and builds all packages, unless nothing changed since that was last done. */
export function setUp() {
  const wanted = Number(/(\d+)\.(\d+)/.exec(engines.node)[1]);
  if (Number(process.versions.node.split('.')[0]) < wanted)
    fail(`Recurra needs Node ${engines.node}, this is ${process.versions.node}.`);
  const now = digests();
  const done = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {};
  if (done.install !== now.install) pnpm(['install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn']);
  if (done.build !== now.build || done.install !== now.install)
    pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only', '--log-prefix=none']);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, JSON.stringify(now));
  if (!hasNative())
    console.log('The native engine is not built (pnpm build:native, which takes cargo): steps run on WebAssembly.');
}
