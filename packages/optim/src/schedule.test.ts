import { scalar } from '@recurra/tensor';
import { cosineDecayRestarts, exponentialDecay, inverseTimeDecay, polynomialDecay, type Schedule } from './index.js';

const at = (schedule: Schedule, step: number): number => schedule.at(scalar(step, 'int32')).item() as number;

test('CosineDecayRestarts restarts in the step after a period, as Keras', () => {
  const schedule = cosineDecayRestarts({
    initialLearningRate: 0.2,
    firstDecaySteps: 7,
    tMul: 1.3,
    mMul: 0.7,
    alpha: 0.1,
  });
  // 0.2 * (0.9 * 0.7 + 0.1)
  expect(at(schedule, 7)).toBeCloseTo(0.146, 6);
});

test.each([1.01, 1.1, 1.2, 1.25, 1.3, 1.5, 1.7, 2, 2.5, 3, 10])(
  'periods that end in a whole step restart there, tMul %d',
  (tMul) => {
    for (const first of [1, 2, 3, 5, 7, 10, 49, 100, 1000]) {
      const schedule = cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: first, tMul, mMul: 0.9 });
      // Ends in whole hundredths of the factor, without rounding: sums of first * (100 tMul)^k / 100^k.
      let end = 0n;
      for (let k = 0; k < 8; k++) {
        end = 0n;
        for (let j = 0; j <= k; j++)
          end += BigInt(first) * BigInt(Math.round(100 * tMul)) ** BigInt(j) * 100n ** BigInt(k - j);
        const unit = 100n ** BigInt(k);
        const whole = Number(end / unit);
        if (end % unit === 0n && whole < 2 ** 24) expect(at(schedule, whole)).toBeCloseTo(0.9 ** (k + 1), 5);
      }
    }
  },
);

test('restarts go on for as long as steps can be counted', () => {
  const schedule = cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 100, tMul: 1.001 });
  // Period 1000 starts at 100 * (1.001^1000 - 1) / 0.001 = 171692.39.
  expect(at(schedule, 171_693)).toBeGreaterThan(0.99);
  expect(at(schedule, 171_692)).toBeLessThan(0.01);
  expect(() => cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 1, tMul: 1.0000001 })).toThrow(
    /at most 65536 periods/,
  );
  expect(() => cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 4, tMul: 0.5 })).toThrow(
    /tMul to be a finite number >= 1/,
  );
});

test.each([3, 7, 10, 41, 47, 49, 93, 100, 1000])('steps and cycles of %d steps begin at whole multiples', (n) => {
  const options = { initialLearningRate: 1, decaySteps: n, decayRate: 0.9, staircase: true };
  const cycle = polynomialDecay({ initialLearningRate: 1, decaySteps: n, endLearningRate: 0.25, cycle: true });
  for (let k = 1; k < 40; k++) {
    expect(at(exponentialDecay(options), k * n)).toBeCloseTo(0.9 ** k, 6);
    expect(at(exponentialDecay(options), k * n - 1)).toBeCloseTo(0.9 ** (k - 1), 6);
    expect(at(inverseTimeDecay(options), k * n)).toBeCloseTo(1 / (1 + 0.9 * k), 6);
    // The end of the k-th cycle, and one step into the next, which is k + 1 times as long.
    expect(at(cycle, k * n)).toBeCloseTo(0.25, 6);
    expect(at(cycle, k * n + 1)).toBeCloseTo(0.25 + 0.75 * (1 - (k * n + 1) / ((k + 1) * n)), 5);
  }
});
