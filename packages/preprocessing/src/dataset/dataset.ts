import { Tensor, ValueError } from '@recurra/tensor';
import { checkRules, checkValue, type Rules, rules } from '@recurra/tensor/extend';
import { refuseEndless } from '../internal/endless.js';
import { type ListOf, listOf } from '../internal/texts.js';
import {
  type Batched,
  checkPadding,
  collate,
  PADDING_RULES,
  type PaddingOptions,
  padded,
  samplesOf,
  type Unbatched,
} from './collate.js';
import { Draws } from './random.js';
import { trainTestSplit } from './split.js';

/** Where an iteration stands: epoch (the pass, which shuffles differ by) and the number of elements that were given. JSON. */
export interface DatasetPosition {
  readonly epoch: number;
  readonly index: number;
}

/** An iteration that can say where it stands. */
export interface DatasetIterator<T> extends AsyncIterableIterator<T> {
  /** What `Dataset.iterate` takes to go on from here, now or in another process. */
  readonly position: DatasetPosition;
}

/** Elements in lists, so that asynchronous calls are paid once a list; `skip` elements are left out at the start. */
type Open<T> = (skip: number, epoch: number) => AsyncGenerator<readonly T[], void, void>;

/** Elements in a list of a source that is in memory. */
const CHUNK = 1024;

/** Options of {@link Dataset.shuffle}. */
export interface ShuffleOptions {
  /** Elements among which the next one is drawn; `Infinity` (default): all, a uniform permutation. */
  readonly bufferSize?: number;
  /** 0 */
  readonly seed?: number;
  /** Another order in each epoch; true. */
  readonly reshuffleEachIteration?: boolean;
}

/** Options of {@link Dataset.fromGenerator} and {@link Dataset.fromChunks}. */
export interface GeneratorOptions {
  /**
   * The number of elements, where it is known; `Infinity` for those that never end (what would read all of them then refuses at once, as `fit`
   * does without `stepsPerEpoch`). `null` (default): not known. An iteration that gives another number throws `ValueError`.
   */
  readonly size?: number | null;
}

/** Options of {@link Dataset.batch}. */
export interface DatasetBatchOptions {
  /** Leave out a last batch that is smaller; false. */
  readonly dropRemainder?: boolean;
}

const SHUFFLE_RULES = {
  bufferSize: rules.isNumber,
  seed: rules.countOrZero,
  reshuffleEachIteration: rules.flag,
} satisfies Rules<ShuffleOptions>;
const BATCH_RULES: Rules<DatasetBatchOptions> = { dropRemainder: rules.flag };
const PADDED_BATCH_RULES: Rules<PaddingOptions & DatasetBatchOptions> = { ...PADDING_RULES, ...BATCH_RULES };

/** Options of {@link Dataset.bucketByLength}. */
export interface BucketOptions<T> extends PaddingOptions, DatasetBatchOptions {
  /** Upper bounds (inclusive) of the lengths of buckets, rising; longer ones make one more bucket. */
  readonly boundaries: readonly number[];
  /** Elements of a batch: one number, or one for each bucket (the last for those beyond all bounds). */
  readonly batchSize: number | readonly number[];
  /** The length of an element; by default that of the first list, typed array or tensor in it. */
  readonly length?: (element: T) => number;
}

const BUCKET_RULES = {
  ...PADDED_BATCH_RULES,
  boundaries: rules.required({
    expected: 'an array of numbers',
    accepts: (v) => Array.isArray(v) && v.every((bound) => typeof bound === 'number' && !Number.isNaN(bound)),
  }),
  batchSize: rules.required({
    expected: 'an integer >= 1, or an array of them',
    accepts: (v) => rules.count.accepts(v) || (Array.isArray(v) && v.every(rules.count.accepts)),
  }),
  length: rules.callable,
} satisfies Rules<BucketOptions<never>>;

function positive(name: string, what: string, n: number): void {
  if (!(Number.isInteger(n) && n >= 1))
    throw new ValueError(`${name}: expected ${what} to be an integer >= 1, received ${n}`);
}

async function* chunksOf<T>(items: readonly T[], skip: number): AsyncGenerator<readonly T[], void, void> {
  for (let i = skip; i < items.length; i += CHUNK) yield items.slice(i, i + CHUNK);
}

