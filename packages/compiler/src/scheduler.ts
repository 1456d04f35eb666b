import type { Tensor } from '@recurra/tensor';
import type { Prepared, Threads } from './engines/engine.js';
import { currentEngine } from './engines/engines.js';
import { wantThreads } from './engines/threads.js';
import { MemoryError, reclaim } from './memory.js';
import { idle, inTurn, pause } from './turns.js';

/**
 * On how many threads large steps run: a number, or 'auto' (the default: one a processor; on WebAssembly at most 8). Results are the same to
 * the bit. Steps in progress finish first. Throws `ValueError` unless it is 'auto' or an integer in 1..256.
 */
export async function setThreads(count: number | 'auto'): Promise<void> {
  if (!wantThreads(count)) return;
  await idle();
  await currentEngine().endThreads();
}

/** The number of threads that large steps run on, and the reason. */
export function threads(): Threads {
  return currentEngine().threads();
}

/** Runs a step: small ones on the calling thread, large ones on all; one after another. */
export function execute(prepared: Prepared, inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]> {
  return inTurn(() => placed(prepared, () => prepared.run(inputs)));
}

/** Runs a step on the calling thread, measuring every command. */
export function executeTimed(
  prepared: Prepared,
  inputs: readonly Tensor[],
): ReturnType<Prepared['runTimed']> | Promise<ReturnType<Prepared['runTimed']>> {
  return inTurn(() => placed(prepared, () => prepared.runTimed(inputs)));
}

/** Gives a step its memory, then runs it. Where there is none, what is held by objects that are gone is given back first. */
function placed<T>(prepared: Prepared, run: () => T | Promise<T>): T | Promise<T> {
  try {
    prepared.place();
  } catch (error) {
    if (!(error instanceof MemoryError && error.mayFit)) throw error;
    const again = (): boolean => {
      try {
        prepared.place();
        return true;
      } catch (failure) {
        if (failure instanceof MemoryError) return false;
        throw failure;
      }
    };
    return pause(() => reclaim(again)).then((found) => {
      if (!found) prepared.place();
      return run();
    });
  }
  return run();
}
