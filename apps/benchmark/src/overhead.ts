import {
  Adam,
  Dense,
  GRU,
  Input,
  jit,
  randomKey,
  randomNormal,
  Sequential,
  type Tensor,
  treeLeaves,
  treeUnflatten,
  Variable,
  valueAndGrad,
} from 'recurra';
import { withValues } from 'recurra/extend';
import { format, median, table } from './report.js';

const BATCH = 32;

interface Case {
  readonly name: string;
  readonly shape: readonly number[];
  model(): Sequential;
}

const CASES: readonly Case[] = [
  {
    name: 'Dense(8), Dense(1)',
    shape: [8],
    model: () => new Sequential([Input({ shape: [8] }), new Dense(8, { activation: 'tanh' }), new Dense(1)]),
  },
  {
    name: 'GRU(16), Dense(1) over 20 steps',
    shape: [20, 8],
    model: () => new Sequential([Input({ shape: [20, 8] }), new GRU(16), new Dense(1)]),
  },
];

/** Microseconds a batch of an epoch of `fit` over data in memory, cut and shuffled by it, with its loss and its logs. */
function fitted({ shape, model: make }: Case, batches: number): () => Promise<number> {
  const model = make();
  model.compile({ optimizer: new Adam(), loss: 'meanSquaredError' });
  const x = randomNormal([BATCH * batches, ...shape], { key: randomKey(1) });
  const y = randomNormal([BATCH * batches, 1], { key: randomKey(2) });
  return async () => {
    const start = performance.now();
    await model.fit(x, y, { batchSize: BATCH, epochs: 1, verbose: 0 });
    return ((performance.now() - start) * 1000) / batches;
  };
}

/**
 * The same step written with `jit`, on the same batches, cut already: so both sides read as much memory that is not in caches. The loss is read each
 * time, as the logs of `fit` are.
 */
function stepped({ shape, model: make }: Case, batches: number): () => Promise<number> {
  const model = make();
  const optimizer = new Adam();
  const weights = model.trainableWeights;
  const start = weights.map((w) => w.value);
  const structure = optimizer.init(start);
  const leaves = treeLeaves(structure).map((s, i) => new Variable(s, `state ${i}`));
  const step = jit((x: Tensor, y: Tensor) => {
    const parameters = weights.map((w) => w.value);
    const { value, gradient } = valueAndGrad((v: Tensor[]) =>
      withValues(weights, v, () => (model.apply(x, { training: true }) as Tensor).sub(y).square().mean()),
    )(parameters);
    const next = optimizer.update(
      gradient,
      treeUnflatten(
        structure,
        leaves.map((s) => s.value),
      ),
      parameters,
    );
    next.parameters.forEach((p, i) => {
      weights[i]!.assign(p);
    });
    treeLeaves(next.state).forEach((s, i) => {
      leaves[i]!.assign(s);
    });
    return value;
  });
  const x = randomNormal([BATCH * batches, ...shape], { key: randomKey(1) });
  const y = randomNormal([BATCH * batches, 1], { key: randomKey(2) });
  const cut = Array.from(
    { length: batches },
    (_, i) => [x.narrow(0, i * BATCH, BATCH), y.narrow(0, i * BATCH, BATCH)] as const,
  );
  return async () => {
    const begin = performance.now();
    for (const [inputs, targets] of cut) (await step(inputs, targets)).item();
    return ((performance.now() - begin) * 1000) / batches;
  };
}

/** What `fit` adds to the compiled step of a small model, microseconds a batch: both sides in turn, medians of rounds. */
export async function overhead({
  batches = 2000,
  rounds = 7,
}: {
  readonly batches?: number;
  readonly rounds?: number;
} = {}): Promise<number> {
  const rows: string[][] = [];
  for (const one of CASES) {
    const sides = [fitted(one, batches), stepped(one, batches)];
    const times: number[][] = [[], []];
    for (let round = 0; round <= rounds; round++)
      for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const time = await sides[side]!();
        // The first round compiles.
        if (round > 0) times[side]!.push(time);
      }
    const [fit, step] = times.map(median) as [number, number];
    const added = median(times[0]!.map((t, i) => t - times[1]![i]!));
    const least = Math.min(...times[0]!) - Math.min(...times[1]!);
    rows.push([one.name, ...[fit, step, added, least].map(format)]);
  }
  console.log(
    `### us a batch of ${BATCH}, ${batches} batches in memory, medians of ${rounds} rounds\n\n${table(['model', '`fit`', 'compiled step', '`fit` adds', 'by the lowest rounds'], rows)}`,
  );
  return 0;
}