/** Leaves out the first `skip` elements of chunks. Returns how many more would have to be left out. */
async function* leavingOut<T>(
  chunks: AsyncIterable<readonly T[]>,
  skip: number,
): AsyncGenerator<readonly T[], number, void> {
  let rest = skip;
  for await (const chunk of chunks) {
    if (rest >= chunk.length) rest -= chunk.length;
    else if (rest > 0) {
      yield chunk.slice(rest);
      rest = 0;
    } else yield chunk;
  }
  return rest;
}

/** Leaves out the first `skip` elements of chunks. */
async function* dropping<T>(
  chunks: AsyncIterable<readonly T[]>,
  skip: number,
): AsyncGenerator<readonly T[], void, void> {
  yield* leavingOut(chunks, skip);
}

/** Promises of another realm are promises too. */
function isPromise<U>(value: U | Promise<U>): value is Promise<U> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

/** What functions give that have to give it at once. A promise would be taken for a value: true, an object. */
function notPromise<U>(name: string, value: U): U {
  if (!isPromise(value)) return value;
  (value as Promise<unknown>).catch(() => {});
  throw new ValueError(
    `${name}: expected a function that gives its value at once, received a promise. Use map before it.`,
  );
}

/** Values in order. When one is an error, the others are waited for, and the first of the errors is thrown. */
async function settled<U>(running: readonly Promise<U>[]): Promise<U[]> {
  const results = await Promise.allSettled(running);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<U>).value);
}

/** Ends iterations, all of them, then throws the first error that one of them had. */
async function closeAll(sources: readonly { return(): Promise<unknown> }[]): Promise<void> {
  await settled(sources.map((source) => source.return()));
}

/** The size of what has some of the elements of another: not known, but of endless ones. */
const someOf = (size: number | null): number | null => (size === Infinity ? Infinity : null);

/** Chunks of a source that should have so many elements. Throws `ValueError` where it has others. */
async function* counted<T>(
  name: string,
  chunks: AsyncIterable<readonly T[]>,
  size: number | null,
): AsyncGenerator<readonly T[], void, void> {
  let n = 0;
  for await (const chunk of chunks) {
    n += chunk.length;
    if (size !== null && n > size) throw new ValueError(`${name}: expected ${size} elements (its size), received more`);
    yield chunk;
  }
  if (size !== null && n !== size)
    throw new ValueError(
      `${name}: expected ${size === Infinity ? 'elements without an end (size: Infinity)' : `${size} elements (its size)`}, received ${n}`,
    );
}

function checkSize(name: string, size: number | null): void {
  if (size !== null && size !== Infinity && !(Number.isInteger(size) && size >= 0))
    throw new ValueError(`${name}: expected size to be an integer >= 0, Infinity or null, received ${size}`);
}

function lengthOf(element: unknown): number {
  if (typeof element === 'object' && element !== null) {
    if (ArrayBuffer.isView(element)) return (element as unknown as ArrayLike<number>).length;
    if (element instanceof Tensor) return element.shape[0] ?? 0;
    if (Array.isArray(element)) {
      if (element.length === 0 || typeof element[0] === 'number') return element.length;
      for (const part of element) if (typeof part === 'object') return lengthOf(part);
      return element.length;
    }
    for (const part of Object.values(element)) if (typeof part === 'object' && part !== null) return lengthOf(part);
  }
  throw new ValueError(
    'bucketByLength: expected elements that hold a sequence, received none. Pass `length: (element) => ...`.',
  );
}

/**
 * A lazy sequence of elements from memory, files or streams, and what is done with them on their way to a model. Nothing is read before
 * the iteration (`for await`), each iteration begins anew, and operations give new data sets. As TensorFlow's `tf.data.Dataset`.
 *
 * Every iteration gives the same elements, for the same seeds and epoch, so one can be resumed: keep `iterator.position`, and go on with
 * `dataset.iterate(position)`. What lies before is skipped, not computed, as far as the operations allow.
 *
 * An element is a value, a tuple `[x, y]`, or an object of such. In batches, numbers, lists of numbers, typed arrays and tensors become
 * tensors; a list of numbers is a vector, any other list at the top is a tuple.
 */
export class Dataset<T> implements AsyncIterable<T> {
  private readonly open: Open<T>;
  /**
   * Number of elements, where it is known without reading: `null` else. `Infinity` where it is known that they never end: after `repeat()` without
   * a count, of a generator with `size: Infinity`, and of what is made from such data sets. What needs all elements (`toArray`, `count`,
   * `split`, `cache`, a `shuffle` of all) refuses those at once.
   */
  readonly size: number | null;

