/** Steps share one arena: they run one after another. The one in progress (or the last that waits); `null` where none is. */
let tail: Promise<unknown> | null = null;

/** Runs a job when those before it are done; at once where none is. */
export function inTurn<T>(job: () => T | Promise<T>): T | Promise<T> {
  if (tail === null) {
    const result = job();
    if (!(result instanceof Promise)) return result;
    hold(result);
    return result;
  }
  const result = tail.then(job, job);
  hold(result);
  return result;
}

/** Runs `f` when no job is in progress: at once, or after those that wait now. */
export function whenIdle(f: () => void): void {
  if (tail === null || paused) f();
  else tail.then(f, f);
}

/** Does the job in progress only wait, for memory that others give back? */
let paused = false;

/** Waits, as a job, for something that does not happen while jobs are in progress. */
export async function pause<T>(waiting: () => Promise<T>): Promise<T> {
  paused = true;
  try {
    return await waiting();
  } finally {
    paused = false;
  }
}

/** Resolves when the jobs that wait now are done, however they end. */
export async function idle(): Promise<void> {
  await tail?.catch(() => {});
}

function hold(job: Promise<unknown>): void {
  tail = job;
  const clear = (): void => {
    if (tail === job) tail = null;
  };
  job.then(clear, clear);
}
