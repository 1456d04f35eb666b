import {
  Dense,
  Input,
  jit,
  LSTM,
  randomKey,
  randomNormal,
  Sequential,
  setThreads,
  type Tensor,
  valueAndGrad,
} from 'recurra';
import { build } from './models.js';
import { format, table } from './report.js';
import { WORKLOADS } from './workloads.js';

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

/** The time of the fastest of some runs, in milliseconds. */
async function fastest(f: () => Promise<unknown>, milliseconds = 600): Promise<number> {
  await f();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + milliseconds;
  do {
    const begin = performance.now();
    await f();
    best = Math.min(best, performance.now() - begin);
  } while (performance.now() < end);
  return best;
}

async function measure(time: number, batch: number, units: number): Promise<string[]> {
  const model = new Sequential([
    Input({ shape: [time, 32] }),
    new LSTM(units),
    new Dense(1, { activation: 'sigmoid' }),
  ]);
  model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
  const x = randomNormal([batch, time, 32], { key: randomKey(1) });
  const y = randomNormal([batch, 1], { key: randomKey(2) })
    .greater(0)
    .cast('float32');
  const train = await fastest(async () => model.trainOnBatch(x, y));
  const predict = await fastest(async () => model.predictOnBatch(x));
  const arena = /arena ([\d.]+ [KM]iB)/.exec(model.explain(x, y))![1]!;
  return [format(train), format(predict), format((train * 1e6) / (time * batch * units)), arena];
}

/** Tables: cost against steps, batch and units; compile time and memory of the workloads; a loop of single steps. */
export async function scaling(): Promise<void> {
  await setThreads(1);
  const head = ['train ms', 'predict ms', 'train ns a step, sample and unit', 'arena'];
  const rows = async (values: readonly number[], f: (v: number) => Promise<string[]>): Promise<string[][]> => {
    const result: string[][] = [];
    for (const v of values) result.push([String(v), ...(await f(v))]);
    return result;
  };
  const lengths = await rows([10, 100, 1000, 3000, 10_000], (t) => measure(t, 8, 32));
  console.log(`### LSTM(32), batch 8, against the number of steps\n\n${table(['steps', ...head], lengths)}\n`);
  const batches = await rows([1, 2, 8, 32, 128], (b) => measure(100, b, 32));
  console.log(`### LSTM(32), 100 steps, against the batch\n\n${table(['batch', ...head], batches)}\n`);
  const units = await rows([8, 32, 64, 128, 256, 512], (u) => measure(50, 32, u));
  console.log(`### 50 steps, batch 32, against the units\n\n${table(['units', ...head], units)}\n`);

  const compiled: string[][] = [];
  for (const name of Object.keys(WORKLOADS).filter((w) => w !== 'W8')) {
    const model = build(name);
    const begin = performance.now();
    const text = model.explain!();
    const time = performance.now() - begin;
    const operations = /graph: (\d+)/.exec(text)![1]!;
    const commands = /program: (\d+)/.exec(text)![1]!;
    const memory = /memory: arena (.*) \((.*) without sharing\), plan (.*), variables (.*)/.exec(text)!.slice(1, 5);
    compiled.push([name, format(time), operations, commands, ...memory]);
  }
  console.log(
    `### compiling a training step\n\n${table(['', 'ms', 'operations', 'commands', 'arena', 'without sharing', 'plan', 'variables'], compiled)}\n`,
  );

  // Peak memory of gradients through a long sequence.
  const step = jit((w: Tensor, x: Tensor) => valueAndGrad((v: Tensor) => x.matmul(v).tanh().square().mean())(w));
  const w = randomNormal([64, 64], { key: randomKey(3) });
  const x = randomNormal([4096, 64], { key: randomKey(4) });
  const { arena, unplanned } = step.memory(w, x);
  console.log(
    `A dense layer on 4096 rows and its gradient: arena ${megabytes(arena)} MiB, ${megabytes(unplanned)} MiB without sharing.`,
  );
  console.log(`Peak resident set of this process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB.`);
}
