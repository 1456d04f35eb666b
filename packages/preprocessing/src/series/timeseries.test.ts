import { type Tensor, tensor } from '@recurra/tensor';
import fc from 'fast-check';
import {
  type Dataset,
  Discretization,
  difference,
  Normalization,
  splitSeries,
  TimeseriesGenerator,
  timeseriesDatasetFromArray,
  undifference,
  windows,
} from '../index.js';

const series = tensor(Array.from({ length: 12 }, (_, i) => [i, 10 * i]));

test('windows look back and ahead', () => {
  const { x, y } = windows(series, { length: 3, horizon: 2, gap: 1, stride: 2, targets: [1] });
  expect(x.shape).toEqual([4, 3, 2]);
  expect(y.shape).toEqual([4, 2, 1]);
  expect((x.toArray() as number[][][])[1]!.map((row) => row[0])).toEqual([2, 3, 4]);
  expect((y.toArray() as number[][][])[1]!.flat()).toEqual([60, 70]);
  expect(() => windows([1, 2], { length: 2 })).toThrow(/at least 3 steps/);
});

test('a series is split in order', () => {
  const { train, validation, test: held } = splitSeries(series, { testSize: 0.25, validationSize: 2 });
  expect([train, validation, held].map((t) => t.shape[0])).toEqual([7, 2, 3]);
  expect((held.toArray() as number[][])[0]![0]).toBe(9);
  expect(() => splitSeries(series, { testSize: 12 })).toThrow(/leave some to train on/);
});

test('differences can be undone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      (values, lag) => {
        const s = tensor(values);
        expect(undifference(difference(s, lag), s.narrow(0, 0, lag)).toArray()).toEqual(values);
      },
    ),
  );
});

test('shuffled windows are the same windows', async () => {
  const options = { sequenceLength: 3, batchSize: null };
  const key = (all: [{ toArray(): unknown }, { toArray(): unknown }][]): string[] =>
    all.map(([x, y]) => JSON.stringify([x.toArray(), y.toArray()])).sort();
  const targets = tensor(Array.from({ length: 12 }, (_, i) => i));
  const plain = await timeseriesDatasetFromArray(series, targets, options).toArray();
  const mixed = await timeseriesDatasetFromArray(series, targets, { ...options, shuffle: true }).toArray();
  expect(key(mixed)).toEqual(key(plain));
  expect(plain).toHaveLength(10);
  const generator = new TimeseriesGenerator(series, targets, 3, { shuffle: true, batchSize: 4 });
  for (const [x, y] of generator) {
    const [rows, ends] = [x.toArray() as number[][][], y.toArray() as number[]];
    rows.forEach((row, i) => {
      expect(row[2]![0]! + 1).toBe(ends[i]);
    });
  }
});

test('Normalization learns from a stream what it learns from the whole', async () => {
  const data = Array.from({ length: 40 }, (_, i) => [Math.sin(i) * 3 + 5, i * i]);
  const [a, b] = [new Normalization(), new Normalization()];
  a.adapt(data);
  async function* stream(): AsyncGenerator<number[][]> {
    for (let i = 0; i < data.length; i += 7) yield data.slice(i, i + 7);
  }
  await b.adaptStream(stream());
  a.mean!.data.forEach((v, i) => {
    expect(b.mean!.data[i]).toBeCloseTo(v, 4);
  });
  const z = a.call(data);
  expect(z.mean(0).toArray()).toEqual([expect.closeTo(0, 5), expect.closeTo(0, 5)]);
  expect(z.square().mean(0).toArray()).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
  const back = new Normalization({ mean: [...a.mean!.data], variance: [...a.variance!.data], invert: true }).call(z);
  back.data.forEach((v, i) => {
    expect(v).toBeCloseTo(data.flat()[i]!, 2);
  });
  expect(() => new Normalization().call([1])).toThrow(/adapt before use/);
  expect(() => new Normalization({ mean: 1 })).toThrow(/received one of them/);
});

test('Discretization makes bins of about as many values each, from a stream too', async () => {
  const values = Array.from({ length: 4000 }, (_, i) => ((i * 7919) % 4000) ** 2);
  const whole = new Discretization({ numBins: 4 });
  whole.adapt(values);
  const streamed = new Discretization({ numBins: 4 });
  async function* stream(): AsyncGenerator<number[]> {
    for (let i = 0; i < values.length; i += 500) yield values.slice(i, i + 500);
  }
  await streamed.adaptStream(stream());
  for (const layer of [whole, streamed]) {
    const counts = [0, 0, 0, 0];
    for (const bin of layer.call(values).data) counts[bin]!++;
    for (const n of counts) expect(Math.abs(n - 1000)).toBeLessThan(100);
  }
  expect(() => new Discretization({})).toThrow(/both or neither/);
  expect(() => new Discretization({ binBoundaries: [1, 0] })).toThrow(/to rise/);
});

