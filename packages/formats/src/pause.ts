/** How long a task may take before others get their turn, in milliseconds. */
const TURN = 12;

/** Taken as the module loads: tests put clocks in its place that stand still. */
const { setTimeout } = globalThis;

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

/** Bytes that are copied at once. */
const STEP = 1 << 20;

/** Copies bytes to a place, piece by piece. */
export async function copyInto(to: Uint8Array, from: Uint8Array, at: number, pace: Pace): Promise<void> {
  for (let begin = 0; begin < from.length; begin += STEP) {
    to.set(from.subarray(begin, begin + STEP), at + begin);
    await pace();
  }
}

/** Bytes one after the other, as one array. */
export async function joined(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  const pace = pacer();
  let at = 0;
  for (const part of parts) {
    await copyInto(whole, part, at, pace);
    at += part.length;
  }
  return whole;
}
