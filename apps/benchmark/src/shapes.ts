import {
  type EngineChoice,
  engine,
  GRUCell,
  jit,
  LSTMCell,
  runSequence,
  SimpleRNNCell,
  setEngine,
  setThreads,
  type Tensor,
  tensor,
  Variable,
  valueAndGrad,
  zeros,
} from 'recurra';
import { processor } from './machine.js';
import { format, table } from './report.js';
import { uniform } from './workloads.js';

/** Units and batches of the tables: powers of two, and what lies between them. */
const UNITS: readonly number[] = [8, 10, 16, 24, 32, 50, 64, 100, 128, 200, 256, 300, 512, 1000, 1024];
const BATCHES: readonly number[] = [1, 2, 3, 4, 8, 16, 32, 50, 64, 128];

const GATES = { lstm: 4, gru: 3, rnn: 1 };
/** A layer whose sequences are measured. */
export type ShapeLayer = keyof typeof GATES;

/** What `bench shapes` takes. */
export interface ShapeOptions {
  readonly layer: ShapeLayer;
  readonly phases: readonly ('train' | 'predict')[];
  /** By default as `RECURRA_ENGINE` says. */
  readonly engine?: EngineChoice;
  readonly threads: number;
  /** How often the whole table is measured; each cell keeps its best. */
  readonly rounds: number;
  /** The length of the sequences; by default so many that all units together take 4096 of them, 8 to 256. */
  readonly steps?: number;
  /** How long a cell is measured at least, in milliseconds. */
  readonly milliseconds: number;
  readonly units?: readonly number[];
  readonly batches?: readonly number[];
}

/** The places of a table [rows][columns] that have less than half of what a neighbour in their row or column has. */
export function cliffs(values: readonly (readonly number[])[]): boolean[][] {
  return values.map((row, i) =>
    row.map((value, j) =>
      [values[i - 1]?.[j], values[i + 1]?.[j], row[j - 1], row[j + 1]].some(
        (other) => other !== undefined && value < other / 2,
      ),
    ),
  );
}

/** GFLOP of the products of a sequence [batch, steps, units] through a layer of as many units; training takes three times as many. */
export function sequenceGigaflop(layer: ShapeLayer, units: number, batch: number, steps: number): number {
  return (2 * batch * steps * GATES[layer] * units * 2 * units) / 1e9;
}

let pool = new Float32Array(0);
/** The first `n` of a list of numbers in [-1, 1). */
function numbers(n: number): Float32Array {
  if (pool.length < n) pool = Float32Array.from(uniform(1, n), (u) => 2 * u - 1);
  return pool.subarray(0, n);
}

interface Cell {
  readonly gigaflop: number;
  readonly run: () => Promise<unknown>;
  readonly dispose: () => void;
}

/** A sequence alone: its last output, or the gradients of that of everything, which stay where the kernels have them. */
function cellOf({ layer, steps }: ShapeOptions, phase: 'train' | 'predict', units: number, batch: number): Cell {
  const time = steps ?? Math.min(256, Math.max(8, Math.round(4096 / units)));
  const cell = { lstm: () => new LSTMCell(units), gru: () => new GRUCell(units), rnn: () => new SimpleRNNCell(units) }[
    layer
  ]();
  // As initializers would make them, but for the time that takes: numbers of about 1 / sqrt(units).
  const noise = (shape: readonly number[]): Variable => {
    const data = numbers(shape.reduce((a, b) => a * b));
    return new Variable(tensor(data, { shape }).mul(units ** -0.5));
  };
  const columns = GATES[layer] * units;
  const parameters: Record<string, Variable> = {
    kernel: noise([units, columns]),
    recurrentKernel: noise([units, columns]),
    bias: noise(layer === 'gru' ? [2, columns] : [columns]),
  };
  const x = noise([batch, time, units]);
  const forward = (p: Readonly<Record<string, Tensor>>, xs: Tensor): Tensor =>
    runSequence(cell as LSTMCell, p as never, xs, { returnSequences: false }).output;
  const values = (): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(parameters).map(([name, variable]) => [name, variable.value]));
  const work = sequenceGigaflop(layer, units, batch, time);
  if (phase === 'predict') {
    const out = new Variable(zeros([batch, units]));
    const run = jit(() => {
      out.assign(forward(values(), x.value));
    });
    return { gigaflop: work, run, dispose: () => run.dispose() };
  }
  const gradients = Object.fromEntries(
    Object.entries({ ...parameters, x }).map(([name, { shape }]) => [name, new Variable(zeros(shape))]),
  );
  const run = jit(() => {
    const { gradient } = valueAndGrad((p: Record<string, Tensor>) => forward(p, p['x']!).sum())({
      ...values(),
      x: x.value,
    });
    for (const [name, variable] of Object.entries(gradients)) variable.assign(gradient[name]!);
  });
  return { gigaflop: 3 * work, run, dispose: () => run.dispose() };
}

/** Milliseconds of CPU time of this process, which other jobs on the machine disturb least. */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Seconds of the fastest call by a clock, after the first, over so many of its milliseconds. */
async function fastest(run: () => Promise<unknown>, milliseconds: number, clock: () => number): Promise<number> {
  await run();
  let best = Number.POSITIVE_INFINITY;
  const end = clock() + milliseconds;
  // Calls that take less than the clock can tell are measured together.
  let together = 1;
  do {
    const begin = clock();
    for (let i = 0; i < together; i++) await run();
    const time = clock() - begin;
    best = Math.min(best, time / together);
    if (time < 0.2) together = Math.min(together * 2, 64);
  } while (clock() < end);
  return best / 1000;
}

/** Prints GFLOP/s over units and batches (CPU time of one thread, wall of several); a cell with less than half of a neighbour's is marked `*`. Resolves to the exit code. */
export async function shapes(options: ShapeOptions): Promise<number> {
  if (options.engine) await setEngine(options.engine);
  await setThreads(options.threads);
  const units = options.units ?? UNITS;
  const batches = options.batches ?? BATCHES;
  const best = new Map(options.phases.map((phase) => [phase, units.map(() => batches.map(() => 0))] as const));
  for (let round = 0; round < options.rounds; round++)
    for (const [i, h] of units.entries()) {
      console.error(`round ${round + 1} of ${options.rounds}: ${h} units`);
      for (const [j, b] of batches.entries())
        for (const phase of options.phases) {
          const { gigaflop, run, dispose } = cellOf(options, phase, h, b);
          const rate =
            gigaflop /
            (await fastest(run, options.milliseconds, options.threads === 1 ? cpuTime : () => performance.now()));
          dispose();
          const row = best.get(phase)![i]!;
          row[j] = Math.max(row[j]!, rate);
        }
    }

  let low = 0;
  for (const [phase, values] of best) {
    const marks = cliffs(values);
    low += marks.flat().filter(Boolean).length;
    console.log(
      `### ${options.layer}, ${phase}: GFLOP/s of matrix products, units (rows) against batch; * is under half of a neighbour\n\n${table(
        ['', ...batches.map(String)],
        units.map((h, i) => [String(h), ...values[i]!.map((v, j) => `${format(v)}${marks[i]![j] ? ' *' : ''}`)]),
      )}\n`,
    );
  }
  console.log(`${engine().name} (${engine().reason}), threads ${options.threads}. ${processor()}.`);
  console.log(`${units.length * batches.length * best.size} cells, ${low} under half of a neighbour`);
  return 0;
}
