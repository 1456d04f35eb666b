import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { format, median, table } from './report.js';

/** Starts fresh processes that train the seed snippet, and prints their times and peak memory. */
export function coldStart(): void {
  const file = fileURLToPath(new URL('./coldstart-snippet.js', import.meta.url));
  const nodes: [string, string, string[]][] = [
    ['ours', process.env['BENCH_NODE'] ?? process.execPath, []],
    ['ours-relaxed', process.env['BENCH_NODE'] ?? process.execPath, ['--experimental-wasm-relaxed-simd']],
    ...(process.env['BENCH_NODE_NEW']
      ? [['ours-new', process.env['BENCH_NODE_NEW'], []] as [string, string, string[]]]
      : []),
  ];
  const rows = nodes.map(([name, node, flags]) => {
    const runs = [0, 1, 2].map(() => {
      const begin = performance.now();
      const { stdout, stderr, status } = spawnSync(node, [...flags, file], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the snippet failed: ${stderr}`);
      return {
        wall: (performance.now() - begin) / 1000,
        ...(JSON.parse(stdout) as { cpu: number; rss: number; loss: number }),
      };
    });
    const best = runs.reduce((a, b) => (a.cpu < b.cpu ? a : b));
    return [name, best.wall.toFixed(2), best.cpu.toFixed(2), best.rss.toFixed(0), best.loss.toFixed(4)];
  });
  console.log(table(['S1', 'wall s', 'CPU s', 'peak MB', 'last loss'], rows));
}

/** A process that needs an engine, and prints what that took: packages are imported before. */
const ENGINE = `
import { engine } from 'recurra';
const used = process.cpuUsage();
const begin = performance.now();
const { name } = engine();
const wall = performance.now() - begin;
const { user, system } = process.cpuUsage(used);
const { user: all, system: kernel } = process.cpuUsage();
console.log(JSON.stringify({ name, wall, cpu: (user + system) / 1000, process: (all + kernel) / 1000 }));
`;

const MEASURED = {
  wall: 'first `engine()`',
  cpu: 'first `engine()`, CPU',
  process: 'the process until then, CPU',
} as const;

/**
 * What the native engine adds to a start: fresh processes with it and without, in turn; milliseconds of the first `engine()`, which finds and loads it, the lowest and the
 * median. Exit code 1 where there is none, or where it adds 15 ms of CPU time or more by the lowest: other jobs on the machine disturb that least.
 */
export function loading(rounds: number): number {
  const node = process.env['BENCH_NODE'] ?? process.execPath;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const runs: Record<'wasm' | 'native', Record<keyof typeof MEASURED, number>[]> = { wasm: [], native: [] };
  for (let round = 0; round < rounds; round++)
    for (const engine of round % 2 === 0 ? (['wasm', 'native'] as const) : (['native', 'wasm'] as const)) {
      const env = { ...process.env, RECURRA_ENGINE: engine };
      const args = ['--input-type=module', '-e', ENGINE];
      const { stdout, stderr, status } = spawnSync(node, args, { cwd, encoding: 'utf8', env });
      if (status !== 0) {
        console.error(`bench: ${stderr}`);
        return 1;
      }
      runs[engine].push(JSON.parse(stdout) as Record<keyof typeof MEASURED, number>);
    }
  const least = (values: readonly number[]): number => Math.min(...values);
  const both = (what: keyof typeof MEASURED, of: (values: readonly number[]) => number): [number, number] => [
    of(runs.wasm.map((run) => run[what])),
    of(runs.native.map((run) => run[what])),
  ];
  const rows = (Object.keys(MEASURED) as (keyof typeof MEASURED)[]).flatMap((what) =>
    [least, median].map((of) => {
      const [wasm, native] = both(what, of);
      return [`${MEASURED[what]}, ${of === least ? 'lowest' : 'median'}`, ...[wasm, native, native - wasm].map(format)];
    }),
  );
  console.log(
    `### Loading the native engine, ms, ${rounds} fresh processes each\n\n${table(['', 'wasm', 'native', 'added'], rows)}`,
  );
  const [wasm, native] = both('cpu', least);
  return native - wasm < 15 ? 0 : 1;
}
