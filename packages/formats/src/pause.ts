/** How long a task may take before others get their turn, in milliseconds. */
const TURN = 30;

/** Lets others have their turn from time to time: pages stay responsive while large files are read. */
export function pacer(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < TURN) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    since = performance.now();
  };
}
