import { type Tensor, tensor } from '@recurra/tensor';
import fc from 'fast-check';
import { Dataset, Discretization, IntegerLookup, Normalization, StringLookup, TextVectorization } from '../index.js';

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
  // At the call, not when the first batch is read.
  expect(() => d.bucketByLength({ boundaries: [2], batchSize: 0 })).toThrow(/bucketByLength: expected batchSize to be/);
  expect(() => d.bucketByLength({ boundaries: [Number.NaN], batchSize: 1 })).toThrow(/an array of numbers/);
  expect(() => d.bucketByLength({ batchSize: 1 } as never)).toThrow(/boundaries to be .* received undefined/);
  expect(() => d.bucketByLength({ boundaries: [2], batch_size: 1 } as never)).toThrow(/Did you mean "batchSize"/);
  expect(() => d.bucketByLength({ boundaries: [2], batchSize: 1, padToMaxLength: true })).toThrow(
    'bucketByLength: expected maxLength with padToMaxLength, received none',
  );
  expect(() => d.paddedBatch(2, { padding: 'left' as never })).toThrow(/paddedBatch: expected padding to be one of/);
  expect(() => d.paddedBatch(2, { boundaries: [1] } as never)).toThrow(/unknown option "boundaries"/);
  expect(() => d.iterate({ index: -1 })).toThrow(/index to be an integer >= 0/);
  await expect(d.bucketByLength({ boundaries: [2], batchSize: 1 }).toArray()).rejects.toThrow(/Pass `length/);
});

describe('endless data sets', () => {
  const endless = Dataset.range(3).repeat();
  const marked = Dataset.fromGenerator(
    function* () {
      for (let i = 0; ; i++) yield i;
    },
    { size: Infinity },
  );

  test('are known, whatever is done with them', () => {
    const ways: readonly ((d: Dataset<number>) => Dataset<unknown>)[] = [
      (d) => d.map((x) => x),
      (d) => d.filter((x) => x > 0),
      (d) => d.flatMap((x) => [x]),
      (d) => d.enumerate(),
      (d) => d.batch(2),
      (d) => d.batch(2, { dropRemainder: true }),
      (d) => d.paddedBatch(2),
      (d) => d.chunk(2).unbatch(),
      (d) => d.bucketByLength({ boundaries: [1], batchSize: 2, length: () => 1 }),
      (d) => d.shuffle({ bufferSize: 4 }),
      (d) => d.skip(5),
      (d) => d.repeat(2),
      (d) => d.repeat(),
      (d) => d.concat(Dataset.range(2)),
      (d) => streamed(2).concat(d),
      (d) => d.zip(d),
      (d) => d.interleave((x) => Dataset.range(x)),
      (d) => d.prefetch(),
    ];
    for (const d of [
      endless,
      marked,
      streamed(3).repeat(),
      Dataset.range(3)
        .filter((x) => x > 1)
        .repeat(),
    ]) {
      expect(d.size).toBe(Infinity);
      for (const way of ways) expect(way(d).size).toBe(Infinity);
    }
  });

  test('end where they are cut', async () => {
    expect(endless.take(7).size).toBe(7);
    expect(await endless.take(7).toArray()).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(await streamed(2).repeat().take(3).toArray()).toEqual([0, 1, 0]);
    expect(endless.zip(Dataset.range(5)).size).toBe(5);
    expect(endless.zip(streamed(5)).size).toBeNull();
    expect(await marked.skip(1000).take(2).toArray()).toEqual([1000, 1001]);
    expect([Dataset.range(0).repeat().size, endless.repeat(0).size, endless.take(0).size]).toEqual([0, 0, 0]);
    const { train } = await endless.take(8).split();
    expect(train.size).toBe(6);
  });

  test('are refused where all of them would be read', async () => {
    for (const d of [endless, marked, streamed(3).repeat().map(String)] as Dataset<unknown>[]) {
      await expect(d.toArray()).rejects.toThrow(
        /toArray: expected data with an end, received an endless data set.*take\(n\)/,
      );
      await expect(d.count()).rejects.toThrow(/count: expected data with an end/);
      await expect(d.split()).rejects.toThrow(/Split before repeat\(\)/);
      expect(() => d.shuffle()).toThrow(/Give a bufferSize, or shuffle before repeat/);
      expect(() => d.cache()).toThrow(/cache\(\) before repeat/);
    }
    const numbersOnly = endless.map((x) => [x]);
    await expect(new TextVectorization().adaptStream(endless.map(String))).rejects.toThrow(
      /TextVectorization.adaptStream: expected data with an end/,
    );
    await expect(new StringLookup().adaptStream(endless.map((x) => [String(x)]))).rejects.toThrow(/with an end/);
    await expect(new IntegerLookup().adaptStream(numbersOnly)).rejects.toThrow(/with an end/);
    await expect(new Normalization().adaptStream(numbersOnly)).rejects.toThrow(/with an end/);
    await expect(new Discretization({ numBins: 2 }).adaptStream(numbersOnly)).rejects.toThrow(/with an end/);
  });

  test('nothing cannot be repeated for ever', async () => {
    await expect(streamed(0).repeat().take(1).toArray()).rejects.toThrow(/none in pass 1/);
    const once = [1, 2][Symbol.iterator]();
    await expect(
      Dataset.fromGenerator(() => once)
        .repeat()
        .take(5)
        .toArray(),
    ).rejects.toThrow(/none in pass 2.*can be read once/);
    expect(await streamed(0).repeat(3).toArray()).toEqual([]);
    // A pass may be empty by chance: the next one is not lost.
    const some = Dataset.range(4)
      .shuffle({ seed: 1 })
      .take(1)
      .filter((x) => x < 2);
    const passes = await Promise.all(
      numbers(12).map(async (pass) => {
        const all: number[] = [];
        for await (const x of some.iterate({ epoch: pass })) all.push(x);
        return all;
      }),
    );
    expect(await some.repeat(12).toArray()).toEqual(passes.flat());
    expect(passes.some((p, i) => p.length === 0 && passes.slice(i + 1).flat().length > 0)).toBe(true);
  });

  test('a size that is given is checked', async () => {
    const given = (n: number, size: number): Dataset<number> => Dataset.fromGenerator(() => numbers(n), { size });
    expect(given(3, 3).size).toBe(3);
    expect(await given(3, 3).repeat(2).toArray()).toEqual([0, 1, 2, 0, 1, 2]);
    await expect(given(3, 4).toArray()).rejects.toThrow(/expected 4 elements \(its size\), received 3/);
    await expect(given(3, 2).toArray()).rejects.toThrow(/expected 2 elements \(its size\), received more/);
    await expect(given(3, Infinity).take(9).toArray()).rejects.toThrow(/without an end .* received 3/);
    for (const size of [-1, 1.5, Number.NaN])
      expect(() => given(1, size)).toThrow(/size to be an integer >= 0, Infinity or null/);
  });
});

describe('rejections', () => {
  /** Jest fails a test in whose time a promise is rejected that nobody handles: that is known after the microtasks of a turn. */
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const later = async (ms: number, error?: string): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (error !== undefined) throw new Error(error);
    return ms;
  };

  let open = 0;
  const tracked = async (ms: number, error?: string): Promise<number> => {
    open++;
    try {
      return await later(ms, error);
    } finally {
      open--;
    }
  };
  const throws = (message: string): never => {
    throw new Error(message);
  };

  test.each<[string, (i: number) => number | Promise<number>, string]>([
    [
      'throws at once while earlier calls reject later',
      (i) => (i === 3 ? throws('at once') : tracked(3, `later ${i}`)),
      'later 0',
    ],
    ['throws at once while earlier calls are under way', (i) => (i === 3 ? throws('at once') : tracked(3)), 'at once'],
    ['throws at the first element', () => throws('at once'), 'at once'],
    ['rejects early and late', (i) => tracked(i === 1 ? 1 : 6, i === 1 || i === 4 ? `call ${i}` : undefined), 'call 1'],
    ['rejects at the last, after others were done', (i) => tracked(1, i === 7 ? 'call 7' : undefined), 'call 7'],
    ['gives values beside promises', (i) => (i % 2 === 0 ? tracked(2, i === 2 ? 'call 2' : undefined) : i), 'call 2'],
  ])('map whose function %s', async (_, f, message) => {
    const d = Dataset.range(20).map(f, { concurrency: 8 });
    for (const way of [
      d,
      d.prefetch(3),
      d.batch(4),
      d.batch(2).prefetch(2),
      d.zip(d),
      d.flatMap((x) => [x]),
      d.shuffle(),
      d.cache(),
      d.take(15),
      d.interleave((x) => Dataset.fromArray([x])),
    ]) {
      await expect((way as Dataset<unknown>).toArray()).rejects.toThrow(message);
      expect(open).toBe(0);
    }
    await turns();
  });

  test('iterations that are left early, while others are ahead', async () => {
    const d = Dataset.range(40).map((i) => tracked(1, i >= 8 ? `call ${i}` : undefined), { concurrency: 4 });
    for (const way of [d, d.chunk(1), d.prefetch(4), d.chunk(2).prefetch(8), d.zip(d)] as Dataset<unknown>[]) {
      try {
        for await (const _ of way) break;
      } catch {
        // An error that comes before the first element does.
      }
      const iterator = way.iterate();
      const calls = [iterator.next(), iterator.next(), iterator.return!()];
      await Promise.allSettled(calls);
    }
    await turns();
    expect(open).toBe(0);
  });

  test('an error at the end of one source ends the others too', async () => {
    const ended: number[] = [];
    const source = (k: number, error?: string): Dataset<number> =>
      Dataset.fromChunks(async function* () {
        try {
          for (let i = 0; i < 5; i++) yield [i];
        } finally {
          ended.push(k);
          if (error !== undefined) await later(1, error);
        }
      });
    await expect(
      (async () => {
        for await (const _ of source(0, 'on closing').zip(source(1), source(2))) break;
      })(),
    ).rejects.toThrow('on closing');
    expect(ended.sort()).toEqual([0, 1, 2]);
    ended.length = 0;
    const mixed = Dataset.range(3).interleave((k) => source(k, k === 0 ? 'on closing' : undefined));
    await expect(
      (async () => {
        for await (const i of mixed) if (i > 0) break;
      })(),
    ).rejects.toThrow('on closing');
    expect(ended.sort()).toEqual([0, 1, 2]);
    await turns();
  });

  test('functions that have to give a value at once and give a promise are told', async () => {
    const d = Dataset.range(3);
    const failing = (async () => throws('never seen')) as never;
    await expect(d.filter(failing).toArray()).rejects.toThrow(
      /filter: expected a function that gives its value at once, received a promise/,
    );
    await expect(d.flatMap(failing).toArray()).rejects.toThrow(/flatMap: .* received a promise/);
    await expect(d.split({ stratify: failing })).rejects.toThrow(/split: .* received a promise/);
    await expect(d.interleave((() => [1]) as never).toArray()).rejects.toThrow(/gives a Dataset, received object/);
    await expect(d.bucketByLength({ boundaries: [1], batchSize: 1, length: failing }).toArray()).rejects.toThrow(
      /bucketByLength: .* a promise/,
    );
    await expect(
      d.bucketByLength({ boundaries: [1], batchSize: 1, length: () => Number.NaN }).toArray(),
    ).rejects.toThrow(/number >= 0, received NaN/);
    await turns();
  });
});
