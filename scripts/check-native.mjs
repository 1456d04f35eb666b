/**
 * The native engine as users get it: packed packages, installed in empty projects by npm and by pnpm, from a registry on this machine. With it, without it, without its binary,
 * with a damaged, a foreign and another one; in threads, processes, bundles and through links. It must be built (`pnpm build:native`).
 * Arguments: paths of further runtimes (Node, Deno, Bun), beside the Node that runs this. Ends with `N passed, N failed`.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PROTOCOL } from '../packages/kernels/dist/index.js';
import { describeProject, exec, packAll, serve } from './packed.mjs';
import { pnpmCommand } from './setup.mjs';

const work = mkdtempSync(join(tmpdir(), 'recurra-native-'));
const runtimes = [process.execPath, ...process.argv.slice(2)].map((path) => ({ path, name: basename(path) }));
const nodes = runtimes.filter(({ name }) => name === 'node');
/** The fields of what programs print beside the results. */
const SAYS = "...engine(), told: jit((t) => t.mul(2)).explain(tensor([1])).split('\\n')[1]";
/** Trains a small model, computes on two threads, and prints what came out and on what. */
const TRAIN = `
import { Dense, Embedding, LSTM, Sequential, engine, jit, randomKey, randomNormal, randomUniform, setSeed, setThreads, tensor } from 'recurra';
setSeed(1);
const x = randomUniform([32, 20], { key: randomKey(1) }).mul(50).floor();
const model = new Sequential([new Embedding(50, 8), new LSTM(16), new Dense(1, { activation: 'sigmoid' })]);
model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
const main = async () => {
  const { history } = await model.fit(x, Float32Array.from({ length: 32 }, (_, i) => i % 2), { epochs: 4, batchSize: 8, verbose: 0 });
  const found = [...history.loss, ...(await model.predict(x)).data];
  await setThreads(2);
  const big = randomNormal([400, 400], { key: randomKey(2) });
  found.push((await jit((v) => v.matmul(v).mul(0.05).tanh().matmul(v).square().mean())(big)).item());
  return { found, ${SAYS} };
};
`;
const PRINT = `${TRAIN}main().then((answer) => console.log(JSON.stringify(answer)));`;
/** The same in two threads, in this one and in a process, all at once. */
const AT_ONCE = `${TRAIN}
import { fork } from 'node:child_process';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
if (!isMainThread) parentPort.postMessage(await main());
else if (process.send) process.send(await main());
else {
  const file = new URL(import.meta.url);
  const answer = (from) => new Promise((resolve, reject) => from.once('message', resolve).once('error', reject));
  const others = [new Worker(file), new Worker(file), fork(file)].map(answer);
  const [own, ...theirs] = [await main(), ...(await Promise.all(others))];
  const same = theirs.every((one) => JSON.stringify(one) === JSON.stringify(own));
  console.log(JSON.stringify({ ...own, same }));
}
`;

let passed = 0;
let failed = 0;
/** Counts a check; `problem` is empty if it holds. */
function check(what, problem) {
  if (problem === '') passed++;
  else {
    failed++;
    console.error(`FAILED ${what}: ${problem}`);
  }
}

/** Runs a program; what it printed, if it was silent beside that, else what was wrong. */
async function ask({ path, name }, file, cwd, engine = '', flags = name === 'deno' ? ['-A'] : []) {
  const args = [...(name === 'deno' ? ['run', '--no-prompt', '--cached-only', ...flags] : flags), file];
  const { status, stdout, stderr } = await exec(path, args, { cwd, env: { RECURRA_ENGINE: engine }, timeout: 60_000 });
  if (status !== 0 || stderr !== '')
    return { problem: `exit ${status}: ${stderr.slice(0, 800)}${stdout.slice(0, 200)}`, stderr };
  return { problem: '', ...JSON.parse(stdout) };
}

