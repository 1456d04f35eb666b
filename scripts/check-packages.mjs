/**
 * Each package, packed and installed alone in an empty project (its Recurra dependencies from their own tarballs): imports, runs
 * the example of its README, and its types resolve under `moduleResolution: nodenext`. Arguments: paths of further Node binaries
 * to run the examples with, beside the one that runs this. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pnpmCommand, root } from './setup.mjs';

const { examplesIn } = await import(pathToFileURL(join(root, 'packages/testing/dist/examples.js')).href);
const ts = (await import('typescript')).default;

const work = mkdtempSync(join(tmpdir(), 'recurra-pack-'));
const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'testing');
const nodes = [process.execPath, ...process.argv.slice(2)];
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
  spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, npm_config_update_notifier: 'false' } });

try {
  const manifests = new Map();
  const tarballs = new Map();
  for (const name of packages) {
    const folder = join(root, 'packages', name);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    manifests.set(manifest.name, manifest);
    const result = exec(pnpm, [...pnpmArgs, 'pack', '--pack-destination', work, '--json'], folder);
    if (check(`pack ${manifest.name}`, result)) tarballs.set(manifest.name, JSON.parse(result.stdout).filename);
  }
  const closure = (name, seen = new Set()) => {
    seen.add(name);
    for (const dependency of Object.keys(manifests.get(name)?.dependencies ?? {}))
      if (manifests.has(dependency) && !seen.has(dependency)) closure(dependency, seen);
    return seen;
  };
  for (const name of packages) {
    const full = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).name;
    const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
    // The example may use more packages than the one it is about: all that its imports name are installed.
    const examples = examplesIn(readme);
    const used = new Set([full, ...examples.flatMap((e) => [...e.code.matchAll(/from '([^']+)'/g)].map((m) => m[1]))]);
    const all = new Set([...used].flatMap((n) => [...closure(n)]));
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
            '--offline',
            '--legacy-peer-deps',
            ...[...all].map((n) => tarballs.get(n)),
          ],
          project,
        ),
      )
    )
      continue;
    examples.forEach((example, i) => {
      const source = join(project, `example${i}.ts`);
      writeFileSync(source, example.code);
      const program = ts.createProgram([source], {
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
        strict: true,
        noEmit: true,
        types: [],
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      });
      const errors = ts
        .getPreEmitDiagnostics(program)
        .map((d) => `${d.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n')}`);
      check(`types of the example of ${full}`, { status: errors.length, stdout: `${errors.join('\n')}\n` });
      const code = ts.transpileModule(example.code, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      }).outputText;
      writeFileSync(join(project, `example${i}.mjs`), code);
      for (const node of nodes) check(`example of ${full} under ${node}`, exec(node, [`example${i}.mjs`], project));
    });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
