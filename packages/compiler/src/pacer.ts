/** So long may work go on without a turn of the event loop, in milliseconds: a page draws 60 times a second. */
const INTERVAL = 16;

interface Timers {
  setImmediate?: (f: () => void) => unknown;
  setTimeout(f: () => void, milliseconds: number): unknown;
}

interface Scheduling extends Timers {
  process?: { getBuiltinModule?(id: string): unknown };
  MessageChannel?: new () => {
    port1: { onmessage: (() => void) | null };
    port2: { postMessage(message: null): void };
  };
}

const scheduling = globalThis as unknown as Scheduling;
/** Taken as the module loads, and Node's own where that is told apart: tests put clocks in their place that stand still, and a step would wait for ever. */
const { setImmediate, setTimeout } =
  (scheduling.process?.getBuiltinModule?.('node:timers') as Timers | undefined) ?? scheduling;

/**
 * How a turn is asked for. In Node, Deno and Bun `setImmediate`: microseconds, and timers and input come first. In browsers a message
 * of a channel: after a few nested ones `setTimeout` waits four milliseconds, a fifth of the interval, and `scheduler.yield()` comes
 * back before the timers that wait.
 */
function turnMaker(): (f: () => void) => void {
  const { MessageChannel } = scheduling;
  if (setImmediate) return (f) => setImmediate(f);
  if (!MessageChannel) return (f) => setTimeout(f, 0);
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (f) => {
    waiting.push(f);
    port2.postMessage(null);
  };
}

let next: ((f: () => void) => void) | null = null;
let last = Number.NEGATIVE_INFINITY;
let pending: Promise<void> | null = null;

/** A turn of the event loop: timers, input, drawing, finalizers of objects that are gone. */
export function turn(): Promise<void> {
  next ??= turnMaker();
  pending ??= new Promise<void>((resolve) => {
    next!(() => {
      pending = null;
      rested();
      resolve();
    });
  });
  return pending;
}

/** Notes that the event loop has had its turn by other means. */
export function rested(): void {
  last = performance.now();
}

/**
 * Lets the event loop have a turn if work has gone on for 16 ms without one: timers fire, input is served, pages are drawn, memory of
 * objects that are gone is given back. `null` where none is due, which costs the reading of a clock. Compiled steps do this after
 * each call; a loop that awaits nothing else calls it itself:
 *
 * ```
 * for (const batch of batches) {
 *   work(batch);
 *   await breathe();
 * }
 * ```
 */
export function breathe(): Promise<void> | null {
  return performance.now() - last < INTERVAL ? null : turn();
}