/** Is this the engine, for this reason, and do `engine()` and `explain()` say so? */
function differs(answer, name, reason) {
  if (answer.problem !== '') return answer.problem;
  if (answer.name !== name || !reason.test(answer.reason))
    return `expected ${name}, ${reason}, received ${answer.name}: ${answer.reason}`;
  return answer.told === `engine: ${answer.name} (${answer.reason})` ? '' : `explain says ${answer.told}`;
}

/** Do both come to the same numbers, to rounding? */
function apart(one, other) {
  const far = one.found.findIndex((value, i) => !(Math.abs(value - other.found[i]) <= 2e-5));
  return one.found.length === other.found.length && far < 0
    ? ''
    : `other results, the first at ${far}: ${one.found[far]} and ${other.found[far]}`;
}

/** Auto is WebAssembly and says why, natively is an error that says the same and what helps. */
async function fallsBack(what, folder, reason, remedy) {
  for (const runtime of runtimes) {
    const on = `${what} under ${runtime.path}`;
    check(on, differs(await ask(runtime, 'train.mjs', folder), 'wasm', reason));
    const { stderr = '' } = await ask(runtime, 'train.mjs', folder, 'native');
    const told = [/RECURRA_ENGINE=native: expected the native engine, but /, reason, remedy].every((part) =>
      part.test(stderr),
    );
    check(`${on}, native`, told ? '' : `received ${stderr.slice(0, 800)}`);
  }
}

