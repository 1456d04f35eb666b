import { type Tensor, tensor } from '@recurra/tensor';
import fc from 'fast-check';
import { Dataset } from '../index.js';

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);

/** A data set whose size is not known. */
const streamed = (n: number): Dataset<number> => Dataset.fromGenerator(() => numbers(n));

describe('laws', () => {
  const size = fc.integer({ min: 0, max: 60 });

  test('a shuffle is a permutation, the same for the same seed and epoch, another in the next', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.option(fc.integer({ min: 1, max: 70 })), fc.nat(), async (n, buffer, seed) => {
        const d = streamed(n).shuffle({ seed, ...(buffer === null ? {} : { bufferSize: buffer }) });
        const first = await d.toArray();
        expect(sorted(first)).toEqual(numbers(n));
        expect(await d.toArray()).toEqual(first);
        // Within a buffer, no element comes earlier than its buffer allows.
        if (buffer !== null) expect(first.every((v, i) => v <= i + buffer)).toBe(true);
      }),
    );
    const d = streamed(100).shuffle({ seed: 5 });
    const epochs = await d.repeat(2).toArray();
    expect(epochs.slice(0, 100)).not.toEqual(epochs.slice(100));
    const fixed = await streamed(100).shuffle({ seed: 5, reshuffleEachIteration: false }).repeat(2).toArray();
    expect(fixed.slice(0, 100)).toEqual(fixed.slice(100));
  });

  test('a shuffle is uniform', async () => {
    const at = new Array<number>(4).fill(0);
    for (let seed = 0; seed < 800; seed++) {
      const order = await streamed(4).shuffle({ seed }).toArray();
      at[order.indexOf(0)]!++;
    }
    // Each place 200 times on average; the deviation of a count is about 12.
    for (const n of at) expect(Math.abs(n - 200)).toBeLessThan(62);
  });

  test('a split is a partition; stratified, classes keep their shares', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 4, max: 60 }), fc.nat(), async (n, seed) => {
        const { train, test: held } = await streamed(n).split({ seed, testSize: 0.25 });
        const [a, b] = [await train.toArray(), await held.toArray()];
        expect(sorted([...a, ...b])).toEqual(numbers(n));
        expect([train.size, held.size]).toEqual([a.length, b.length]);
        expect(b).toHaveLength(Math.round(n * 0.25));
      }),
    );
    const { test: held } = await streamed(100).split({ testSize: 0.2, stratify: (i) => (i < 80 ? 'many' : 'few') });
    expect((await held.toArray()).filter((i) => i >= 80)).toHaveLength(4);
  });

  test('unbatch undoes batch and chunk', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 9 }), async (n, k) => {
        expect(await streamed(n).chunk(k).unbatch().toArray()).toEqual(numbers(n));
        const batches = await streamed(n).batch(k).toArray();
        expect(batches.flatMap((t) => t.toArray())).toEqual(numbers(n));
        expect(batches.slice(0, -1).every((t) => t.shape[0] === k)).toBe(true);
        const pairs = streamed(n).map((i) => [i, 2 * i] as [number, number]);
        const back = await pairs
          .map(([x, y]) => ({ x, y }))
          .batch(k)
          .unbatch()
          .toArray();
        expect(back.map(({ x, y }) => [x.item(), y.item()])).toEqual(numbers(n).map((i) => [i, 2 * i]));
        const even = await streamed(n).batch(k, { dropRemainder: true }).toArray();
        expect(even).toHaveLength(Math.floor(n / k));
      }),
    );
  });

  test('take and skip are parts, concat joins them, zip pairs, repeat repeats', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: 0, max: 70 }), fc.boolean(), async (n, k, known) => {
        const d = known ? Dataset.range(n) : streamed(n);
        expect(await d.take(k).concat(d.skip(k)).toArray()).toEqual(numbers(n));
        expect(await d.take(k).count()).toBe(Math.min(n, k));
        expect(await d.zip(Dataset.range(k)).toArray()).toEqual(numbers(Math.min(n, k)).map((i) => [i, i]));
        expect(await d.repeat(3).toArray()).toEqual([...numbers(n), ...numbers(n), ...numbers(n)]);
        expect(
          await d
            .enumerate()
            .map(([i, v]) => i - v)
            .toArray(),
        ).toEqual(new Array(n).fill(0));
      }),
    );
  });

  test('bucketing keeps every element, in batches of one bucket', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 30 })), async (lengths) => {
        const d = Dataset.fromArray(lengths).map((n, i) => ({ x: new Array<number>(n).fill(1), i }));
        const batches = await d
          .bucketByLength({ boundaries: [5, 10], batchSize: [3, 2, 4], length: ({ x }) => x.length })
          .toArray();
        const seen: number[] = [];
        for (const { x, i } of batches) {
          const own = i.toArray() as number[];
          seen.push(...own);
          const bucket = (n: number): number => (n <= 5 ? 0 : n <= 10 ? 1 : 2);
          expect(new Set(own.map((k) => bucket(lengths[k]!))).size).toBe(1);
          expect(own.length).toBeLessThanOrEqual([3, 2, 4][bucket(lengths[own[0]!]!)]!);
          expect(x.shape).toEqual([own.length, Math.max(...own.map((k) => lengths[k]!))]);
        }
        expect(sorted(seen)).toEqual(numbers(lengths.length));
      }),
    );
  });
});