  /** @internal */
  constructor(open: Open<T>, size: number | null = null) {
    this.open = open;
    this.size = size;
  }

  // ---- Sources

  /** The elements of a list. Throws `ValueError` for what is none. */
  static fromArray<T>(items: readonly T[]): Dataset<T> {
    if (!Array.isArray(items) && !ArrayBuffer.isView(items)) {
      listOf('Dataset.fromArray', 'elements', items);
      throw new ValueError(
        'Dataset.fromArray: expected an array. Of anything else that can be walked, make one: [...items].',
      );
    }
    return new Dataset<T>((skip) => chunksOf(items, skip), items.length);
  }

  /** Slices of tensors along their first axis: one tensor, or a tuple of them. Throws `ValueError` for different lengths. */
  static fromTensors<X extends readonly Tensor[]>(...tensors: X): Dataset<{ [K in keyof X]: Tensor }> {
    const size = tensors[0]?.shape[0];
    if (size === undefined || tensors.some((t) => t.shape[0] !== size))
      throw new ValueError(
        `Dataset.fromTensors: expected tensors of one length, received shapes ${tensors.map((t) => JSON.stringify(t.shape)).join(', ')}`,
      );
    return Dataset.range(size).map((i) => tensors.map((t) => t.at(i)) as { [K in keyof X]: Tensor });
  }

  /** 0, 1, ..., n - 1 */
  static range(n: number): Dataset<number> {
    if (!(Number.isInteger(n) && n >= 0))
      throw new ValueError(`Dataset.range: expected n to be an integer >= 0, received ${n}`);
    return new Dataset<number>(async function* (skip) {
      for (let i = skip; i < n; i += CHUNK) yield Array.from({ length: Math.min(CHUNK, n - i) }, (_, k) => i + k);
    }, n);
  }