const packages = packAll(work);
const registry = await serve(packages);
try {
  const recurra = `file:${packages.find(({ name }) => name === 'recurra').filename}`;
  const native = { recurra, '@recurra/native': `^${registry.versions.get('@recurra/native')}` };
  const npm = ['npm', 'install', '--no-audit', '--no-fund', '--prefer-offline'];
  /** Installs a project; its folder. */
  const install = async (name, dependencies, [command, ...args]) => {
    const folder = join(work, name);
    mkdirSync(folder);
    describeProject(folder, registry.url, dependencies);
    const { status, stdout, stderr } = await exec(command, args, { cwd: folder });
    check(`install ${name}`, status === 0 ? '' : `${stderr}${stdout}`);
    writeFileSync(join(folder, 'train.mjs'), PRINT);
    return folder;
  };

  const flat = await install('flat', { ...native, esbuild: '^0.28.0' }, npm);
  const own = join(flat, 'node_modules/@recurra');
  const taken = readdirSync(own).filter((name) => name.startsWith('native-'));
  check('the binary of this platform alone is installed', taken.length === 1 ? '' : `found ${taken.join(', ')}`);
  const binary = join(
    own,
    taken[0],
    readdirSync(join(own, taken[0])).find((name) => name.endsWith('.node')),
  );
  const runs = /^auto: (avx512|avx2|neon|portable), \d+ cores$/;
  for (const runtime of runtimes) {
    const answer = await ask(runtime, 'train.mjs', flat);
    check(`native under ${runtime.path}`, differs(answer, 'native', runs));
    const wasm = await ask(runtime, 'train.mjs', flat, 'wasm');
    check(`wasm beside it under ${runtime.path}`, differs(wasm, 'wasm', /^RECURRA_ENGINE=wasm$/));
    check(`the same results under ${runtime.path}`, answer.found && wasm.found ? apart(answer, wasm) : 'none');
  }
  writeFileSync(join(flat, 'at-once.mjs'), AT_ONCE);
  for (const node of nodes) {
    const answer = await ask(node, 'at-once.mjs', flat);
    const problem = differs(answer, 'native', runs) || (answer.same ? '' : 'other results in other threads');
    check(`threads and a process at once under ${node.path}`, problem);
  }

  // Elsewhere, and through a link, as commands are installed.
  const elsewhere = join(work, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(join(flat, 'train.mjs'), join(elsewhere, 'link.mjs'));
  for (const file of [join(flat, 'train.mjs'), 'link.mjs'])
    check(`${basename(file)} from elsewhere`, differs(await ask(nodes[0], file, elsewhere), 'native', runs));

  // Bundled for Node: native beside the package, WebAssembly without it.
  for (const [format, file] of [
    ['esm', 'bundle.mjs'],
    ['cjs', 'bundle.cjs'],
  ]) {
    const args = [
      'train.mjs',
      '--bundle',
      '--platform=node',
      `--format=${format}`,
      `--outfile=dist/${file}`,
      '--log-level=warning',
    ];
    const { status, stdout, stderr } = await exec('npx', ['--no-install', 'esbuild', ...args], { cwd: flat });
    check(`a bundle for Node, ${format}`, status === 0 ? stdout + stderr : `exit ${status}: ${stderr}`);
    for (const node of nodes) {
      check(`${file} under ${node.path}`, differs(await ask(node, `dist/${file}`, flat), 'native', runs));
      cpSync(join(flat, 'dist', file), join(elsewhere, file));
      check(
        `${file} alone under ${node.path}`,
        differs(await ask(node, file, elsewhere), 'wasm', /^auto: @recurra\/native is not installed$/),
      );
    }
  }

  const anew = /Install @recurra\/native anew, or choose 'auto' or 'wasm'\./;
  const without = await install('without', { recurra }, npm);
  await fallsBack(
    'without the package',
    without,
    /@recurra\/native is not installed/,
    /npm install @recurra\/native\), or choose 'auto'/,
  );
  const omitted = await install('omitted', native, [...npm, '--omit=optional']);
  await fallsBack(
    'without its binary',
    omitted,
    /@recurra\/native does not load: expected the binary of @recurra\/native-.*Install with optional dependencies/,
    anew,
  );

  const original = readFileSync(binary);
  const changed = async (what, bytes, reason, remedy) => {
    // What runs keeps its file.
    rmSync(binary);
    writeFileSync(binary, bytes);
    await fallsBack(what, flat, reason, remedy);
  };
  const loads = /@recurra\/native does not load: expected the binary of .*received: /;
  await changed('with a binary that is none', Buffer.from('none'), loads, anew);
  await changed('with a binary that is cut off', original.subarray(0, original.length >> 1), loads, anew);
  const foreign = Buffer.from(original);
  // The machine in the header of an ELF file: no machine has this number.
  foreign.writeUInt16LE(0x1234, 18);
  await changed('with a binary for another machine', foreign, loads, anew);
  const other = Buffer.from(original);
  for (let at = other.indexOf(PROTOCOL); at >= 0; at = other.indexOf(PROTOCOL))
    other.write('?'.repeat(PROTOCOL.length), at);
  await changed(
    'with a binary of another version',
    other,
    /@recurra\/native is of another version: it knows commands \?+, this one /,
    /of the same version, or choose 'auto'/,
  );
  rmSync(binary);
  writeFileSync(binary, original);

  const denos = runtimes.filter(({ name }) => name === 'deno');
  for (const [flags, name, reason] of [
    [[], 'wasm', /^auto: Deno was not given the rights to load @recurra\/native$/],
    [['--allow-env', '--allow-read'], 'wasm', /^auto: Deno was not given the rights/],
    [['--allow-env', '--allow-read', '--allow-ffi'], 'native', runs],
  ])
    for (const deno of denos)
      check(
        `Deno with ${flags.join(' ') || 'no rights'}`,
        differs(await ask(deno, 'train.mjs', flat, '', flags), name, reason),
      );

  const isolated = await install('isolated', native, [
    ...pnpmCommand(),
    'install',
    '--store-dir',
    join(work, 'store'),
    '--reporter=silent',
  ]);
  for (const runtime of runtimes)
    check(
      `installed by pnpm under ${runtime.path}`,
      differs(await ask(runtime, 'train.mjs', isolated), 'native', runs),
    );
} finally {
  registry.close();
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
