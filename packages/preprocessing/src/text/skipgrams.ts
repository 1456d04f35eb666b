import { randomKey, randomUniform, ValueError } from '@recurra/tensor';
import { checkRules, checkValue, describeValue, type Rules, rules } from '@recurra/tensor/extend';
import { shuffledIndices } from '../dataset/split.js';

/** Options of {@link skipgrams}. */
export interface SkipgramsOptions {
  /** Words within so many places of each other are a couple; 4. */
  readonly windowSize?: number;
  /** Random couples for each real one; 1. */
  readonly negativeSamples?: number;
  /** Mix couples; true. */
  readonly shuffle?: boolean;
  /** Labels as [0, 1] and [1, 0] instead of 1 and 0; false. */
  readonly categorical?: boolean;
  /** The probability to keep a word, by id (see {@link makeSamplingTable}). */
  readonly samplingTable?: ArrayLike<number> | null;
  /** Of all random choices; 0. */
  readonly seed?: number;
}

const SKIPGRAM_RULES = {
  windowSize: rules.count,
  negativeSamples: rules.notNegative,
  shuffle: rules.flag,
  categorical: rules.flag,
  samplingTable: {
    expected: 'a list of probabilities, one for each id, or null',
    accepts: (v) => v === null || ArrayBuffer.isView(v) || Array.isArray(v),
  },
  seed: rules.countOrZero,
} satisfies Rules<SkipgramsOptions>;

/** Couples of word ids, and whether they stood together. */
export interface Skipgrams<L> {
  readonly couples: [number, number][];
  readonly labels: L[];
}

/**
 * Couples (word, word of its window) with label 1, and (word, random word of 1..vocabularySize - 1) with label 0, to learn embeddings from
 * (Mikolov et al. 2013). Id 0 is no word and is left out. Keras' (legacy) `skipgrams`; random choices are our generator's.
 */
export function skipgrams(
  sequence: readonly number[],
  vocabularySize: number,
  options: SkipgramsOptions & { readonly categorical: true },
): Skipgrams<[number, number]>;
export function skipgrams(
  sequence: readonly number[],
  vocabularySize: number,
  options?: SkipgramsOptions,
): Skipgrams<number>;
export function skipgrams(
  sequence: readonly number[],
  vocabularySize: number,
  options: SkipgramsOptions = {},
): Skipgrams<number | [number, number]> {
  checkRules('skipgrams', options, SKIPGRAM_RULES);
  const { windowSize = 4, negativeSamples = 1, shuffle = true, categorical = false, samplingTable = null } = options;
  const { seed = 0 } = options;
  if (!(Number.isInteger(vocabularySize) && vocabularySize >= 2))
    throw new ValueError(`skipgrams: expected vocabularySize to be an integer >= 2, received ${vocabularySize}`);
  if (!Array.isArray(sequence) && !ArrayBuffer.isView(sequence))
    throw new ValueError(`skipgrams: expected a list of ids, received ${describeValue(sequence)}`);
  sequence.forEach((word, i) => {
    if (!(Number.isInteger(word) && word >= 0 && word < vocabularySize))
      throw new ValueError(
        `skipgrams: expected ids in 0..${vocabularySize - 1}, received ${String(word)} at index ${i}`,
      );
  });
  const draw = (n: number, stream: number): ArrayLike<number> =>
    randomUniform([n], { key: randomKey(seed * 4 + stream) }).data;
  const keep = samplingTable === null ? null : draw(sequence.length, 0);
  let couples: [number, number][] = [];
  sequence.forEach((word, i) => {
    if (word === 0) return;
    if (keep !== null) {
      const probability = samplingTable![word];
      if (probability === undefined)
        throw new ValueError(
          `skipgrams: expected a sampling table with an entry for each id, received ${samplingTable!.length} entries and id ${word}`,
        );
      if (probability < keep[i]!) return;
    }
    for (let j = Math.max(0, i - windowSize); j < Math.min(sequence.length, i + windowSize + 1); j++)
      if (j !== i && sequence[j] !== 0) couples.push([word, sequence[j]!]);
  });
  const positive = couples.length;
  const negative = Math.trunc(positive * negativeSamples);
  const order = shuffledIndices(positive, seed * 4 + 1);
  const others = draw(negative, 2);
  for (let i = 0; i < negative; i++)
    couples.push([couples[order[i % positive]!]![0], 1 + Math.floor(others[i]! * (vocabularySize - 1))]);
  let labels: (number | [number, number])[] = couples.map((_, i) => {
    const together = i < positive;
    if (categorical) return together ? [0, 1] : [1, 0];
    return together ? 1 : 0;
  });
  if (shuffle) {
    const mixed = shuffledIndices(couples.length, seed * 4 + 3);
    couples = Array.from(mixed, (i) => couples[i]!);
    labels = Array.from(mixed, (i) => labels[i]!);
  }
  return { couples, labels };
}

/**
 * The probability to keep the word of each rank, float64 [size], such that frequent words do not drown the others:
 * min(1, sqrt(f / s) ...) of word2vec under Zipf's law, f(rank) ~ 1 / (rank (log rank + gamma) + 1/2 - 1 / (12 rank)). Keras'
 * (legacy) `make_sampling_table`.
 */
export function makeSamplingTable(size: number, samplingFactor = 1e-5): Float64Array {
  if (!(Number.isInteger(size) && size >= 1))
    throw new ValueError(`makeSamplingTable: expected size to be an integer >= 1, received ${size}`);
  checkValue('makeSamplingTable', 'samplingFactor', samplingFactor, rules.positive);
  const gamma = 0.577;
  return Float64Array.from({ length: size }, (_, i) => {
    const rank = Math.max(1, i);
    const f = samplingFactor * (rank * (Math.log(rank) + gamma) + 0.5 - 1 / (12 * rank));
    return Math.min(1, f / Math.sqrt(f));
  });
}
