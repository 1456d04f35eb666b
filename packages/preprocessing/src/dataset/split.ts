import { randomKey, randomUniform, Tensor, ValueError } from '@recurra/tensor';
import {
  checkOptions,
  checkRules,
  checkValue,
  type OptionTable,
  type Rule,
  type Rules,
  rules,
} from '@recurra/tensor/extend';

/**
 * 0..n-1 in an order that the seed (or key) decides, all orders alike: the shuffle of Fisher and Yates. `permutation`, which compiled steps may hold,
 * sorts draws; this runs once an epoch over all samples, and sorting them took 6 times as long.
 */
export function shuffledIndices(n: number, seed: number | Tensor): Int32Array {
  checkValue('shuffledIndices', 'the seed', seed, SEED);
  const draws = randomUniform([n], { key: typeof seed === 'number' ? randomKey(seed) : seed, dtype: 'float64' }).data;
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const j = Math.floor(draws[i]! * (i + 1));
    order[i] = order[j]!;
    order[j] = i;
  }
  return order;
}

/** Options of {@link trainTestSplit}. */
export interface SplitOptions {
  /** Share (below 1) or number of samples held out; 0.25. */
  readonly testSize?: number;
  /** Seed of the shuffle; 0. */
  readonly seed?: number;
  /** Shuffle before splitting; true. Without it the last samples are held out. */
  readonly shuffle?: boolean;
  /** Labels, one a sample, whose shares both parts should keep. */
  readonly stratify?: readonly (string | number)[];
}

/**
 * Indices of samples for training and for test: every sample in exactly one. The time grows in step with the samples, with `stratify` too.
 * Throws `ValueError` if a part would be empty, or a sample has no label.
 */
export function trainTestSplit(count: number, options: SplitOptions = {}): { train: number[]; test: number[] } {
  checkValue('trainTestSplit', 'the number of samples', count, rules.countOrZero);
  if (options?.shuffle !== undefined) checkValue('trainTestSplit', 'shuffle', options.shuffle, rules.flag);
  if (options?.testSize !== undefined) checkValue('trainTestSplit', 'testSize', options.testSize, rules.positive);
  checkOptions('trainTestSplit', options, {
    testSize: true,
    seed: true,
    shuffle: true,
    stratify: true,
  } satisfies OptionTable<SplitOptions>);
  const { testSize = 0.25, seed = 0, shuffle = true, stratify } = options;
  const held = testSize < 1 ? Math.round(count * testSize) : testSize;
  if (!Number.isInteger(held) || held < 1 || held >= count)
    throw new ValueError(
      `trainTestSplit: expected both parts to have samples, received testSize ${testSize} of ${count}`,
    );
  const order = shuffle ? [...shuffledIndices(count, seed)] : Array.from({ length: count }, (_, i) => i);
  if (!stratify)
    return shuffle
      ? { test: order.slice(0, held), train: order.slice(held) }
      : { train: order.slice(0, count - held), test: order.slice(count - held) };
  if (stratify.length !== count)
    throw new ValueError(
      `trainTestSplit: expected one label for each of ${count} samples, received ${stratify.length}`,
    );
  const groups = new Map<string | number, number[]>();
  for (const i of order) {
    const label: unknown = stratify[i];
    if (typeof label !== 'string' && typeof label !== 'number' && typeof label !== 'boolean')
      throw new ValueError(
        `trainTestSplit: expected labels (strings or numbers) in stratify, received ${label === null ? 'null' : typeof label} at index ${i}`,
      );
    const members = groups.get(stratify[i]!);
    if (members) members.push(i);
    else groups.set(stratify[i]!, [i]);
  }
  // Each class gives its share; what rounding leaves goes to the classes with the largest remainder.
  const shares = [...groups.values()].map((members) => ({ members, exact: (members.length * held) / count }));
  const take = shares.map((s) => Math.floor(s.exact));
  let rest = held - take.reduce((a, b) => a + b, 0);
  for (const i of shares.map((_, j) => j).sort((a, b) => shares[b]!.exact - take[b]! - (shares[a]!.exact - take[a]!))) {
    if (rest-- <= 0) break;
    take[i]!++;
  }
  const inTest = new Uint8Array(count);
  shares.forEach(({ members }, j) => {
    // In order, the last of each class are held out, as without stratify.
    const first = shuffle ? 0 : members.length - take[j]!;
    for (let k = first; k < first + take[j]!; k++) inTest[members[k]!] = 1;
  });
  return { train: order.filter((i) => inTest[i] === 0), test: order.filter((i) => inTest[i] === 1) };
}

/** Options of {@link batchIndices}. */
export interface BatchOptions {
  readonly batchSize?: number;
  /** Shuffle with this seed or key; `null` (default): in order. */
  readonly shuffle?: number | Tensor | null;
  /** Leave out a last batch that is smaller; false. */
  readonly dropRemainder?: boolean;
}

const SEED: Rule = {
  expected: 'a seed or a key',
  accepts: (v) => rules.countOrZero.accepts(v) || v instanceof Tensor,
};

const BATCH_RULES = {
  batchSize: rules.count,
  shuffle: rules.orNull(SEED),
  dropRemainder: rules.flag,
} satisfies Rules<BatchOptions>;

/** Batches of indices 0..count-1: each exactly once (but for a dropped remainder). */
export function* batchIndices(count: number, options: BatchOptions = {}): Generator<Int32Array> {
  checkRules('batchIndices', options, BATCH_RULES);
  checkValue('batchIndices', 'the number of samples', count, rules.countOrZero);
  const { batchSize = 32, shuffle = null, dropRemainder = false } = options;
  const order = shuffle === null ? Int32Array.from({ length: count }, (_, i) => i) : shuffledIndices(count, shuffle);
  for (let start = 0; start < count; start += batchSize) {
    const batch = order.subarray(start, Math.min(count, start + batchSize));
    if (!dropRemainder || batch.length === batchSize) yield batch;
  }
}
