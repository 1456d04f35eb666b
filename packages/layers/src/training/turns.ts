import { ValueError } from '@recurra/tensor';

/** One call of a model that is under way. */
interface Turn {
  readonly what: string;
  /** Is it waiting for a callback, which may call the model itself? */
  inCallback: boolean;
  /** Ends of runs within it that are not over yet. */
  readonly within: Set<Promise<void>>;
}

/**
 * Who may use a model's accumulators and states now. A call within a callback of another one has its turn within that one's; any other that
 * overlaps is refused, since both would count into the same metrics and change the same weights.
 */
export class Turns {
  private readonly open: Turn[] = [];

  /** Runs `f` as a turn. `turn.outside(g)` runs callbacks, in which other calls may come. Rejects with `ValueError` where another turn is under way. */
  async take<R>(what: string, label: string, f: (turn: { outside<T>(g: () => T): T }) => Promise<R>): Promise<R> {
    const outer = this.open.at(-1);
    if (outer && !outer.inCallback)
      throw new ValueError(
        `${label}: expected ${outer.what} to be over before ${what}, received it while ${outer.what} is under way on the same model. Await the first call, or use two models.`,
      );
    const turn: Turn = { what, inCallback: false, within: new Set() };
    this.open.push(turn);
    let done = (): void => {};
    const end = new Promise<void>((resolve) => {
      done = resolve;
    });
    outer?.within.add(end);
    const leave = (): void => {
      this.open.splice(this.open.indexOf(turn), 1);
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