/** Pipelines of random operations. */
type Operation = (d: Dataset<number>) => Dataset<number>;
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.constant<Operation>((d) => d.map((x) => x + 1)),
  fc.constant<Operation>((d) => d.map(async (x) => x * 2)),
  fc.constant<Operation>((d) => d.filter((x) => x % 3 !== 0)),
  fc.constant<Operation>((d) => d.prefetch(3)),
  fc.constant<Operation>((d) => d.cache()),
  fc.constant<Operation>((d) => d.concat(Dataset.range(5))),
  fc.integer({ min: 1, max: 20 }).map<Operation>((n) => (d) => d.shuffle({ bufferSize: n, seed: n })),
  fc
    .integer({ min: 1, max: 7 })
    .map<Operation>((n) => (d) => d.chunk(n).map((list) => list.reduce((a, b) => a + b, 0))),
  fc.integer({ min: 0, max: 3 }).map<Operation>((n) => (d) => d.repeat(n)),
  fc.integer({ min: 0, max: 30 }).map<Operation>((n) => (d) => d.take(n)),
  fc.integer({ min: 0, max: 5 }).map<Operation>((n) => (d) => d.skip(n)),
  fc
    .integer({ min: 1, max: 3 })
    .map<Operation>((n) => (d) => d.interleave((x) => Dataset.fromArray([x, -x]), { cycleLength: n, blockLength: n })),
  fc.constant<Operation>((d) => d.flatMap((x) => [x, x])),
  fc.constant<Operation>((d) => d.zip(Dataset.range(100)).map(([a, b]) => a - b)),
);

test('an iteration that is resumed goes on as if it had not been interrupted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 4 }),
      fc.integer({ min: 0, max: 40 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 0, max: 3 }),
      async (operations, n, known, at, epoch) => {
        const build = (): Dataset<number> => operations.reduce((d, f) => f(d), known ? Dataset.range(n) : streamed(n));
        const whole: number[] = [];
        for await (const x of build().iterate({ epoch })) whole.push(x);
        const first = build().iterate({ epoch });
        const parts: number[] = [];
        while (parts.length < at) {
          const next = await first.next();
          if (next.done) break;
          parts.push(next.value);
        }
        const position = JSON.parse(JSON.stringify(first.position));
        await first.return?.();
        for await (const x of build().iterate(position)) parts.push(x);
        expect(parts).toEqual(whole);
        if (build().size !== null) expect(build().size).toBe(whole.length);
      },
    ),
    { numRuns: 300 },
  );
});

