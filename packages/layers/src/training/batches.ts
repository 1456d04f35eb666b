import { Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { batchesOf, type Samples, toSamples } from './samples.js';

/** A batch of a source: inputs, targets, and (optionally) weights of samples. */
export type Batch =
  | readonly [TensorLike, TensorLike]
  | readonly [TensorLike, TensorLike, TensorLike]
  | { readonly x: TensorLike; readonly y: TensorLike; readonly sampleWeight?: TensorLike };

/**
 * Where batches come from instead of tensors: a `Dataset` of `@recurra/preprocessing`, or any (asynchronous) iterable. What has `iterate` is told
 * the epoch, so that a data set can shuffle anew.
 */
export type BatchSource<B = Batch> =
  | AsyncIterable<B>
  | Iterable<B>
  | { iterate(from: { readonly epoch: number }): AsyncIterable<B>; readonly size?: number | null };

/** Is it a source of batches, rather than samples? Lists are samples. */
export function isBatchSource(value: unknown): value is BatchSource {
  if (typeof value !== 'object' || value === null || value instanceof Tensor) return false;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value || 'iterate' in value;
}

/** The batches of each epoch. */
export interface Batches {
  /** Batches an epoch, where that is known. */
  readonly steps: number | null;
  epoch(epoch: number): AsyncIterable<Samples> | Iterable<Samples>;
  /** Lets go of what is still being read. */
  close(): Promise<void>;
}

/** Those of samples in memory. */
export function batchesInMemory(data: Samples, batchSize: number, shuffle: boolean): Batches {
  return {
    steps: Math.ceil(data.count / batchSize),
    epoch: () => batchesOf(data, batchSize, shuffle),
    close: async () => {},
  };
}

/** A batch as samples; throws as `toSamples`. */
export function samplesOfBatch(batch: Batch, what: string): Samples {
  if (Array.isArray(batch) && batch.length >= 2 && batch.length <= 3) {
    const [x, y, weight] = batch as readonly [TensorLike, TensorLike, TensorLike?];
    return toSamples(x, y, weight ?? null, what);
  }
  const { x, y, sampleWeight } = batch as { x?: TensorLike; y?: TensorLike; sampleWeight?: TensorLike };
  if (x === undefined || y === undefined)
    throw new ValueError(
      `${what}: expected batches [x, y], [x, y, weights] or { x, y }, received ${Array.isArray(batch) ? `${(batch as unknown[]).length} parts` : typeof batch}`,
    );
  return toSamples(x, y, sampleWeight ?? null, what);
}

/** One pass over a source. */
export function passOver<B>(source: BatchSource<B>, epoch: number): AsyncIterable<B> | Iterable<B> {
  return 'iterate' in source ? source.iterate({ epoch }) : source;
}

/**
 * Those of a source: each epoch one pass over it, or so many steps, the next epoch going on where the last one ended. Throws `ValueError` where
 * a source has nothing (more) to give.
 */
export function batchesFrom(source: BatchSource, stepsPerEpoch: number | null, what: string): Batches {
  if (stepsPerEpoch !== null && !(Number.isInteger(stepsPerEpoch) && stepsPerEpoch >= 1))
    throw new ValueError(`${what}: expected stepsPerEpoch to be an integer >= 1, received ${stepsPerEpoch}`);
  const size = 'size' in source && typeof source.size === 'number' ? source.size : null;
  const empty = (epoch: number): ValueError =>
    new ValueError(
      `${what}: expected batches in epoch ${epoch + 1}, received none. A generator can be read once: use Dataset.fromGenerator, or stepsPerEpoch.`,
    );
  let pass = 0;
  let running: AsyncIterator<Batch> | Iterator<Batch> | null = null;
  const begin = (): AsyncIterator<Batch> | Iterator<Batch> => {
    const all = passOver(source, pass++);
    return Symbol.asyncIterator in all ? all[Symbol.asyncIterator]() : all[Symbol.iterator]();
  };
  return {
    steps: stepsPerEpoch ?? size,
    // A data set can begin anew; a generator of the caller's may be read on.
    close: async () => {
      if ('iterate' in source) await running?.return?.();
      running = null;
    },
    async *epoch(epoch) {
      if (stepsPerEpoch === null) {
        let seen = 0;
        for await (const batch of passOver(source, epoch)) {
          seen++;
          yield samplesOfBatch(batch, what);
        }
        if (seen === 0) throw empty(epoch);
        return;
      }
      for (let step = 0, fresh = false; step < stepsPerEpoch; ) {
        if (!running) {
          running = begin();
          fresh = true;
        }
        const next = await running.next();
        if (!next.done) {
          fresh = false;
          step++;
          yield samplesOfBatch(next.value, what);
          continue;
        }
        running = null;
        if (fresh) throw empty(epoch);
      }
    },
  };
}
