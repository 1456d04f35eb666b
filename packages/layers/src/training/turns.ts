import { ValueError } from '@recurra/tensor';

/** One call of a model that is under way. */
interface Turn {
  readonly what: string;
  /** Is it waiting for a callback, which may call the model itself? */
  inCallback: boolean;
  /** Ends of runs within it that are not over yet. */
  readonly within: Set<Promise<void>>;
}

/** Who uses an object now that keeps something of a run: a metric, a callback. */
interface Use {
  readonly by: Turns;
  readonly label: string;
  readonly what: string;
  times: number;
}

const uses = new WeakMap<object, Use>();

/**
 * Who may use a model's accumulators and states now. A call within a callback of another one has its turn within that one's; any other that
 * overlaps is refused, since both would count into the same metrics and change the same weights.
 */
export class Turns {
  private readonly open: Turn[] = [];

  /**
   * Runs `f` as a turn. `turn.outside(g)` runs callbacks, in which other calls may come. Rejects with `ValueError` where another turn is under way.
   *
   * @param parts what keeps something of the run, and may not be used by another model's meanwhile
   */
  async take<R>(
    what: string,
    label: string,
    f: (turn: { outside<T>(g: () => T): T }) => Promise<R>,
    parts: readonly object[] = [],
  ): Promise<R> {
    const outer = this.open.at(-1);
    if (outer && !outer.inCallback)
      throw new ValueError(
        `${label}: expected ${outer.what} to be over before ${what}, received it while ${outer.what} is under way on the same model. Await the first call, or use two models.`,
      );
    for (const part of parts) {
      const use = uses.get(part);
      if (use && use.by !== this)
        throw new ValueError(
          `${label}: expected the ${part.constructor.name} of ${what} to be its own, received one that is in use in ${use.what} of ${use.label}. Await that call, or make one for each model.`,
        );
    }
    for (const part of parts) {
      const use = uses.get(part);
      if (use) use.times++;
      else uses.set(part, { by: this, label, what, times: 1 });
    }
    const turn: Turn = { what, inCallback: false, within: new Set() };
    this.open.push(turn);
    let done = (): void => {};
    const end = new Promise<void>((resolve) => {
      done = resolve;
    });
    outer?.within.add(end);
    const leave = (): void => {
      this.open.splice(this.open.indexOf(turn), 1);
      for (const part of parts) {
        const use = uses.get(part)!;
        if (--use.times === 0) uses.delete(part);
      }
      outer?.within.delete(end);
      done();
    };
    const outside = <T>(g: () => T): T => {
      turn.inCallback = true;
      const back = (): void => {
        turn.inCallback = false;
      };
      // Runs that a callback began without waiting for them end before this one goes on.
      const settle = async (): Promise<void> => {
        while (turn.within.size > 0) await Promise.all(turn.within);
        back();
      };
      let result: T;
      try {
        result = g();
      } catch (error) {
        back();
        throw error;
      }
      if (result instanceof Promise)
        return result.then(
          async (value: unknown) => {
            await settle();
            return value;
          },
          async (error: unknown) => {
            await settle();
            throw error;
          },
        ) as T;
      if (turn.within.size > 0) return settle() as T;
      back();
      return result;
    };
    try {
      return await f({ outside });
    } finally {
      leave();
    }
  }
}
