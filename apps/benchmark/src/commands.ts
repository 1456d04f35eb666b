import {
  averagePool1d,
  conv1d,
  dotProductAttention,
  engine,
  erf,
  exp,
  expm1,
  gelu,
  grad,
  jit,
  layerNormalization,
  log,
  log1p,
  logSoftmax,
  maxPool1d,
  randomKey,
  randomUniform,
  relu,
  setEngine,
  setThreads,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  type Tensor,
  take,
  tanh,
  tensor,
  Variable,
  where,
  zeros,
} from 'recurra';
import { processor } from './machine.js';
import { build } from './models.js';
import { format, table } from './report.js';
import { uniform, WORKLOADS } from './workloads.js';

/** The time of one command of a step on one engine. */
interface Timed {
  readonly label: string;
  readonly milliseconds: number;
}

/** A step whose commands are measured: all that took part of one run, on the engine that is chosen. */
interface Subject {
  readonly name: string;
  readonly profile: () => Promise<readonly Timed[]>;
}

const FUNCTIONS = { exp, log, tanh, sigmoid, sqrt, log1p, expm1, erf, softplus, gelu, relu };

/** Milliseconds below which a command's time is the call's and the clock's rather than its own. */
const SHORT = 0.05;

const ENGINES = ['wasm', 'native'] as const;

/** The lowest times of every command of a subject, on each engine, in turns. */
async function measured(subject: Subject, rounds: number): Promise<{ label: string; times: number[] }[]> {
  const best: { label: string; times: number[] }[] = [];
  for (let round = 0; round < rounds; round++)
    for (const [e, name] of ENGINES.entries()) {
      await setEngine(name);
      for (let again = 0; again < 3; again++)
        for (const [i, { label, milliseconds }] of (await subject.profile()).entries()) {
          best[i] ??= { label, times: ENGINES.map(() => Number.POSITIVE_INFINITY) };
          best[i].times[e] = Math.min(best[i].times[e]!, milliseconds);
        }
    }
  return best;
}

/** Commands that occur in the steps of programs, each alone, large enough to be measured. */
function alone(): Subject[] {
  const subject = (name: string, f: () => void): Subject => {
    const step = jit(f, { name });
    return { name, profile: async () => (await step.profile()).times };
  };
  const draw = (shape: readonly number[], low = -2, high = 2): Variable => {
    const n = shape.reduce((a, b) => a * b);
    return new Variable(
      tensor(
        Float32Array.from(uniform(n, n), (u) => low + (high - low) * u),
        { shape },
      ),
    );
  };
  const whole = (n: number, below: number): Variable =>
    new Variable(
      tensor(
        Int32Array.from(uniform(n, n), (u) => Math.floor(u * below)),
        { shape: [n] },
      ),
    );
  /** A function of tensors whose result stays where the kernels have it. */
  const one = (name: string, f: (...xs: Tensor[]) => Tensor, ...of: Variable[]): Subject => {
    const { shape, dtype } = f(...of.map((v) => v.value));
    const to = new Variable(zeros(shape, dtype));
    return subject(name, () => to.assign(f(...of.map((v) => v.value))));
  };
  /** The gradient of its sum by the first argument. */
  const back = (name: string, f: (...xs: Tensor[]) => Tensor, ...of: Variable[]): Subject => {
    const to = new Variable(zeros(of[0]!.shape));
    const weights = draw(f(...of.map((v) => v.value)).shape);
    return subject(name, () => {
      const rest = of.slice(1).map((v) => v.value);
      to.assign(
        grad((x: Tensor) =>
          f(x, ...rest)
            .mul(weights.value)
            .sum(),
        )(of[0]!.value),
      );
    });
  };
  const flat = draw([1 << 18]);
  const positive = draw([1 << 18], 0.1, 3);
  const rows = draw([1024, 256]);
  const [w, g, m] = [draw([2_500_000]), draw([2_500_000]), draw([2_500_000])];
  const v = draw([2_500_000], 0, 1);
  const ids = whole(3200, 10_000);
  const words = draw([10_000, 32]);
  const sequence = draw([16, 200, 64]);
  const kernel = draw([5, 64, 64]);
  const [q, k, values] = [draw([8, 128, 4, 32]), draw([8, 128, 4, 32]), draw([8, 128, 4, 32])];
  const attention = (a: Tensor, b: Tensor, c: Tensor): Tensor => dotProductAttention(a, b, c);
  // A variable: what is drawn from a constant is a constant.
  const key = new Variable(randomKey(1));
  const integers = whole(1 << 18, 1000);
  return [
    subject('Adam over 2.5 million weights', () => {
      const nextM = m.value.add(g.value.sub(m.value).mul(0.1));
      const nextV = v.value.add(g.value.square().sub(v.value).mul(0.001));
      m.assign(nextM);
      v.assign(nextV);
      w.assign(w.value.sub(nextM.mul(1e-3).div(nextV.sqrt().add(1e-7))));
    }),
    one('rows of an embedding', (x, i) => take(x, i, 0), words, ids),
    back('their gradient', (x, i) => take(x, i, 0), words, ids),
    one('uniform numbers', (k) => randomUniform([1 << 18], { key: k! }), key),
    one('dropout', (x, k) => where(randomUniform([1 << 18], { key: k! }).less(0.5), 0, x!.mul(2)), flat, key),
    one('softmax of rows', (x) => softmax(x), rows),
    back('its gradient', (x) => softmax(x), rows),
    one('logSoftmax of rows', (x) => logSoftmax(x), rows),
    one('layer normalization', (x) => layerNormalization(x), rows),
    back('its gradient', (x) => layerNormalization(x), rows),
    one('sum of all', (x) => x.sum(), flat),
    one('sums of rows', (x) => x.sum(1), rows),
    one('sums of columns', (x) => x.sum(0), rows),
    one('maxima of rows', (x) => x.max(1), rows),
    one('maxima of columns', (x) => x.max(0), rows),
    one('places of maxima of rows', (x) => x.argmax(1), rows),
    one('running sums of rows', (x) => x.cumsum(1), rows),
    one('sum of integers', (x) => x.sum(), integers),
    one('attention', (a, b, c) => attention(a!, b!, c!), q, k, values),
    back('its gradient', (a, b, c) => attention(a!, b!, c!), q, k, values),
    one('convolution', (x, y) => conv1d(x, y), sequence, kernel),
    back('its gradient by the input', (x, y) => conv1d(x, y), sequence, kernel),
    back('its gradient by the kernel', (y, x) => conv1d(x!, y!), kernel, sequence),
    one('pooling, largest', (x) => maxPool1d(x, 2), sequence),
    back('its gradient', (x) => maxPool1d(x, 2), sequence),
    one('pooling, mean', (x) => averagePool1d(x, 2), sequence),
    ...Object.entries(FUNCTIONS).map(([name, f]) => one(name, (x) => f(x!), positive)),
    one('power', (x, y) => x.pow(y), positive, flat),
    one('remainder', (x, y) => x.mod(y), flat, positive),
    one('floored quotient', (x, y) => x.floorDivide(y), flat, positive),
    one('remainder of integers', (x) => x.mod(7), integers),
    one('a x + b', (x, y) => x.mul(0.5).add(y), flat, positive),
    one('choice', (x, y) => where(x.less(y), x, y), flat, positive),
    one('transposition', (x) => x.transpose().add(0), rows),
    one('rows plus a column', (x, y) => x.add(y), rows, draw([1024, 1])),
    one('booleans', (x, y) => x.less(y), flat, positive),
  ];
}

