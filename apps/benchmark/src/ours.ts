import { createInterface } from 'node:readline';
import { jit, setThreads, type Tensor, tensor, threads, Variable, zeros } from 'recurra';
import { build, type Measured } from './models.js';
import { uniform } from './workloads.js';

/** Requests on standard input, a JSON object a line; answers on standard output. All peers speak it. */
interface Request {
  readonly cmd: 'build' | 'measure' | 'drop';
  readonly workload: string;
  readonly phase?: 'train' | 'predict' | 'op';
  readonly seconds?: number;
}

const CHECKS = [1, 2, 5, 10, 20];
const send = (answer: object): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};

/** Runs `f` for a while: how often, how long, and the CPU milliseconds of one run over all threads of the process. */
async function timed(f: () => Promise<unknown>, seconds: number): Promise<{ runs: number; wall: number; cpu: number }> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  let runs = 0;
  for (let chunk = 1; ; ) {
    for (let i = 0; i < chunk; i++) await f();
    runs += chunk;
    const wall = (performance.now() - begin) / 1000;
    if (wall >= seconds) {
      const used = process.cpuUsage(cpu);
      return { runs, wall, cpu: (used.user + used.system) / 1000 / runs };
    }
    if (wall < seconds / 50) chunk = Math.min(chunk * 2, 4096);
  }
}

/**
 * One kernel alone, with the work of a call: M1_<n> is sgemm, M2_tanh and M2_sum run over 2^20 elements. As in the peers, what they
 * read and write stays where the kernels have it.
 */
function micro(name: string): { run: () => Promise<unknown>; work: number } {
  const draw = (n: number): Tensor => tensor(Float32Array.from(uniform(1, n), (u) => u * 4 - 2));
  if (name.startsWith('M1_')) {
    const n = Number(name.slice(3));
    const a = new Variable(draw(n * n).reshape([n, n]));
    const c = new Variable(zeros([n, n]));
    return { run: jit(() => c.assign(a.value.matmul(a.value))), work: 2 * n ** 3 };
  }
  const a = new Variable(draw(1 << 20));
  const y = new Variable(zeros([1 << 20]));
  return { run: jit(() => (name === 'M2_tanh' ? y.assign(a.value.tanh()) : a.value.sum())), work: 1 << 20 };
}

async function main(): Promise<void> {
  const wanted = Number(process.env['BENCH_THREADS'] ?? 1);
  await setThreads(wanted);
  const peer = `ours${process.env['BENCH_SUFFIX'] ?? ''}`;
  const models = new Map<string, Measured>();
  const kernels = new Map<string, ReturnType<typeof micro>>();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    const { cmd, workload, phase, seconds = 1 } = JSON.parse(line) as Request;
    const base = { peer, threads: wanted, workload };
    const begin = performance.now();
    const since = (): number => (performance.now() - begin) / 1000;
    try {
      if (cmd === 'drop') {
        models.delete(workload);
        kernels.delete(workload);
        send(base);
      } else if (workload.startsWith('M')) {
        if (cmd === 'build') {
          const kernel = micro(workload);
          await kernel.run();
          kernels.set(workload, kernel);
          send({ ...base, build_s: since() });
          continue;
        }
        const { run, work } = kernels.get(workload)!;
        const { runs, wall, cpu } = await timed(run, seconds);
        const gops = (work * runs) / wall / 1e9;
        send({ ...base, phase: 'op', steps_per_s: runs / wall, cpu_ms: cpu, samples_per_s: null, gops, note: '' });
      } else if (cmd === 'build') {
        const model = build(workload);
        models.set(workload, model);
        const losses: number[] = [];
        for (let k = 1; model.train && k <= CHECKS.at(-1)!; k++) {
          if (k > 2 && since() > 6) break;
          const loss = await model.train();
          if (CHECKS.includes(k)) losses.push(loss);
        }
        await model.predict();
        const note = threads().reason;
        send({ ...base, params: model.parameters, losses, build_s: since(), note });
      } else {
        const model = models.get(workload)!;
        const run = phase === 'train' ? model.train : model.predict;
        if (!run) throw new Error('no such phase');
        const { runs, wall, cpu } = await timed(run, seconds);
        const speed = { steps_per_s: runs / wall, cpu_ms: cpu, samples_per_s: (runs * model.batch) / wall };
        send({ ...base, phase, ...speed, loss: phase === 'train' ? await run() : undefined, note: '' });
      }
    } catch (error) {
      send({ ...base, error: String(error instanceof Error ? (error.stack ?? error.message) : error).slice(0, 600) });
    }
  }
}

await main();
