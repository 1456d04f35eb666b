/** The longest time that timers know; with a longer one they would not wait at all. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * What a promise gives, unless a time (milliseconds; `Infinity`: none) or a signal ends the wait first: then rejects at once with what `late` gives, or
 * the signal's reason. What the promise becomes after that is ignored.
 */
export function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  signal: AbortSignal | undefined,
  late: () => Error,
): Promise<T> {
  if (milliseconds === Infinity && !signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const timer =
      milliseconds === Infinity
        ? null
        : setTimeout(() => done(() => reject(late())), Math.min(milliseconds, LONGEST_WAIT));
    const stop = (): void => done(() => reject(signal!.reason));
    const done = (settle: () => void): void => {
      if (timer !== null) clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      settle();
    };
    promise.then(
      (value) => done(() => resolve(value)),
      (error) => done(() => reject(error)),
    );
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Waits for a time; rejects at once, with the signal's reason, when that ends. */
export function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return within(new Promise<void>(() => {}), milliseconds, signal, () => new Error('over')).catch((error: unknown) => {
    if (signal?.aborted) throw error;
  });
}
