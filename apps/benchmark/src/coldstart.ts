import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { table } from './report.js';

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
