/**
 * Kills a training run (SIGKILL) at ten random moments, one in each tenth of it, begins it again, and compares its end with that of a run that was let alone:
 * weights bit for bit, and the losses of the epochs that were left. `--seed S` chooses the moments. Ends with `N passed, N failed`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomKey, randomUniform } from '@recurra/tensor';

const PROGRAM = fileURLToPath(new URL('./interrupted-run.js', import.meta.url));
const TIMES = 10;

interface End {
  readonly weights: string;
  readonly losses: readonly number[];
  readonly valLosses: readonly number[];
}

/** A run from its first epoch on: its output, and when it was over. */
class Run {
  readonly child: ChildProcess;
  output = '';
  private readonly begun: Promise<unknown>;
  private readonly closed: Promise<unknown[]>;

  constructor(folder: string | null) {
    this.child = spawn(process.execPath, [PROGRAM, ...(folder === null ? [] : [folder])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.closed = once(this.child, 'close');
    this.begun = new Promise((resolve) => {
      this.child.stdout!.on('data', (chunk) => {
        this.output += chunk;
        resolve(null);
      });
    });
  }

  /** Resolves when the first epoch begins. */
  async begin(): Promise<this> {
    await Promise.race([this.begun, this.closed]);
    return this;
  }

  /** Resolves to its end; `null` for one that was killed. */
  async end(): Promise<End | null> {
    const [code, signal] = await this.closed;
    if (signal === 'SIGKILL') return null;
    if (code !== 0) throw new Error(`the run ended with ${code ?? signal}`);
    return JSON.parse(this.output.trim().split('\n').at(-1)!) as End;
  }
}

/** Milliseconds of a run that is let alone, from the beginning of its first epoch on: with backups, as those that are killed. */
async function duration(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'interrupted-'));
  try {
    const run = await new Run(join(folder, 'backup')).begin();
    const start = performance.now();
    await run.end();
    return performance.now() - start;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const given = process.argv.indexOf('--seed');
const seed = given < 0 ? Math.floor(Math.random() * 2 ** 31) : Number(process.argv[given + 1]);
const shares = randomUniform([TIMES], { key: randomKey(seed) }).data as Float32Array;
const expected = (await new Run(null).end())!;
const span = await duration();

let failed = 0;
let resumed = 0;
for (const [i, share] of shares.entries()) {
  const folder = mkdtempSync(join(tmpdir(), 'interrupted-'));
  const backups = join(folder, 'backup');
  try {
    // A run that was quicker than the first one is over before its time: it is killed earlier.
    for (let wait = ((i + share) / TIMES) * span, killed = false; !killed; wait *= 0.7) {
      const run = await new Run(backups).begin();
      await new Promise((resolve) => setTimeout(resolve, wait));
      run.child.kill('SIGKILL');
      killed = (await run.end()) === null;
      if (killed)
        console.log(`killed ${Math.round(wait)} ms into training, in ${run.output.trim().split('\n').at(-1)}`);
    }
    const again = await new Run(backups).begin();
    const end = (await again.end())!;
    const tail = (all: readonly number[], own: readonly number[]): boolean =>
      own.every((v, k) => v === all[all.length - own.length + k]);
    const wrong = [
      ...(end.weights === expected.weights ? [] : ['other weights']),
      ...(tail(expected.losses, end.losses) && tail(expected.valLosses, end.valLosses) ? [] : ['other losses']),
      ...(readdirSync(folder).length === 0 ? [] : ['backups are left']),
    ];
    if (end.losses.length < expected.losses.length) resumed++;
    if (wrong.length === 0) continue;
    failed++;
    console.log(`FAILED run ${i + 1} (--seed ${seed}): ${wrong.join(', ')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`seed ${seed}: ${resumed} of ${TIMES} runs went on from a later epoch than the first`);
if (resumed < TIMES / 3) {
  failed++;
  console.log('FAILED: too few runs were killed late enough to have a backup of a later epoch');
}
console.log(`${TIMES - Math.min(failed, TIMES)} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
