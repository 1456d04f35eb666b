/**
 * Pages that Vite, esbuild and webpack make of packed `recurra` beside `@recurra/native`, in an empty project: they build without a warning, hold nothing that would
 * look for the native engine, and train in Chromium on WebAssembly. Ends with `N passed, N failed`.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { openInBrowser, pageOf } from './browser.mjs';
import { describeProject, exec, packAll, serve } from './packed.mjs';

const TYPES = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
const PAGE = `
import { Dense, LSTM, Sequential, engine, jit, randomKey, randomNormal, setEngine, setSeed, setThreads, tensor, threads } from 'recurra';
setSeed(1);
const results = [];
const x = randomNormal([16, 5, 3], { key: randomKey(1) });
const model = new Sequential([new LSTM(8), new Dense(1, { activation: 'sigmoid' })]);
model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
const y = Float32Array.from({ length: 16 }, (_, i) => i % 2);
model.fit(x, y, { epochs: 20, verbose: 0 }).then(async ({ history: { loss } }) => {
  results.push(['it trains', loss.at(-1) < loss[0]]);
  const why = 'auto: @recurra/native needs Node, Deno or Bun, and this was bundled for browsers';
  results.push([engine().name + ', ' + engine().reason, engine().name === 'wasm' && engine().reason === why]);
  results.push(['explained', jit((v) => v.mul(2)).explain(tensor([1])).includes('engine: wasm (' + why + ')')]);
  const told = await setEngine('native').catch((error) => error.message);
  results.push([told, /^setEngine\\('native'\\): expected the native engine, but .* Choose 'auto' or 'wasm'\\.$/.test(told)]);
  await setThreads(2);
  const big = randomNormal([400, 400], { key: randomKey(2) });
  await jit((v) => v.matmul(v).tanh().matmul(v))(big);
  results.push(['two threads', threads().count === 2]);
  globalThis.report(results);
});
`;
/** What no page may hold: ways to Node's modules, and to binaries. */
const TRACES = [/createRequire/, /node:module/, /\.node\b["'`]/, /native-(linux|darwin|win32)/, /dlopen/];
const BUILDS = {
  vite: ['npx', ['--no-install', 'vite', 'build', '--outDir', 'out-vite', '--logLevel', 'warn']],
  esbuild: [
    'npx',
    [
      '--no-install',
      'esbuild',
      'main.js',
      '--bundle',
      '--platform=browser',
      '--format=esm',
      '--minify',
      '--outdir=out-esbuild',
      '--log-level=warning',
    ],
  ],
  webpack: [
    'npx',
    [
      '--no-install',
      'webpack',
      '--mode=production',
      '--entry=./main.js',
      '--output-path=out-webpack',
      '--no-performance',
      '--stats=errors-warnings',
    ],
  ],
};
const work = mkdtempSync(join(tmpdir(), 'recurra-bundlers-'));
const packages = packAll(work);
const registry = await serve(packages);
let passed = 0;
let failed = 0;
function check(what, problem) {
  if (problem === '') passed++;
  else failed++;
  console.log(problem === '' ? `ok: ${what}` : `FAILED ${what}: ${problem}`);
}

/** All files of a folder, by path. */
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

try {
  const folder = join(work, 'page');
  mkdirSync(folder);
  const versions = { vite: '^7.0.0', esbuild: '^0.28.0', webpack: '^5.100.0', 'webpack-cli': '^6.0.0' };
  describeProject(folder, registry.url, {
    recurra: `file:${packages.find(({ name }) => name === 'recurra').filename}`,
    '@recurra/native': `^${registry.versions.get('@recurra/native')}`,
    ...versions,
  });
  writeFileSync(join(folder, 'main.js'), PAGE);
  writeFileSync(join(folder, 'index.html'), pageOf('', '<script type="module" src="/main.js"></script>'));
  const installed = await exec('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder });
  check('install', installed.status === 0 ? '' : installed.stderr);
  check(
    '@recurra/native lies beside it',
    existsSync(join(folder, 'node_modules/@recurra/native')) ? '' : 'it does not',
  );
  for (const [name, [command, args]] of Object.entries(BUILDS)) {
    const { status, stdout, stderr } = await exec(command, args, { cwd: folder });
    check(
      `${name} builds without a warning`,
      status === 0
        ? (stdout + stderr).replace(/^webpack.* compiled successfully.*$/m, '').trim()
        : `exit ${status}: ${stderr}${stdout}`,
    );
    if (status !== 0) continue;
    const out = join(folder, `out-${name}`);
    const scripts = filesOf(out).filter((file) => /\.m?js$/.test(file));
    const held = scripts.flatMap((file) =>
      TRACES.filter((trace) => trace.test(readFileSync(file, 'utf8'))).map(String),
    );
    check(`${name}: no trace of the native engine in ${scripts.length} files`, held.join(', '));
    // Vite makes the page too; the others make a script.
    const html = join(out, 'index.html');
    const page = existsSync(html)
      ? readFileSync(html, 'utf8')
      : pageOf('', '<script type="module" src="/main.js"></script>');
    const results = await openInBrowser(
      page,
      (path) => {
        const file = join(out, path);
        return filesOf(out).includes(file) ? { content: readFileSync(file), type: TYPES[extname(file)] } : null;
      },
      90,
    );
    for (const [what, ok] of results) check(`${name} in Chromium: ${what}`, ok ? '' : 'it does not hold');
  }
} finally {
  registry.close();
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
