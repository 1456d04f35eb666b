import { engine, setEngine, setThreads, threads } from 'recurra';
import { build } from './models.js';
import { format, median, table } from './report.js';

/** Every so many milliseconds a timer says how late it is. */
const INTERVAL = 5;

/** How late a timer is while `f` runs again and again, in milliseconds, and how often that ran. */
async function lags(f: () => Promise<unknown>, seconds: number): Promise<{ late: number[]; runs: number }> {
  const late: number[] = [];
  let due = performance.now() + INTERVAL;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + INTERVAL;
  }, INTERVAL);
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  for (; performance.now() < end; runs++) await f();
  clearInterval(timer);
  return { late, runs };
}

/**
 * Does the calling thread wait while large steps train? How late a timer of 5 ms is meanwhile, on each engine and number of threads, beside an idle loop: other jobs on the
 * machine make it late too.
 */
export async function lag(workloads: readonly string[], counts: readonly number[], seconds: number): Promise<number> {
  const rows: string[][] = [];
  const add = (name: string, { late, runs }: { late: number[]; runs: number }): void => {
    const sorted = [...late].sort((a, b) => a - b);
    const at = (share: number): string =>
      format(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    rows.push([name, String(runs), String(late.length), format(median(late)), at(0.99), at(1)]);
  };
  const idle = await lags(() => new Promise((resolve) => setTimeout(resolve, 100)), seconds);
  add('idle', idle);
  for (const choice of ['native', 'wasm'] as const) {
    try {
      await setEngine(choice);
    } catch (error) {
      console.error(`bench: ${(error as Error).message}`);
      continue;
    }
    for (const workload of workloads) {
      const { train } = build(workload);
      if (!train) continue;
      for (const count of counts) {
        await setThreads(count);
        await train();
        add(`${workload}, ${engine().name}, ${threads().count} threads`, await lags(train, seconds));
      }
    }
  }
  console.log(
    `### How late a timer of ${INTERVAL} ms is while steps train, ms\n\n${table(['', 'steps', 'ticks', 'median', '99 %', 'most'], rows)}`,
  );
  return 0;
}