/** Prints a table of each subject: milliseconds of its commands on both engines, and the ratio. Resolves to the exit code: 1 where native is slower anywhere. */
export async function commands(options: { workloads: readonly string[]; rounds: number }): Promise<number> {
  await setThreads(1);
  await setEngine('native');
  const { reason } = engine();
  const head = ['', ...ENGINES, `${ENGINES[0]} / ${ENGINES[1]}`];
  const line = (label: string, [a, b]: readonly number[]): string[] => [label, format(a), format(b), format(a! / b!)];
  let [count, slower] = [0, 0];
  const judge = (rows: readonly { times: number[] }[]): void => {
    for (const { times } of rows) {
      if (Math.max(...times) < SHORT) continue;
      count++;
      if (times[0]! < times[1]!) slower++;
    }
  };
  const single: string[][] = [];
  for (const subject of options.workloads.length === 0 ? alone() : []) {
    const rows = await measured(subject, options.rounds);
    const times = ENGINES.map((_, e) => rows.reduce((sum, row) => sum + row.times[e]!, 0));
    judge([{ times }]);
    single.push(line(subject.name, times));
  }
  if (single.length > 0) console.log(`### commands alone: milliseconds on one thread\n\n${table(head, single)}\n`);
  for (const name of options.workloads.length > 0 ? options.workloads : Object.keys(WORKLOADS)) {
    const { profile, train } = build(name);
    if (!profile || !train) continue;
    const rows = await measured({ name, profile }, options.rounds);
    const shown = rows.filter(({ times }) => Math.max(...times) >= SHORT).sort((a, b) => b.times[1]! - a.times[1]!);
    judge(shown);
    const all = ENGINES.map((_, e) => rows.reduce((sum, row) => sum + row.times[e]!, 0));
    console.log(
      `### ${name}: commands of a training step, milliseconds on one thread (those from ${SHORT})\n\n${table(head, [...shown.map(({ label, times }) => line(label, times)), line('all', all)])}\n`,
    );
  }
  console.log(`${reason}. ${processor()}.`);
  console.log(`${count} commands, ${slower} slower natively`);
  return slower > 0 ? 1 : 0;
}
