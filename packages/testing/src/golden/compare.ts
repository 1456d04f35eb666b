import { jit } from '@recurra/compiler';
import type { Tensor } from '@recurra/tensor';
import { formatShape, sameShape } from '@recurra/tensor/extend';
import { type GoldenTensor, toNumber } from './format.js';

/** |actual - expected| <= atol + rtol * |expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** What is compared. */
export type ToleranceName =
  | 'exact'
  | 'elementwise'
  | 'reduction'
  | 'layerOutput'
  | 'layerGradient'
  | 'optimizer'
  | 'muon'
  | 'training';

/** The tolerances that the golden README states. */
export const TOLERANCES: Record<ToleranceName, Tolerance> = {
  exact: { rtol: 0, atol: 0 },
  elementwise: { rtol: 2e-6, atol: 1e-6 },
  reduction: { rtol: 1e-5, atol: 1e-6 },
  layerOutput: { rtol: 1e-5, atol: 2e-6 },
  layerGradient: { rtol: 5e-5, atol: 5e-6 },
  optimizer: { rtol: 2e-5, atol: 1e-6 },
  muon: { rtol: 1e-3, atol: 1e-6 },
  training: { rtol: 1e-5, atol: 5e-7 },
};

/** The smallest normal float32: TensorFlow flushes what is below it to zero. */
export const MIN_NORMAL = 1.1754943508222875e-38;

/** Runs a function of trees of tensors: as it is, or compiled. */
export type Run = <A extends unknown[], R>(f: (...args: A) => R, ...args: A) => Promise<R>;

/** As it is. */
export const eagerly: Run = async (f, ...args) => f(...args);

/** Through `jit`. */
export const compiled: Run = async (f, ...args) => {
  const step = jit(f);
  try {
    return await step(...args);
  } finally {
    step.dispose();
  }
};

/** Collects comparisons of one case: the worst error as a share of the tolerance, and what failed. */
export class Comparison {
  readonly failures: string[] = [];
  /** Largest |actual - expected| / (atol + rtol |expected|). */
  worst = 0;
  /**
   * Where ours is within the tolerance of the float64 result, and the float32 reference, with rounding errors of its own, within twice that: accepted although
   * they are farther apart, and reported.
   */
  readonly inexact: string[] = [];
  /** How the replay runs what it compares. */
  readonly run: Run;
  /** Comparisons made; a case that compares nothing is a failure. */
  checks = 0;

  constructor(run: Run = eagerly) {
    this.run = run;
  }

  /**
   * Compares a tensor with the golden one: shape, dtype (int64 counts as int32), elements. `arbiter` gives the float64
   * result, which decides where a float32 reference has lost digits (saturated gates: 1 - y^2; gradients that nearly cancel, which Adam makes steps of).
   */
  tensor(
    what: string,
    actual: Tensor | undefined,
    expected: GoldenTensor | number,
    tolerance: Tolerance,
    arbiter?: () => ArrayLike<number>,
  ): void {
    this.checks++;
    const golden: GoldenTensor =
      typeof expected === 'number' || typeof expected === 'string'
        ? { shape: [], dtype: 'float32', data: [expected] }
        : expected;
    if (actual === undefined) {
      this.failures.push(`${what}: missing`);
      return;
    }
    if (!sameShape(actual.shape, golden.shape)) {
      this.failures.push(`${what}: shape ${formatShape(actual.shape)}, expected ${formatShape(golden.shape)}`);
      return;
    }
    const dtype = golden.dtype === 'int64' ? 'int32' : golden.dtype;
    if (actual.dtype !== dtype) this.failures.push(`${what}: dtype ${actual.dtype}, expected ${dtype}`);
    const exact = dtype === 'int32' || dtype === 'bool';
    this.numbers(what, actual.data, golden.data.map(toNumber), exact ? TOLERANCES.exact : tolerance, arbiter);
  }

  /** Compares flat numbers. */
  numbers(
    what: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    { rtol, atol }: Tolerance,
    arbiter?: () => ArrayLike<number>,
  ): void {
    this.checks++;
    if (actual.length !== expected.length) {
      this.failures.push(`${what}: ${actual.length} numbers, expected ${expected.length}`);
      return;
    }
    for (let i = 0; i < expected.length; i++) {
      const a = actual[i]!;
      const b = expected[i]!;
      if (Object.is(a, b) || a === b) continue;
      if (b === 0 && Math.abs(a) < MIN_NORMAL) continue;
      const error = Math.abs(a - b) / (atol + rtol * Math.abs(b));
      if (error > 1 && arbiter) {
        const exact = arbiter()[i]!;
        const limit = atol + rtol * Math.abs(exact);
        if (Math.abs(a - exact) <= limit && Math.abs(b - exact) <= 2 * limit) {
          this.inexact.push(`${what}[${i}]: ours ${a}, float64 ${exact}, reference ${b}`);
          continue;
        }
      }
      if (Number.isFinite(error)) this.worst = Math.max(this.worst, error);
      if (!(error <= 1)) {
        this.failures.push(`${what}[${i}]: ${a}, expected ${b}`);
        return;
      }
    }
  }

  /** Compares plain JSON values. */
  equal(what: string, actual: unknown, expected: unknown): void {
    this.checks++;
    const a = JSON.stringify(actual);
    const b = JSON.stringify(expected);
    if (a !== b) this.failures.push(`${what}: ${a?.slice(0, 200)}, expected ${b?.slice(0, 200)}`);
  }

  /** Notes a condition. */
  check(what: string, holds: boolean): void {
    this.checks++;
    if (!holds) this.failures.push(what);
  }
}