  /** What a function's iterable gives; the function is called for each iteration. */
  static fromGenerator<T>(generate: () => ListOf<T> | AsyncIterable<T>, options: GeneratorOptions = {}): Dataset<T> {
    const name = 'Dataset.fromGenerator';
    if (typeof generate !== 'function')
      throw new ValueError(`${name}: expected a function that gives an iterable, received ${typeof generate}`);
    return Dataset.sized(name, options, async function* () {
      const source = generate();
      if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source))
        listOf(name, 'elements', source);
      if (Symbol.asyncIterator in source) {
        for await (const item of source) yield [item];
        return;
      }
      let chunk: T[] = [];
      for (const item of source)
        if (chunk.push(item) === CHUNK) {
          yield chunk;
          chunk = [];
        }
      if (chunk.length > 0) yield chunk;
    });
  }

  /** As {@link Dataset.fromGenerator}, for elements that come in lists: the way to write fast sources. */
  static fromChunks<T>(generate: () => AsyncIterable<readonly T[]>, options: GeneratorOptions = {}): Dataset<T> {
    return Dataset.sized('Dataset.fromChunks', options, generate);
  }

  private static sized<T>(
    name: string,
    options: GeneratorOptions,
    generate: () => AsyncIterable<readonly T[]>,
  ): Dataset<T> {
    const { size = null } = options;
    checkSize(name, size);
    return new Dataset<T>((skip) => dropping(size === null ? generate() : counted(name, generate(), size), skip), size);
  }

  // ---- Element by element

  /**
   * f(element, index), in order; `f` may be asynchronous, then up to `concurrency` (8) calls overlap. Where one throws, those beside it are
   * waited for, and the error comes in its element's place.
   */
  map<U>(
    f: (element: T, index: number) => U | Promise<U>,
    options: { readonly concurrency?: number } = {},
  ): Dataset<U> {
    checkValue('map', 'its argument', f, rules.callable);
    checkRules('map', options, { concurrency: rules.count });
    const { concurrency = 8 } = options;
    const { open } = this;
    return new Dataset<U>(async function* (skip, epoch) {
      let index = skip;
      for await (const chunk of open(skip, epoch)) {
        const out: U[] = [];
        for (let i = 0; i < chunk.length; ) {
          const value = f(chunk[i]!, index + i);
          if (!isPromise(value)) {
            out.push(value);
            i++;
            continue;
          }
          const running = [value];
          while (running.length < concurrency && i + running.length < chunk.length)
            try {
              running.push(Promise.resolve(f(chunk[i + running.length]!, index + i + running.length)));
            } catch (error) {
              // The calls before it are under way.
              running.push(Promise.reject(error));
              break;
            }
          out.push(...(await settled(running)));
          i += running.length;
        }
        index += chunk.length;
        yield out;
      }
    }, this.size);
  }

  /** The elements for which `keep` holds. */
  filter(keep: (element: T, index: number) => boolean): Dataset<T> {
    checkValue('filter', 'its argument', keep, rules.callable);
    const { open } = this;
    return new Dataset<T>((skip, epoch) => {
      async function* kept(): AsyncGenerator<readonly T[], void, void> {
        let index = 0;
        for await (const chunk of open(0, epoch)) {
          const first = index;
          index += chunk.length;
          const some = chunk.filter((element, i) => notPromise('filter', keep(element, first + i)));
          if (some.length > 0) yield some;
        }
      }
      return dropping(kept(), skip);
    }, someOf(this.size));
  }

  /** The elements of the lists (or data sets) that `f` gives, one after another. */
  flatMap<U>(f: (element: T, index: number) => ListOf<U> | Dataset<U>): Dataset<U> {
    const { open } = this;
    return new Dataset<U>((skip, epoch) => {
      async function* all(): AsyncGenerator<readonly U[], void, void> {
        let index = 0;
        for await (const chunk of open(0, epoch)) {
          let out: U[] = [];
          for (const element of chunk) {
            const inner = f(element, index++);
            if (inner instanceof Dataset) {
              if (out.length > 0) yield out;
              out = [];
              yield* inner.open(0, epoch);
            } else for (const item of listOf('flatMap', 'elements', notPromise('flatMap', inner))) out.push(item);
          }
          if (out.length > 0) yield out;
        }
      }
      return dropping(all(), skip);
    }, someOf(this.size));
  }

  /** [index, element] */
  enumerate(): Dataset<[number, T]> {
    return this.map((element, index) => [index, element] as [number, T]);
  }

  // ---- Batches

  /**
   * `batchSize` elements at a time, put together: numbers, vectors and tensors of one shape become tensors with a first axis of
   * samples, strings lists of them, tuples and objects stay. Throws `ShapeError`, in the iteration, for elements of different shapes, dtypes or
   * keys: nothing is cast or left out.
   */
  batch(batchSize: number, options: DatasetBatchOptions = {}): Dataset<Batched<T>> {
    checkRules('batch', options, BATCH_RULES);
    return this.grouped('batch', batchSize, options).map((elements) => collate(elements));
  }

  /**
   * As {@link Dataset.batch}, sequences padded to the longest of their batch (`maxLength`, `padding` 'post', `value` 0, ...). Lists of whole numbers
   * become int32, others float32; typed arrays and tensors keep their dtype.
   */
  paddedBatch(batchSize: number, options: PaddingOptions & DatasetBatchOptions = {}): Dataset<Batched<T>> {
    checkPadding('paddedBatch', options, PADDED_BATCH_RULES);
    return this.grouped('paddedBatch', batchSize, options).map((elements) => padded(elements, options));
  }

  /** `size` elements at a time, in lists. */
  chunk(size: number, options: DatasetBatchOptions = {}): Dataset<readonly T[]> {
    checkRules('chunk', options, BATCH_RULES);
    return this.grouped('chunk', size, options);
  }

  private grouped(name: string, size: number, options: DatasetBatchOptions): Dataset<readonly T[]> {
    positive(name, 'the size', size);
    const { open } = this;
    const { dropRemainder = false } = options;
    const batches =
      this.size === null ? null : dropRemainder ? Math.floor(this.size / size) : Math.ceil(this.size / size);
    return new Dataset<readonly T[]>(async function* (skip, epoch) {
      let rest: T[] = [];
      for await (const chunk of open(skip * size, epoch)) {
        const out: (readonly T[])[] = [];
        let at = 0;
        if (rest.length > 0) {
          at = Math.min(chunk.length, size - rest.length);
          // Not by `push(...)`: a long list would overflow the stack.
          for (let i = 0; i < at; i++) rest.push(chunk[i]!);
          if (rest.length === size) {
            out.push(rest);
            rest = [];
          }
        }
        for (; at + size <= chunk.length; at += size) out.push(chunk.slice(at, at + size));
        if (at < chunk.length) rest = chunk.slice(at);
        // One at a time: what becomes of a batch (its tensors) should not wait in memory for the others.
        for (const batch of out) yield [batch];
      }
      if (rest.length > 0 && !dropRemainder) yield [rest];
    }, batches);
  }

  /**
   * Batches of sequences of similar length, padded: less is computed on padding. Elements wait in the bucket of their length until it has a
   * batch; what is left at the end comes in smaller batches. TensorFlow's `bucket_by_sequence_length`.
   */
  bucketByLength(options: BucketOptions<T>): Dataset<Batched<T>> {
    checkPadding('bucketByLength', options, BUCKET_RULES);
    const { boundaries, batchSize, length = lengthOf, dropRemainder = false } = options;
    if (boundaries.length === 0 || boundaries.some((b, i) => i > 0 && b <= boundaries[i - 1]!))
      throw new ValueError(`bucketByLength: expected boundaries to rise, received ${JSON.stringify(boundaries)}`);
    const sizes =
      typeof batchSize === 'number' ? new Array<number>(boundaries.length + 1).fill(batchSize) : [...batchSize];
    if (sizes.length !== boundaries.length + 1)
      throw new ValueError(
        `bucketByLength: expected one batchSize, or ${boundaries.length + 1} (one more than boundaries), received ${sizes.length}`,
      );
    const { open } = this;
    const grouped = new Dataset<readonly T[]>((skip, epoch) => {
      async function* all(): AsyncGenerator<readonly (readonly T[])[], void, void> {
        const buckets = sizes.map((): T[] => []);
        for await (const chunk of open(0, epoch))
          for (const element of chunk) {
            const n: unknown = notPromise('bucketByLength', length(element));
            if (!(typeof n === 'number' && n >= 0))
              throw new ValueError(`bucketByLength: expected \`length\` to give a number >= 0, received ${String(n)}`);
            const found = boundaries.findIndex((bound) => n <= bound);
            const k = found < 0 ? boundaries.length : found;
            buckets[k]!.push(element);
            if (buckets[k]!.length === sizes[k]) {
              yield [buckets[k]!];
              buckets[k] = [];
            }
          }
        if (!dropRemainder) for (const bucket of buckets) if (bucket.length > 0) yield [bucket];
      }
      return dropping(all(), skip);
    }, someOf(this.size));
    return grouped.map((elements) => padded(elements, options));
  }

  /** The elements of lists, or the samples of batches: tensors are cut along their first axis, tuples and objects by component. */
  unbatch(): Dataset<Unbatched<T>> {
    return this.flatMap((batch) => samplesOf(batch) as Unbatched<T>[]);
  }

  // ---- Order and number

  /**
   * Elements in random order: each is drawn from a buffer of the next `bufferSize` (all, by default), which the following one then refills.
   * The same seed and epoch give the same order. Throws `ValueError` for all of an endless data set.
   */
  shuffle(options: ShuffleOptions = {}): Dataset<T> {
    checkRules('shuffle', options, SHUFFLE_RULES);
    const { bufferSize = Infinity, seed = 0, reshuffleEachIteration = true } = options;
    if (bufferSize !== Infinity) positive('shuffle', 'bufferSize', bufferSize);
    else refuseEndless('shuffle', this, 'Give a bufferSize, or shuffle before repeat().');
    const { open } = this;
    return new Dataset<T>((skip, epoch) => {
      async function* mixed(): AsyncGenerator<readonly T[], void, void> {
        const draws = new Draws(seed, reshuffleEachIteration ? epoch : 0);
        const buffer: T[] = [];
        for await (const chunk of open(0, epoch)) {
          const out: T[] = [];
          for (const element of chunk) {
            if (buffer.length < bufferSize) buffer.push(element);
            else {
              const k = draws.below(buffer.length);
              out.push(buffer[k]!);
              buffer[k] = element;
            }
          }
          if (out.length > 0) yield out;
        }
        // Fisher-Yates on what is left.
        for (let n = buffer.length; n > 1; n--) {
          const k = draws.below(n);
          [buffer[k], buffer[n - 1]] = [buffer[n - 1]!, buffer[k]!];
        }
        for (let i = buffer.length; i > 0; i -= CHUNK) yield buffer.slice(Math.max(0, i - CHUNK), i).reverse();
      }
      return dropping(mixed(), skip);
    }, this.size);
  }

  /**
   * The elements `count` times over (for ever by default: then `size` is `Infinity`), each time as another epoch. Without a count, a pass that gives
   * no element throws `ValueError`: there is nothing to repeat, or the source can be read once only.
   */
  repeat(count: number = Infinity): Dataset<T> {
    if (count !== Infinity && !(Number.isInteger(count) && count >= 0))
      throw new ValueError(`repeat: expected count to be an integer >= 0 or Infinity, received ${count}`);
    const { open, size } = this;
    return new Dataset<T>(
      async function* (skip, epoch) {
        let rest = skip;
        let pass = 0;
        if (size !== null && size > 0 && size !== Infinity) {
          pass = Math.min(count, Math.floor(rest / size));
          rest -= pass * size;
        }
        for (; pass < count; pass++) {
          let seen = 0;
          async function* one(from: number): AsyncGenerator<readonly T[], void, void> {
            for await (const chunk of open(from, epoch * MAX_PASSES + pass)) {
              seen += chunk.length;
              yield chunk;
            }
          }
          // Of passes of unknown size, those that are skipped whole have to be counted.
          if (size === null) rest = yield* leavingOut(one(0), rest);
          else {
            yield* one(rest);
            seen += rest;
            rest = 0;
          }
          if (seen === 0 && size !== 0 && count === Infinity)
            throw new ValueError(
              `repeat: expected elements to repeat for ever, received none in pass ${pass + 1}. A source that can be read once (a stream, a response) needs cache() before repeat().`,
            );
          if (size === 0) return;
        }
      },
      size === 0 || count === 0 ? 0 : count === Infinity ? Infinity : size === null ? null : size * count,
    );
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    if (!(Number.isInteger(count) && count >= 0))
      throw new ValueError(`take: expected count to be an integer >= 0, received ${count}`);
    const { open } = this;
    return new Dataset<T>(
      async function* (skip, epoch) {
        let rest = count - skip;
        if (rest <= 0) return;
        for await (const chunk of open(skip, epoch)) {
          yield chunk.length <= rest ? chunk : chunk.slice(0, rest);
          rest -= chunk.length;
          if (rest <= 0) return;
        }
      },
      count === 0 ? 0 : this.size === null ? null : Math.min(count, this.size),
    );
  }

  /** All but the first `count` elements. */
  skip(count: number): Dataset<T> {
    if (!(Number.isInteger(count) && count >= 0))
      throw new ValueError(`skip: expected count to be an integer >= 0, received ${count}`);
    const { open } = this;
    return new Dataset<T>(
      (skip, epoch) => open(skip + count, epoch),
      this.size === null ? null : Math.max(0, this.size - count),
    );
  }

  /** The elements of this data set, then those of others. */
  concat(...others: readonly Dataset<T>[]): Dataset<T> {
    for (const other of others) checkValue('concat', 'the other', other, rules.instanceOf(Dataset, 'a data set'));
    const all: readonly Dataset<T>[] = [this, ...others];
    const sizes = all.map((d) => d.size);
    return new Dataset<T>(
      async function* (skip, epoch) {
        let rest = skip;
        for (const part of all) {
          if (part.size !== null && rest >= part.size) {
            rest -= part.size;
            continue;
          }
          if (part.size === null) rest = yield* leavingOut(part.open(0, epoch), rest);
          else {
            yield* part.open(rest, epoch);
            rest = 0;
          }
        }
      },
      sizes.includes(Infinity)
        ? Infinity
        : sizes.includes(null)
          ? null
          : (sizes as number[]).reduce((a, b) => a + b, 0),
    );
  }

  /** Tuples of the elements of this data set and others, as many as the shortest has. */
  zip<U extends readonly unknown[]>(...others: { readonly [K in keyof U]: Dataset<U[K]> }): Dataset<[T, ...U]> {
    const all = [this, ...others] as readonly Dataset<unknown>[];
    const sizes = all.map((d) => d.size);
    return new Dataset<[T, ...U]>(
      async function* (skip, epoch) {
        const sources = all.map((d) => d.open(skip, epoch));
        const buffers = all.map((): { items: readonly unknown[]; at: number } => ({ items: [], at: 0 }));
        try {
          for (;;) {
            for (const [k, buffer] of buffers.entries())
              while (buffer.at === buffer.items.length) {
                const next = await sources[k]!.next();
                if (next.done) return;
                buffer.items = next.value;
                buffer.at = 0;
              }
            const n = Math.min(...buffers.map((b) => b.items.length - b.at));
            const out = Array.from({ length: n }, (_, i) => buffers.map((b) => b.items[b.at + i]) as [T, ...U]);
            for (const b of buffers) b.at += n;
            yield out;
          }
        } finally {
          await closeAll(sources);
        }
      },
      sizes.includes(null) ? null : Math.min(...(sizes as number[])),
    );
  }

  /**
   * The elements of the data sets that `f` gives, `blockLength` (1) of each in turn, `cycleLength` (4) data sets at a time: to mix files.
   */
  interleave<U>(
    f: (element: T) => Dataset<U>,
    options: { readonly cycleLength?: number; readonly blockLength?: number } = {},
  ): Dataset<U> {
    const { cycleLength = 4, blockLength = 1 } = options;
    positive('interleave', 'cycleLength', cycleLength);
    positive('interleave', 'blockLength', blockLength);
    const { open } = this;
    return new Dataset<U>((skip, epoch) => {
      async function* mixed(): AsyncGenerator<readonly U[], void, void> {
        const elements = new Elements(open(0, epoch), epoch, 0);
        const running: AsyncGenerator<readonly U[], void, void>[] = [];
        const refill = async (): Promise<void> => {
          while (running.length < cycleLength) {
            const next = await elements.next();
            if (next.done) return;
            const inner: unknown = f(next.value);
            if (!(inner instanceof Dataset))
              throw new ValueError(
                `interleave: expected a function that gives a Dataset, received ${inner === null ? 'null' : typeof inner}`,
              );
            running.push((inner as Dataset<U>).chunk(blockLength).unbatched(epoch));
          }
        };
        try {
          await refill();
          for (let k = 0; running.length > 0; ) {
            const block = await running[k]!.next();
            if (block.done) {
              running.splice(k, 1);
              await refill();
              if (k >= running.length) k = 0;
              continue;
            }
            yield block.value;
            k = (k + 1) % running.length;
          }
        } finally {
          await closeAll([...running, elements]);
        }
      }
      return dropping(mixed(), skip);
    }, someOf(this.size));
  }

  /** @internal The lists of a data set of lists, one at a time. */
  private async *unbatched<U>(this: Dataset<readonly U[]>, epoch: number): AsyncGenerator<readonly U[], void, void> {
    for await (const chunk of this.open(0, epoch)) yield* chunk;
  }

  // ---- Keeping and reading ahead

  /**
   * Keeps the elements of the first whole iteration in memory; later ones read nothing. Not for data that differ by epoch. Throws `ValueError` for
   * an endless data set, which no iteration reads whole.
   */
  cache(): Dataset<T> {
    refuseEndless('cache', this, 'Use cache() before repeat().');
    const { open } = this;
    let kept: T[] | null = null;
    return new Dataset<T>(async function* (skip, epoch) {
      if (kept) {
        yield* chunksOf(kept, skip);
        return;
      }
      const own: T[] = [];
      async function* filling(): AsyncGenerator<readonly T[], void, void> {
        for await (const chunk of open(0, epoch)) {
          for (const element of chunk) own.push(element);
          yield chunk;
        }
        kept = own;
      }
      yield* dropping(filling(), skip);
    }, this.size);
  }

  /** Reads up to `count` (2) lists of elements (or batches) ahead, while the present one is worked on. */
  prefetch(count = 2): Dataset<T> {
    positive('prefetch', 'count', count);
    const { open } = this;
    return new Dataset<T>(async function* (skip, epoch) {
      const source = open(skip, epoch);
      const ahead: Promise<IteratorResult<readonly T[], void>>[] = [];
      const read = (): void => {
        const next = source.next();
        // An error is told where its element would come.
        next.catch(() => {});
        ahead.push(next);
      };
      try {
        for (let i = 0; i < count; i++) read();
        for (;;) {
          const next = await ahead.shift()!;
          if (next.done) return;
          read();
          yield next.value;
        }
      } finally {
        await source.return();
      }
    }, this.size);
  }

  // ---- Parts

  /**
   * Two data sets, for training and for a test: `testSize` (0.25; a share or a number) of the elements are drawn for the second, with
   * `stratify` such that classes keep their shares. Reads the elements once, to count them (and read their labels), and keeps none; each
   * part then reads them again, always in the order of epoch 0, so that no element wanders from one part to the other where a shuffle comes
   * before (shuffle the part for training instead). Throws `ValueError` where a part would be empty, and for an endless data set.
   */
  async split(
    options: {
      readonly testSize?: number;
      readonly seed?: number;
      readonly shuffle?: boolean;
      readonly stratify?: (element: T) => string | number;
    } = {},
  ): Promise<{ train: Dataset<T>; test: Dataset<T> }> {
    const { stratify, ...rest } = options;
    refuseEndless('split', this, 'Split before repeat().');
    let count = this.size;
    let labels: (string | number)[] | null = null;
    if (count === null || stratify) {
      count = 0;
      labels = stratify ? [] : null;
      for await (const chunk of this.open(0, 0)) {
        count += chunk.length;
        if (labels) for (const element of chunk) labels.push(notPromise('split', stratify!(element)));
      }
    }
    const { test } = trainTestSplit(count, { ...rest, ...(labels ? { stratify: labels } : {}) });
    const held = new Uint8Array(count);
    for (const i of test) held[i] = 1;
    const part = (which: number, size: number): Dataset<T> => {
      const kept = this.filter((_, i) => held[i] === which);
      return new Dataset<T>((skip) => dropping(counted('split', kept.open(0, 0), size), skip), size);
    };
    return { train: part(0, count - test.length), test: part(1, test.length) };
  }

  // ---- Reading

  /** The elements from a position (the start by default): see {@link DatasetIterator.position}. */
  iterate(from: Partial<DatasetPosition> = {}): DatasetIterator<T> {
    const { epoch = 0, index = 0 } = from;
    for (const [name, n] of [
      ['epoch', epoch],
      ['index', index],
    ] as const)
      if (!(Number.isInteger(n) && n >= 0))
        throw new ValueError(`iterate: expected ${name} to be an integer >= 0, received ${n}`);
    return new Elements(this.open(index, epoch), epoch, index);
  }

  /** The elements of epoch 0. */
  [Symbol.asyncIterator](): DatasetIterator<T> {
    return this.iterate();
  }

  /** All elements, in a list. Throws `ValueError` for an endless data set. */
  async toArray(): Promise<T[]> {
    refuseEndless('toArray', this);
    const all: T[] = [];
    for await (const chunk of this.open(0, 0)) for (const element of chunk) all.push(element);
    return all;
  }

  /** The number of elements; reads them where it is not known. Throws `ValueError` for an endless data set. */
  async count(): Promise<number> {
    refuseEndless('count', this);
    if (this.size !== null) return this.size;
    let n = 0;
    for await (const chunk of this.open(0, 0)) n += chunk.length;
    return n;
  }
}

