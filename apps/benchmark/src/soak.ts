import { jit, randomKey, randomNormal, setThreads, type Tensor, valueAndGrad } from 'recurra';
import { build } from './models.js';
import { table } from './report.js';

const resident = (): number => process.memoryUsage.rss() / 2 ** 20;

/**
 * Many training steps, many signatures, many functions: prints the resident memory on the way. Exit code 1 if it grows by more than
 * a tenth (and 16 MB) in the second half: the heap of JavaScript takes some thousand functions to find its size.
 */
export async function soak({ steps, signatures }: { steps: number; signatures: number }): Promise<number> {
  let failed = false;
  const judge = (what: string, sizes: readonly number[]): void => {
    const [first, ...rest] = sizes.slice(sizes.length / 2);
    const grown = Math.max(...rest) - first!;
    const flat = grown < Math.max(16, first! / 10);
    if (!flat) failed = true;
    console.log(
      `### ${what}\n\n${table(['tenth', ...sizes.map((_, i) => String(i + 1))], [['resident MB', ...sizes.map((s) => s.toFixed(1))]])}\n\n${flat ? 'flat' : 'GROWING'}: ${grown.toFixed(1)} MB in the second half\n`,
    );
  };
  const run = async (count: number, f: (i: number) => Promise<unknown>): Promise<number[]> => {
    const sizes: number[] = [];
    for (let part = 0; part < 10; part++) {
      for (let i = Math.floor((count * part) / 10); i < Math.floor((count * (part + 1)) / 10); i++) {
        await f(i);
        // Finalizers run between turns of the event loop.
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      sizes.push(resident());
    }
    return sizes;
  };

  await setThreads('auto');
  const model = build('W4');
  judge(`${steps} training steps of W4`, await run(steps, () => model.train!()));

  await setThreads(1);
  const loss = (w: Tensor, x: Tensor): Tensor => x.matmul(w).tanh().square().mean();
  const w = randomNormal([16, 16], { key: randomKey(1) });
  const rows = (i: number): Tensor => randomNormal([1 + (i % 997), 16], { key: randomKey(i) });
  const one = jit(valueAndGrad(loss), { cacheSize: 64 });
  judge(`${signatures} signatures of one function`, await run(signatures, (i) => one(w, rows(i))));
  judge(
    `${signatures * 4} functions, one signature each`,
    await run(signatures * 4, (i) => jit(valueAndGrad(loss))(w, rows(i))),
  );
  return failed ? 1 : 0;
}
