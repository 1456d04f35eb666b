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

/** How often what is marked is measured again at most, with its neighbours. */
const AGAIN = 12;

/** The places of a table that lie beside one, in its row and column. */
const beside = (i: number, j: number): readonly (readonly [number, number])[] => [
  [i - 1, j],
  [i + 1, j],
  [i, j - 1],
  [i, j + 1],
];

/** The places of a table [rows][columns] that have less than half of what a neighbour in their row or column has. */
export function cliffs(values: readonly (readonly number[])[]): boolean[][] {
  return values.map((row, i) =>
    row.map((value, j) => beside(i, j).some(([a, b]) => value < (values[a]?.[b] ?? 0) / 2)),
  );
}

/** The marked places of a table and their neighbours, each once. */
export function doubtful(marks: readonly (readonly boolean[])[]): [number, number][] {
  return marks.flatMap((row, i) =>
    row.flatMap((marked, j) =>
      marked || beside(i, j).some(([a, b]) => marks[a]?.[b]) ? [[i, j] as [number, number]] : [],
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

/** The length of a cell's sequences. */
const stepsOf = ({ steps }: ShapeOptions, units: number): number =>
  steps ?? Math.min(256, Math.max(8, Math.round(4096 / units)));

/**
 * GB of weights that a cell reads where nothing of them stays in a cache from one step to the next: the state's in every step, the inputs' once; training does the same
 * twice, and writes their gradients.
 */
export function weightsGigabyte(layer: ShapeLayer, phase: 'train' | 'predict', units: number, steps: number): number {
  const matrix = (4 * GATES[layer] * units * units) / 1e9;
  return phase === 'predict' ? matrix * (steps + 1) : matrix * (2 * (steps + 1) + 2);
}

/** GB/s at which 32 MB are copied, read and written bytes together: the fastest of some. */
function copyRate(): number {
  const from = new Float32Array(1 << 23).fill(1);
  const to = new Float32Array(1 << 23);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12; i++) {
    const begin = performance.now();
    to.set(from);
    best = Math.min(best, performance.now() - begin);
  }
  return (2 * from.byteLength) / best / 1e6;
}

interface Cell {
  readonly gigaflop: number;
  readonly run: () => Promise<unknown>;
  readonly dispose: () => void;
}

/** A sequence alone: its last output, or the gradients of that of everything, which stay where the kernels have them. */
function cellOf(options: ShapeOptions, phase: 'train' | 'predict', units: number, batch: number): Cell {
  const { layer } = options;
  const time = stepsOf(options, units);
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

/**
 * Seconds of the fastest call, after the first, over so many milliseconds. By the wall clock: a call that others disturb takes longer, never less, and the fastest was not disturbed.
 * CPU time, which others disturb less, is only brought up to date now and then for a thread that is running: differences over a few milliseconds can be anything from 0.
 */
async function fastest(run: () => Promise<unknown>, milliseconds: number): Promise<number> {
  await run();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + milliseconds;
  do {
    const begin = performance.now();
    await run();
    best = Math.min(best, performance.now() - begin);
  } while (performance.now() < end);
  return best / 1000;
}

/**
 * Prints GFLOP/s over units and batches. A cell with less than half of a neighbour's is measured again together with its
 * neighbours, in turns, until it has more or this was done often enough; then it is marked `*`, and said at which rate it reads its weights and what a step takes, so that what
 * memory or the chain of steps binds can be told from a cliff. Resolves to the exit code.
 */
export async function shapes(options: ShapeOptions): Promise<number> {
  if (options.engine) await setEngine(options.engine);
  await setThreads(options.threads);
  const units = options.units ?? UNITS;
  const batches = options.batches ?? BATCHES;
  const best = new Map(options.phases.map((phase) => [phase, units.map(() => batches.map(() => 0))] as const));
  const measure = async (phase: 'train' | 'predict', i: number, j: number): Promise<void> => {
    const { gigaflop, run, dispose } = cellOf(options, phase, units[i]!, batches[j]!);
    const rate = gigaflop / (await fastest(run, options.milliseconds));
    dispose();
    const row = best.get(phase)![i]!;
    row[j] = Math.max(row[j]!, rate);
  };
  for (let round = 0; round < options.rounds; round++)
    for (const [i, h] of units.entries()) {
      console.error(`round ${round + 1} of ${options.rounds}: ${h} units`);
      for (const j of batches.keys()) for (const phase of options.phases) await measure(phase, i, j);
    }
  const marked = (): number =>
    [...best.values()].reduce((sum, values) => sum + cliffs(values).flat().filter(Boolean).length, 0);
  const atFirst = marked();
  let again = 0;
  for (; again < AGAIN && marked() > 0; again++) {
    console.error(`again, ${again + 1} of at most ${AGAIN}: ${marked()} cells are under half of a neighbour`);
    for (const [phase, values] of best) for (const [i, j] of doubtful(cliffs(values))) await measure(phase, i, j);
  }

  const copied = copyRate();
  const notes: string[] = [];
  for (const [phase, values] of best) {
    const marks = cliffs(values);
    console.log(
      `### ${options.layer}, ${phase}: GFLOP/s of matrix products, units (rows) against batch; * is under half of a neighbour\n\n${table(
        ['', ...batches.map(String)],
        units.map((h, i) => [String(h), ...values[i]!.map((v, j) => `${format(v)}${marks[i]![j] ? ' *' : ''}`)]),
      )}\n`,
    );
    const seconds = (i: number, j: number): number =>
      ((phase === 'train' ? 3 : 1) *
        sequenceGigaflop(options.layer, units[i]!, batches[j]!, stepsOf(options, units[i]!))) /
      values[i]![j]!;
    for (const [i, h] of units.entries())
      for (const [j, b] of batches.entries())
        if (marks[i]![j]) {
          const steps = stepsOf(options, h);
          const rate = weightsGigabyte(options.layer, phase, h, steps) / seconds(i, j);
          const others = beside(i, j).filter(([a, c]) => values[i]![j]! < (values[a]?.[c] ?? 0) / 2);
          const told = others.map(
            ([a, c]) =>
              `${units[a]} x ${batches[c]} has ${format(values[a]![c]!)}, ${format((seconds(a, c) / stepsOf(options, units[a]!)) * 1e6)} us a step`,
          );
          notes.push(
            `${phase}, ${h} units x batch ${b}: ${format(values[i]![j]!)} GFLOP/s, ${format((seconds(i, j) / steps) * 1e6)} us a step, reads weights at ${format(rate)} GB/s; ${told.join('; ')}`,
          );
        }
  }
  if (notes.length > 0)
    console.log(`${notes.join('\n')}\nA copy of 32 MB: ${format(copied)} GB/s, read and written.\n`);
  console.log(`${engine().name} (${engine().reason}), threads ${options.threads}. ${processor()}.`);
  console.log(
    `${units.length * batches.length * best.size} cells, ${marked()} under half of a neighbour (${atFirst} before those and their neighbours were measured ${again} times more)`,
  );
  return 0;
}
