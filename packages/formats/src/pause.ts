/** How long a task may take before others get their turn, in milliseconds. */
const TURN = 30;

/** Waits, where the task has taken long. */
export type Pace = () => Promise<void>;

/** Lets others have their turn from time to time: pages stay responsive while large files are read. */
export function pacer(): Pace {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < TURN) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    since = performance.now();
  };
}
