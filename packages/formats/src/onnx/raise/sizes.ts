/** Sizes of axes as a graph computes with them: numbers, and names for those that are open. */

/** A product of a number and of open sizes. */
export interface Size {
  readonly n: number;
  /** Names of open sizes, sorted. */
  readonly of: readonly string[];
}

/** The size of the batch, of which there is one. */
export const BATCH = 'batch';

export const known = (n: number): Size => ({ n, of: [] });
export const open = (name: string): Size => ({ n: 1, of: [name] });
export const ONE: Size = known(1);

const times = (a: Size, b: Size): Size => ({ n: a.n * b.n, of: [...a.of, ...b.of].sort() });

/** Arithmetic of sizes in a graph whose batch may have been of one size when it was written: then that number stands for it, too. */
export class Sizes {
  /** How many samples the graph was written for, where it says so. */
  readonly batch: number | null;

  constructor(batch: number | null) {
    this.batch = batch;
  }

  times(a: Size, b: Size): Size {
    return times(a, b);
  }

  /** The size with the number of samples in place of its name. */
  private told(a: Size): Size {
    if (this.batch === null) return a;
    const of = a.of.filter((name) => name !== BATCH);
    return { n: a.n * this.batch ** (a.of.length - of.length), of };
  }

  /** The size as a number, if it is one. */
  number(a: Size): number | null {
    const { n, of } = this.told(a);
    return of.length === 0 ? n : null;
  }

  equal(a: Size, b: Size): boolean {
    return this.isSame(a, b) || this.isSame(this.told(a), this.told(b));
  }

  /** The one open size that is a number if `a` and `b` are equal, and that number; `null` where there is none. */
  implied(a: Size, b: Size): readonly [name: string, value: number] | null {
    const [x, y] = [this.told(a), this.told(b)];
    const names = [...x.of];
    for (const name of y.of) {
      const at = names.indexOf(name);
      if (at < 0) return null;
      names.splice(at, 1);
    }
    const value = y.n / x.n;
    return names.length === 1 && names[0] !== BATCH && Number.isInteger(value) && value >= 1
      ? [names[0]!, value]
      : null;
  }

  private isSame(a: Size, b: Size): boolean {
    return a.n === b.n && a.of.join() === b.of.join();
  }

  /** The whole size of which `b` times is `a`; `null` where there is none. */
  over(a: Size, b: Size): Size | null {
    return this.quotient(a, b) ?? this.quotient(this.told(a), this.told(b));
  }

  private quotient(a: Size, b: Size): Size | null {
    const of = [...a.of];
    for (const name of b.of) {
      const at = of.indexOf(name);
      if (at < 0) return null;
      of.splice(at, 1);
    }
    const n = a.n / b.n;
    return Number.isInteger(n) && n >= 1 ? { n, of } : null;
  }
}
