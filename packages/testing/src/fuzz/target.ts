import fc from 'fast-check';

/** What a run is asked for. */
export interface FuzzOptions {
  /** How long to go on, unless `rounds` says how far. */
  readonly seconds?: number;
  /** So many rounds of 25 cases, however long they take: what a test can count on, on a busy machine, too. */
  readonly rounds?: number;
  /** The seed of the first round; every round after it has the next one. */
  readonly seed: number;
  /** One counterexample of that seed, as a failure prints it, and nothing else. */
  readonly path?: string;
  /** Called with the seed of each case before it is tried, smaller ones of a failure included. */
  readonly onCase?: (seed: number) => void;
}

/** How a run ended: cases that held, and what broke, each with the arguments that repeat it. */
export interface FuzzReport {
  readonly passed: number;
  readonly failures: readonly { readonly repeat: string; readonly message: string }[];
}

/** Something to try random cases on. */
export interface FuzzTarget {
  /** What it tries, in one line. */
  readonly description: string;
  run(options: FuzzOptions): Promise<FuzzReport>;
}

/** Cases a round: each round begins with small ones again, and has a seed of its own. */
const ROUND = 25;

/** A target that holds a property of random cases; a failing case is made smaller before it is reported. */
export function propertyTarget<T>(
  description: string,
  arbitrary: fc.Arbitrary<T>,
  holds: (value: T) => Promise<void>,
): FuzzTarget {
  return {
    description,
    run: async ({ seconds = 0, rounds, seed, path, onCase }) => {
      const end = performance.now() + seconds * 1000;
      const goesOn = (round: number): boolean => {
        if (path !== undefined) return round === seed;
        return rounds === undefined ? performance.now() < end : round < seed + rounds;
      };
      const failures: { repeat: string; message: string }[] = [];
      let passed = 0;
      for (let round = seed; goesOn(round); round++) {
        const tried = async (value: T): Promise<void> => {
          onCase?.(round);
          await holds(value);
        };
        const result = await fc.check(fc.asyncProperty(arbitrary, tried), {
          seed: round,
          numRuns: ROUND,
          ...(path === undefined ? {} : { path, endOnFailure: true }),
        });
        passed += result.failed ? Math.max(0, result.numRuns - 1) : result.numRuns;
        if (!result.failed) continue;
        const error = result.errorInstance;
        const message = error instanceof Error ? error.message : String(error);
        failures.push({
          repeat: `--seed ${round} --path ${result.counterexamplePath}`,
          message: `${message}\n${fc.stringify(result.counterexample)}`,
        });
      }
      return { passed, failures };
    },
  };
}