/** Passes of `repeat` within an epoch: their epochs are numbered apart. */
const MAX_PASSES = 1 << 20;

/** The elements of chunks: those of a chunk that is there already cost no more than a resolved promise. */
class Elements<T> implements DatasetIterator<T> {
  private readonly chunks: AsyncGenerator<readonly T[], void, void>;
  private readonly epoch: number;
  private given: number;
  private chunk: readonly T[] = [];
  private at = 0;
  /** Calls wait for the one before them while a chunk is read. */
  private reading: Promise<unknown> | null = null;

  constructor(chunks: AsyncGenerator<readonly T[], void, void>, epoch: number, index: number) {
    this.chunks = chunks;
    this.epoch = epoch;
    this.given = index;
  }

  get position(): DatasetPosition {
    return { epoch: this.epoch, index: this.given };
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.reading) {
      const next = this.reading.then(
        () => this.next(),
        () => this.next(),
      );
      return next;
    }
    if (this.at < this.chunk.length) {
      this.given++;
      return Promise.resolve({ done: false, value: this.chunk[this.at++]! });
    }
    const next = this.read();
    this.reading = next;
    const free = (): void => {
      this.reading = null;
    };
    next.then(free, free);
    return next;
  }

  private async read(): Promise<IteratorResult<T, undefined>> {
    do {
      const next = await this.chunks.next();
      if (next.done) return { done: true, value: undefined };
      this.chunk = next.value;
      this.at = 0;
    } while (this.chunk.length === 0);
    this.given++;
    return { done: false, value: this.chunk[this.at++]! };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.chunk = [];
    this.at = 0;
    await this.chunks.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): DatasetIterator<T> {
    return this;
  }
}
