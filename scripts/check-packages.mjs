/**
 * Each package, packed and installed alone in an empty project (its Recurra dependencies from their own tarballs): imports, runs
 * the example of its README, and its types resolve under `moduleResolution: nodenext`, in the oldest TypeScript that we read, too; and in each runtime the pool of workers gives
 * the bits of one thread, and lets the process end by itself. Arguments: paths of further runtimes (Node, Deno, Bun), beside the
 * Node that runs this. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pnpmCommand, root } from './setup.mjs';

const { examplesIn } = await import(pathToFileURL(join(root, 'packages/testing/dist/examples.js')).href);
/** The compilers that must read the declarations: our own, and the oldest that the READMEs name. */
const compilers = [(await import('typescript')).default, (await import('typescript-5.0')).default];

const work = mkdtempSync(join(tmpdir(), 'recurra-pack-'));
const manifestOf = (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
// The native engine needs its binary, which is built apart.
const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'native' && !manifestOf(name).private);
const runtimes = [process.execPath, ...process.argv.slice(2)];
const runIn = (runtime, file, cwd) =>
  exec(runtime, [...(basename(runtime) === 'deno' ? ['run', '-A', '--cached-only'] : []), file], cwd);
const POOL = `
import { jit, setThreads, threads } from '@recurra/compiler';
import { randomKey, randomNormal } from '@recurra/tensor';
const x = randomNormal([512, 512], { key: randomKey(1) });
const step = jit((t) => {
  let y = t;
  for (let i = 0; i < 12; i++) y = y.matmul(t).mul(0.05).tanh();
  return y;
});
const results = [];
for (const count of [1, 2]) {
  await setThreads(count);
  if (threads().count !== count) throw new Error(threads().reason);
  results.push((await step(x)).data);
}
if (!results[0].every((v, i) => v === results[1][i])) throw new Error('two threads gave other bits than one');
`;
/** A model for the command to inspect and convert, by what a user of `recurra` alone has. */
const COMMAND = `
import { readFile } from 'node:fs/promises';
import { Dense, GRU, Input, Sequential } from 'recurra';
import { sniffFormat } from 'recurra/formats';
await new Sequential([Input({ shape: [4, 3] }), new GRU(2), new Dense(1)]).save('m.keras');
if (sniffFormat(new Uint8Array(await readFile('m.keras'))) !== 'keras') throw new Error('expected a file of Keras');
`;
let passed = 0;
let failed = 0;

function check(what, result) {
  if (result.status === 0) {
    passed++;
    return true;
  }
  failed++;
  console.error(`FAILED ${what}\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
  return false;
}

const [pnpm, ...pnpmArgs] = pnpmCommand();
const exec = (command, args, cwd) =>
  spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, npm_config_update_notifier: 'false' },
  });

/** The packages that code imports from: `recurra` of `recurra/extend`, `@recurra/layers` of `@recurra/layers/extend`. */
const packagesOf = (code) => [...code.matchAll(/from '((?:@[^/']+\/)?[^/']+)[^']*'/g)].map((m) => m[1]);

/** What a compiler says of the examples of a package: a check for each, and one for all other files and the options. */
function checkTypes(ts, sources, name) {
  const program = ts.createProgram(sources, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    types: [],
    skipLibCheck: false,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  });
  const places = sources.map((source) => program.getSourceFile(source));
  const errors = new Map([...places, 'elsewhere'].map((place) => [place, []]));
  for (const { file, messageText } of ts.getPreEmitDiagnostics(program))
    errors
      .get(places.includes(file) ? file : 'elsewhere')
      .push(`${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  for (const [place, told] of errors) {
    const what = place === 'elsewhere' ? 'what the examples import' : basename(place.fileName);
    check(`types of ${what} of ${name} in TypeScript ${ts.version}`, {
      status: told.length,
      stdout: `${told.join('\n')}\n`,
    });
  }
}

try {
  const manifests = new Map();
  const tarballs = new Map();
  for (const name of packages) {
    const folder = join(root, 'packages', name);
    const manifest = manifestOf(name);
    manifests.set(manifest.name, manifest);
    const result = exec(pnpm, [...pnpmArgs, 'pack', '--pack-destination', work, '--json'], folder);
    if (!check(`pack ${manifest.name}`, result)) continue;
    const { filename, files } = JSON.parse(result.stdout);
    tarballs.set(manifest.name, filename);
    const packed = new Set(files.map((file) => `./${file.path}`));
    const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(targets));
    const missing = targets([manifest.exports, manifest.bin]).filter(
      (target) => !packed.has(`./${target.replace(/^\.\//, '')}`),
    );
    check(`files of ${manifest.name}`, { status: missing.length, stdout: `not packed: ${missing.join(', ')}\n` });
    const tests = [...packed].filter((file) => /\.test\.|\.tsbuildinfo$/.test(file));
    check(`no tests in ${manifest.name}`, { status: tests.length, stdout: `packed: ${tests.join(', ')}\n` });
  }
  const closure = (name, seen = new Set()) => {
    seen.add(name);
    for (const dependency of Object.keys(manifests.get(name)?.dependencies ?? {}))
      if (manifests.has(dependency) && !seen.has(dependency)) closure(dependency, seen);
    return seen;
  };
  for (const name of packages) {
    const full = manifestOf(name).name;
    const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
    // The example may use more packages than the one it is about: all that its imports name are installed.
    const examples = examplesIn(readme);
    const used = new Set([full, ...examples.flatMap((e) => packagesOf(e.code))]);
    const all = new Set([...used].flatMap((n) => [...closure(n)]));
    const lacking = [...all].filter((n) => !tarballs.has(n));
    if (!check(`tarballs for ${full}`, { status: lacking.length, stdout: `not packed: ${lacking.join(', ')}\n` }))
      continue;
    const project = join(work, `use-${name}`);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'use', private: true, type: 'module' }));
    if (
      !check(
        `install ${full}`,
        exec(
          'npm',
          [
            'install',
            '--no-audit',
            '--no-fund',
            '--prefer-offline',
            '--legacy-peer-deps',
            ...[...all].map((n) => tarballs.get(n)),
          ],
          project,
        ),
      )
    )
      continue;
    const sources = examples.map((example, i) => {
      const source = join(project, `example${i}.ts`);
      writeFileSync(source, example.code);
      return source;
    });
    for (const ts of compilers) checkTypes(ts, sources, full);
    examples.forEach((example, i) => {
      const code = compilers[0].transpileModule(example.code, {
        compilerOptions: { module: compilers[0].ModuleKind.ESNext, target: compilers[0].ScriptTarget.ES2022 },
      }).outputText;
      writeFileSync(join(project, `example${i}.mjs`), code);
      for (const runtime of runtimes)
        check(`example of ${full} under ${runtime}`, runIn(runtime, `example${i}.mjs`, project));
    });
    if (full === 'recurra') {
      writeFileSync(join(project, 'command.mjs'), COMMAND);
      check('a model for the command', exec(process.execPath, ['command.mjs'], project));
      for (const args of [
        ['--help'],
        ['inspect', 'm.keras', '--json'],
        ['convert', 'm.keras', 'm.onnx'],
        ['inspect', 'm.onnx'],
      ])
        check(`recurra ${args.join(' ')}`, exec('npx', ['--no-install', 'recurra', ...args], project));
    }
    if (full !== '@recurra/compiler') continue;
    writeFileSync(join(project, 'pool.mjs'), POOL);
    for (const runtime of runtimes) check(`two threads under ${runtime}`, runIn(runtime, 'pool.mjs', project));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
