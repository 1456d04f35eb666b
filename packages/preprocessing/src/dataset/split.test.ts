import fc from 'fast-check';
import { Dataset, trainTestSplit } from '../index.js';

/** The number of held-out samples of each class by largest remainders, from first principles. */
function expectedShares(labels: readonly (string | number)[], held: number): Map<string | number, [number, number]> {
  const counts = new Map<string | number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return new Map([...counts].map(([label, n]) => [label, [Math.floor((n * held) / labels.length), n]]));
}

describe('stratified', () => {
  test('a partition in which each class has its share, in order or shuffled', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'constructor', '__proto__', 3, 'd'), { minLength: 2, maxLength: 80 }),
        fc.boolean(),
        fc.nat(),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (labels, shuffle, seed, share) => {
          const held = Math.min(labels.length - 1, Math.max(1, Math.round(labels.length * share)));
          const { train, test: out } = trainTestSplit(labels.length, {
            testSize: held,
            seed,
            shuffle,
            stratify: labels,
          });
          expect(out).toHaveLength(held);
          expect([...train, ...out].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
          for (const [label, [low, all]] of expectedShares(labels, held)) {
            const n = out.filter((i) => labels[i] === label).length;
            expect([low, Math.min(all, low + 1)]).toContain(n);
          }
          if (!shuffle) {
            expect([...out].sort((a, b) => a - b)).toEqual(out);
            // The last of each class are held out.
            for (const i of train) expect(out.every((j) => labels[i] !== labels[j] || i < j)).toBe(true);
          }
        },
      ),
    );
  });

  /** Seconds that the fastest of three runs takes. */
  const seconds = (run: () => void): number =>
    Math.min(
      ...[0, 1, 2].map(() => {
        const start = performance.now();
        run();
        return (performance.now() - start) / 1000;
      }),
    );

  test.each([
    ['two classes', (i: number) => i % 2],
    ['one class', () => 'all'],
    ['as many classes as samples', (i: number) => `label ${i}`],
  ])('the time grows in step with the rows: %s', (_, labelOf) => {
    const run = (n: number): number => {
      const labels = Array.from({ length: n }, (_, i) => labelOf(i));
      return seconds(() => {
        const { train, test: held } = trainTestSplit(n, { stratify: labels, shuffle: false });
        expect(train.length + held.length).toBe(n);
      });
    };
    run(40_000);
    const [few, many] = [run(40_000), run(400_000)];
    // Ten times as many: with quadratic time a hundred times as long. A short time has a floor, for noise.
    expect(many).toBeLessThan(40 * Math.max(few, 0.02));
  });

  test('of a data set, too', async () => {
    const n = 400_000;
    const { train, test: held } = await Dataset.range(n).split({
      testSize: 0.25,
      shuffle: false,
      stratify: (i) => (i % 4 === 0 ? 'few' : 'many'),
    });
    expect([train.size, held.size]).toEqual([300_000, 100_000]);
    let few = 0;
    for await (const i of held) if (i % 4 === 0) few++;
    expect(few).toBe(25_000);
  });

  test('a sample without a label is told, by its index', () => {
    expect(() => trainTestSplit(3, { shuffle: false, stratify: ['a', undefined as never, 'b'] })).toThrow(
      /labels .* received undefined at index 1/,
    );
    expect(() => trainTestSplit(3, { stratify: ['a', 'b'] })).toThrow(/one label for each of 3 samples, received 2/);
  });
});

test('the parts of a shuffled data set have nothing in common, in any epoch', async () => {
  const { train, test: held } = await Dataset.range(50).shuffle({ seed: 3 }).split({ testSize: 10 });
  const all: number[] = [];
  for (const epoch of [0, 1, 2]) for await (const i of train.iterate({ epoch })) all.push(i);
  for (const epoch of [0, 1, 2]) for await (const i of held.iterate({ epoch })) expect(all).not.toContain(i);
  expect(new Set(all).size).toBe(40);
});