describe('batches', () => {
  test('numbers, vectors, tensors, strings, tuples and objects', async () => {
    const d = Dataset.fromArray([
      [[1, 2, 3], 'a', { t: tensor([1, 2]), n: true }],
      [[4, 5, 6], 'b', { t: tensor([3, 4]), n: false }],
    ] as [number[], string, { t: Tensor; n: boolean }][]);
    const [[x, s, { t, n }]] = (await d.batch(2).toArray()) as [[Tensor, string[], { t: Tensor; n: Tensor }]];
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(s).toEqual(['a', 'b']);
    expect(t.shape).toEqual([2, 2]);
    expect(n.dtype).toBe('bool');
    const [only] = await Dataset.fromArray([
      [1, 2],
      [3, 4],
    ])
      .batch(2)
      .toArray();
    expect((only as unknown as Tensor).shape).toEqual([2, 2]);
  });

  test('padded: to the longest of the batch, at the side that is asked for', async () => {
    const d = Dataset.fromArray([
      [[1, 2, 3], 0],
      [[4], 1],
      [[5, 6], 1],
    ] as [number[], number][]);
    const [[x, y]] = (await d.paddedBatch(3).toArray()) as [[Tensor, Tensor]];
    expect(x.dtype).toBe('int32');
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [4, 0, 0],
      [5, 6, 0],
    ]);
    expect(y.toArray()).toEqual([0, 1, 1]);
    const [[z]] = (await d.paddedBatch(3, { padding: 'pre', maxLength: 2, value: -1 }).toArray()) as unknown as [
      [Tensor],
    ];
    expect(z.toArray()).toEqual([
      [1, 2],
      [-1, 4],
      [5, 6],
    ]);
    const features = await Dataset.fromArray([
      [[[1, 2]], 0],
      [
        [
          [3, 4],
          [5, 6],
        ],
        1,
      ],
    ] as [number[][], number][])
      .paddedBatch(2)
      .toArray();
    expect(features[0]![0].shape).toEqual([2, 2, 2]);
    expect(features[0]![0].dtype).toBe('float32');
  });

  test('elements of different shapes are told', async () => {
    const d = Dataset.fromArray([
      [[1, 2, 3], 0],
      [[4], 1],
    ] as [number[], number][]);
    await expect(d.batch(2).toArray()).rejects.toThrow(/use paddedBatch/);
  });
});

test('asynchronous functions overlap, in order', async () => {
  let running = 0;
  let most = 0;
  const d = Dataset.range(20).map(
    async (i) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, i % 3));
      running--;
      return i;
    },
    { concurrency: 4 },
  );
  expect(await d.toArray()).toEqual(numbers(20));
  expect(most).toBe(4);
});

test('cache reads once, prefetch reads ahead, and iterations that end early let go of their source', async () => {
  let reads = 0;
  let ended = 0;
  const source = Dataset.fromChunks(async function* () {
    reads++;
    try {
      for (let i = 0; i < 5; i++) yield [i];
    } finally {
      ended++;
    }
  });
  const cached = source.cache();
  expect(await cached.toArray()).toEqual(numbers(5));
  expect(await cached.toArray()).toEqual(numbers(5));
  expect(reads).toBe(1);
  for await (const i of source
    .prefetch(2)
    .zip(Dataset.range(9))
    .map(([a]) => a))
    if (i === 1) break;
  expect([reads, ended]).toEqual([2, 2]);
});

test('overlapping calls of next are answered in order', async () => {
  const iterator = streamed(3).iterate();
  const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
  expect(results.map((r) => (r.done ? null : r.value))).toEqual([0, 1, 2, null]);
});

test('tensors are cut along their first axis', async () => {
  const d = Dataset.fromTensors(
    tensor([
      [1, 2],
      [3, 4],
    ]),
    tensor([0, 1]),
  );
  const [batch] = await d.batch(2).toArray();
  expect(batch![0]!.shape).toEqual([2, 2]);
  expect(() => Dataset.fromTensors(tensor([1]), tensor([1, 2]))).toThrow(/of one length/);
});

test('mistakes are told', async () => {
  const d = Dataset.range(3);
  expect(() => d.batch(0)).toThrow(/integer >= 1/);
  expect(() => d.shuffle({ bufferSize: 0 })).toThrow(/bufferSize/);
  expect(() => d.repeat(-1)).toThrow(/count to be an integer >= 0/);
  expect(() => d.bucketByLength({ boundaries: [2, 1], batchSize: 1 })).toThrow(/boundaries to rise/);
  expect(() => d.bucketByLength({ boundaries: [2], batchSize: [1] })).toThrow(/one batchSize, or 2/);
  expect(() => d.iterate({ index: -1 })).toThrow(/index to be an integer >= 0/);
  await expect(d.bucketByLength({ boundaries: [2], batchSize: 1 }).toArray()).rejects.toThrow(/Pass `length/);
});