describe('timeseriesDatasetFromArray is that of Keras', () => {
  /**
   * The windows of Keras' `timeseries_dataset_from_array` (keras/src/utils/timeseries_dataset_utils.py), step by step as it computes them: start
   * positions, and what stands there in the slices `data[start:end]` and `targets[start:end]`. `null` where `tf.gather` fails, or nothing is left.
   */
  function keras(
    data: readonly number[],
    targets: readonly number[] | null,
    o: { length: number; stride: number; rate: number; start?: number; end?: number },
  ): [number[], number][] | null {
    const start = o.start ?? 0;
    const end = o.end ?? data.length;
    let sequences = end - start - (o.length - 1) * o.rate;
    if (targets) sequences = Math.min(sequences, targets.length);
    const steps = data.slice(start, end);
    const own = targets?.slice(start, end);
    const all: [number[], number][] = [];
    for (let position = 0; position < sequences; position += o.stride) {
      const window: number[] = [];
      for (let i = position; i < position + o.length * o.rate; i += o.rate) window.push(steps[i]!);
      if (window.includes(undefined as never) || (own && own[position] === undefined)) return null;
      all.push([window, own ? own[position]! : -1]);
    }
    return all.length === 0 ? null : all;
  }

  test('for all options', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          time: fc.integer({ min: 2, max: 24 }),
          targets: fc.option(fc.integer({ min: 0, max: 26 })),
          length: fc.integer({ min: 1, max: 6 }),
          stride: fc.integer({ min: 1, max: 5 }),
          rate: fc.integer({ min: 1, max: 4 }),
          start: fc.option(fc.nat(23), { nil: undefined }),
          end: fc.option(fc.nat(24), { nil: undefined }),
          batchSize: fc.option(fc.integer({ min: 1, max: 7 })),
          shuffle: fc.boolean(),
          seed: fc.nat(9),
        }),
        async ({ time, targets, length, stride, rate, start, end, batchSize, shuffle, seed }) => {
          fc.pre(stride < time && rate < time && (start ?? 0) < (end ?? time) && (end ?? time) <= time);
          // No value is 0: what was read past an end would show.
          const data = Array.from({ length: time }, (_, i) => 100 + i);
          const ys = targets === null ? null : Array.from({ length: targets }, (_, i) => 1000 + i);
          const expected = keras(data, ys, {
            length,
            stride,
            rate,
            ...(start === undefined ? {} : { start }),
            ...(end === undefined ? {} : { end }),
          });
          const options = {
            ...{ sequenceLength: length, sequenceStride: stride, samplingRate: rate, batchSize, shuffle, seed },
            ...(start === undefined ? {} : { startIndex: start }),
            ...(end === undefined ? {} : { endIndex: end }),
          };
          const y = ys === null ? null : tensor(Float32Array.from(ys));
          const build = (): Dataset<unknown> =>
            timeseriesDatasetFromArray(data, y as never, options) as Dataset<unknown>;
          if (expected === null) {
            expect(build).toThrow(/timeseriesDatasetFromArray: expected/);
            return;
          }
          const found: [number[], number][] = [];
          for await (const element of build()) {
            const [x, t] = (ys === null ? [element, null] : element) as [Tensor, Tensor | null];
            const rows = (batchSize === null ? [x.toArray()] : x.toArray()) as number[][];
            const own = t === null ? rows.map(() => -1) : ([t.toArray()].flat() as number[]);
            expect(own).toHaveLength(rows.length);
            if (batchSize !== null) expect(rows.length).toBeLessThanOrEqual(batchSize);
            rows.forEach((row, i) => {
              found.push([row, own[i]!]);
            });
          }
          if (shuffle) found.sort((a, b) => a[0][0]! - b[0][0]!);
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 600 },
    );
  });

  test('targets that end too early for startIndex', () => {
    const data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const build = (targets: readonly number[], startIndex: number, sequenceStride = 1): unknown =>
      timeseriesDatasetFromArray(data, tensor([...targets]), { sequenceLength: 3, startIndex, sequenceStride });
    expect(() => build(data.slice(3), 2)).toThrow(/the last of which begins at step 7, received 7 targets/);
    expect(() => build([1], 4)).toThrow(/received 1 targets/);
    build(data, 2);
    build(data.slice(2), 2);
    build(data.slice(3), 2, 4);
  });
});

test('NaN falls into the last bin, as in NumPy', () => {
  expect(new Discretization({ binBoundaries: [0, 1] }).call([-1, 0, 0.5, 1, Number.NaN]).toArray()).toEqual([
    0, 1, 1, 2, 2,
  ]);
});

test('mistakes are told', () => {
  expect(() => timeseriesDatasetFromArray(series, null, { sequenceLength: 13 })).toThrow(/at least one window/);
  expect(() => new TimeseriesGenerator(series, [1], 3)).toThrow(/as many targets as steps, 12, received 1/);
  expect(() => difference([1, 2], 2)).toThrow(/lag/);
});
