/**
 * The native engine's tests on AVX-512: on this machine's, where it has that, else on Bochs' (`--kernel PATH`: a Linux for the PC that it emulates, see `emulator.mjs`).
 * `--machines N`: so many of those PCs at once, one for each core by default, at most four. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { counted, EMULATED, finish, NATIVE_RESULT, NATIVE_TESTS, shown } from './counted.mjs';
import { emulate } from './emulator.mjs';
import { root, run } from './setup.mjs';

const LEVEL = { RECURRA_SIMD: 'avx512' };
const cwd = join(root, 'packages/native');

const { kernel, machines } = parseArgs({
  options: {
    kernel: { type: 'string' },
    machines: { type: 'string', default: `${Math.min(availableParallelism(), 4)}` },
  },
}).values;

/** The programs of the tests. */
function build() {
  const built = spawnSync('cargo', [...NATIVE_TESTS, '--no-run', '--message-format=json'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (built.status !== 0) throw new Error('cargo has not built the tests');
  const lines = built.stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line).executable).filter(Boolean);
}

/** The names of a program's tests. */
const testsOf = (program) =>
  [...spawnSync(program, ['--list'], { encoding: 'utf8' }).stdout.matchAll(/^(.*): test$/gm)].map((match) => match[1]);

/** The lines that run each N-th of all tests, from one on. */
function share(programs, first, n) {
  const lines = [];
  let i = 0;
  for (const program of programs) {
    const names = testsOf(program).filter(() => i++ % n === first);
    if (names.length > 0) lines.push(`/${basename(program)} --test-threads=1 --exact ${names.join(' ')}`);
  }
  return lines;
}

async function emulated() {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-tests-'));
  try {
    const programs = build().map((program) => {
      const bare = join(folder, basename(program));
      copyFileSync(program, bare);
      run('strip', [bare]);
      return bare;
    });
    const settings = Object.entries({ ...LEVEL, ...EMULATED }).map(([name, value]) => `export ${name}=${value}`);
    const n = Number(machines);
    const counts = await Promise.all(
      Array.from({ length: n }, async (_, k) => {
        const lines = share(programs, k, n);
        let line = '';
        // Whole lines, since the machines print at once.
        const show = (text) => {
          const whole = (line + text).split('\n');
          line = whole.pop();
          for (const each of whole) console.log(`${k + 1}: ${each}`);
        };
        const result = await emulate({
          kernel,
          programs,
          script: [...settings, ...lines].join('\n'),
          minutes: 40,
          show,
        });
        const { passed, failed } = counted(result, NATIVE_RESULT);
        // A program that died has no result of its own.
        const results = [...result.text.matchAll(NATIVE_RESULT)].length;
        return { passed, failed: failed + (result.ok ? lines.length - results : 0) };
      }),
    );
    finish(...counts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const here = /^flags\b.*\bavx512f\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
if (!here && !kernel) {
  console.error('expected --kernel PATH: this machine has no AVX-512');
  process.exit(2);
}
if (!(Number.isInteger(Number(machines)) && Number(machines) >= 1)) {
  console.error(`expected a number for --machines, received ${machines}`);
  process.exit(2);
}
run(process.execPath, ['packages/kernels/scripts/generate.mjs']);
console.log(here ? 'on this machine, which has AVX-512' : `on Bochs, ${machines} machines at once`);
if (here) finish(counted(shown('cargo', NATIVE_TESTS, { cwd, env: { ...process.env, ...LEVEL } }), NATIVE_RESULT));
else await emulated();
