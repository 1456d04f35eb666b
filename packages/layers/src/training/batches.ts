import { ShapeError, splitKey, Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { describeTree, isRecord, leavesOf } from '../base/tree.js';
import { batchesOf, type InputsOf, type Samples, toSamples } from './samples.js';

/** A batch of a source: inputs, targets, and (optionally) weights of samples. */
export type Batch<X = TensorLike, Y = TensorLike> =
  | readonly [X, Y]
  | readonly [X, Y, TensorLike | Readonly<Record<string, TensorLike>>]
  | { readonly x: X; readonly y: Y; readonly sampleWeight?: TensorLike };

/**
 * Where batches come from instead of tensors: a `Dataset` of `@recurra/preprocessing`, a list of batches, or any (asynchronous) iterable. What has
 * `iterate` is told the epoch, so that a data set can shuffle anew, and where to go on.
 */
export type BatchSource<B = Batch> =
  | AsyncIterable<B>
  | Iterable<B>
  | {
      iterate(from: { readonly epoch: number; readonly index?: number }): AsyncIterable<B>;
      readonly size?: number | null;
    };

/** Is it a list of batches: pairs, triples or `{ x, y }` of tensors? Nested lists of numbers are samples. */
function isBatchList(value: readonly unknown[]): boolean {
  const [first] = value;
  if (isRecord(first)) return 'x' in first && 'y' in first;
  return (
    Array.isArray(first) &&
    first.length >= 2 &&
    first.length <= 3 &&
    leavesOf(first).some((leaf) => leaf instanceof Tensor || ArrayBuffer.isView(leaf))
  );
}

/** Is it a source of batches, rather than samples? Of lists, those of batches are, where no targets are given beside them. */
export function isBatchSource(value: unknown, alone = true): value is BatchSource {
  if (typeof value !== 'object' || value === null || value instanceof Tensor || ArrayBuffer.isView(value)) return false;
  if (Array.isArray(value)) return alone && isBatchList(value);
  return Symbol.asyncIterator in value || Symbol.iterator in value || 'iterate' in value;
}

/** The batches of each epoch. */
export interface Batches {
  /** Batches an epoch, where that is known. */
  readonly steps: number | null;
  /** Those of an epoch, from the batch `skip` on. */
  epoch(epoch: number, skip?: number): AsyncIterable<Samples> | Iterable<Samples>;
  /** One of them, to see what they are like; it is not missing in any epoch. */
  sample(epoch: number): Promise<Samples>;
  /** Lets go of what is still being read. */
  close(): Promise<void>;
}

/**
 * Those of samples in memory; with `shuffle` each epoch in an order of its own, which that key gives: it is read when the epoch begins, since a restored run
 * brings its own.
 */
export function batchesInMemory(data: Samples, batchSize: number, shuffle: (() => Tensor) | null = null): Batches {
  return {
    steps: Math.ceil(data.count / batchSize),
    epoch: (epoch, skip = 0) => batchesOf(data, batchSize, shuffle && splitKey(shuffle(), epoch + 1)[epoch]!, skip),
    sample: async () => batchesOf(data, batchSize, null)[Symbol.iterator]().next().value!,
    close: async () => {},
  };
}

/**
 * Throws `ValueError` for options that would have no effect: of samples, beside a source of batches (which come as they are), or of a source, beside
 * samples.
 */
export function expectOptionsFor(
  what: string,
  streamed: boolean,
  given: {
    readonly ofSamples: Readonly<Record<string, unknown>>;
    readonly ofBatches: Readonly<Record<string, unknown>>;
  },
): void {
  const set = (options: Readonly<Record<string, unknown>>): string | undefined =>
    Object.keys(options).find((name) => options[name] !== undefined && options[name] !== null);
  const idle = set(streamed ? given.ofSamples : given.ofBatches);
  if (idle === undefined) return;
  if (!streamed)
    throw new ValueError(
      `${what}: expected ${idle} with a source of batches alone, received it with samples in tensors, all of which are taken. Leave it out, or give a Dataset.`,
    );
  const instead: Readonly<Record<string, string>> = {
    batchSize: 'Its batches are taken as they are: call .batch(n) on the data set.',
    sampleWeight: 'Give weights in the batches: [x, y, weights].',
  };
  throw new ValueError(
    `${what}: expected samples in tensors with ${idle}, received a source of batches. ${instead[idle] ?? ''}`.trimEnd(),
  );
}

/** A batch as samples; throws as `toSamples`. */
export function samplesOfBatch(batch: unknown, what: string, inputsOf: InputsOf): Samples {
  try {
    if (Array.isArray(batch) && batch.length >= 2 && batch.length <= 3) {
      const [x, y, weight] = batch;
      return toSamples(x, y, weight ?? null, what, inputsOf);
    }
    const { x, y, sampleWeight } = (isRecord(batch) ? batch : {}) as Record<string, unknown>;
    if (x !== undefined && y !== undefined) return toSamples(x, y, sampleWeight ?? null, what, inputsOf);
  } catch (error) {
    // Parts of different lengths are most often one sample's.
    if (error instanceof ShapeError)
      throw new ShapeError(`${error.message}. If elements of the source are single samples, call .batch(n) on it.`);
    throw error;
  }
  throw new ValueError(
    `${what}: expected batches [x, y], [x, y, weights] or { x, y }, received ${describeTree(batch)}`,
  );
}

/** One pass over a source. */
function passOver<B>(source: BatchSource<B>, epoch: number, skip = 0): AsyncIterable<B> | Iterable<B> {
  if ('iterate' in source) return source.iterate(skip === 0 ? { epoch } : { epoch, index: skip });
  return skip === 0 ? source : skipping(source, skip);
}

function iteratorOf<B>(all: AsyncIterable<B> | Iterable<B>): AsyncIterator<B> | Iterator<B> {
  return Symbol.asyncIterator in all ? all[Symbol.asyncIterator]() : all[Symbol.iterator]();
}

async function* chained<B>(first: B, rest: AsyncIterator<B> | Iterator<B>): AsyncGenerator<B> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

async function* skipping<B>(source: AsyncIterable<B> | Iterable<B>, skip: number): AsyncGenerator<B> {
  let seen = 0;
  for await (const element of source) if (seen++ >= skip) yield element;
}

/**
 * Those of a source: each epoch one pass over it, or so many steps, the next epoch going on where the last one ended. Throws `ValueError` where
 * a source has nothing (more) to give, and where it has no end and no steps are given.
 */
export function batchesFrom(
  source: BatchSource<unknown>,
  stepsPerEpoch: number | null,
  what: string,
  take: (batch: unknown) => Samples,
  option = 'stepsPerEpoch',
): Batches {
  const given = Array.isArray(source) ? source.length : 'size' in source ? source.size : null;
  if (given === Number.POSITIVE_INFINITY && stepsPerEpoch === null)
    throw new ValueError(
      `${what}: expected a data set with an end, received one that repeats for ever. Give ${option}.`,
    );
  const size = typeof given === 'number' && Number.isFinite(given) ? given : null;
  const empty = (epoch: number): ValueError =>
    new ValueError(
      `${what}: expected batches in epoch ${epoch + 1}, received none. A generator can be read once: use Dataset.fromGenerator, or stepsPerEpoch.`,
    );
  let read = source;
  let pass = 0;
  let running: AsyncIterator<unknown> | Iterator<unknown> | null = null;
  const begin = (skip = 0): AsyncIterator<unknown> | Iterator<unknown> => {
    const all = passOver(read, pass++, skip);
    return iteratorOf(all);
  };
  return {
    steps: stepsPerEpoch ?? size,
    async sample(epoch) {
      const all = passOver(source, epoch);
      const iterator = iteratorOf(all);
      const first = await iterator.next();
      if (first.done) throw empty(epoch);
      // What can be read once goes on with the batch that was looked at.
      if (iterator === (source as unknown)) read = chained(first.value, iterator);
      else await iterator.return?.();
      return take(first.value);
    },
    // A data set can begin anew; a generator of the caller's may be read on.
    close: async () => {
      if ('iterate' in source) await running?.return?.();
      running = null;
    },
    async *epoch(epoch, skip = 0) {
      if (stepsPerEpoch === null) {
        let seen = skip;
        for await (const batch of passOver(read, epoch, skip)) {
          seen++;
          yield take(batch);
        }
        if (seen === 0) throw empty(epoch);
        return;
      }
      let step = skip;
      // A run that is resumed goes on where the steps so far would have brought it.
      if (!running && (epoch > 0 || skip > 0) && pass === 0) {
        const done = epoch * stepsPerEpoch + skip;
        if (size) pass = Math.floor(done / size);
        running = begin(size ? done % size : done);
      }
      for (let fresh = false; step < stepsPerEpoch; ) {
        if (!running) {
          running = begin();
          fresh = true;
        }
        const next = await running.next();
        if (!next.done) {
          fresh = false;
          step++;
          yield take(next.value);
          continue;
        }
        running = null;
        if (fresh) throw empty(epoch);
      }
    },
  };
}
