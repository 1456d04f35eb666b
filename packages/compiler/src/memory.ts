import { RecurraError } from '@recurra/tensor';
import { turn } from './pacer.js';

/** A step does not fit into memory. */
export class MemoryError extends RecurraError {
  /** Might it fit when others have given their memory back? */
  readonly mayFit: boolean;

  constructor(message: string, mayFit: boolean) {
    super(message);
    this.mayFit = mayFit;
  }
}

/** Bytes of garbage that make an engine collect, a round; nobody touches them, so that they cost addresses alone. */
const PRESSURE = 32 << 20;
/** How long objects that are gone are waited for, in milliseconds, where the engine collects when it likes. */
const PATIENCE = 2000;
/** Turns in which the finalizers of one collection are waited for: V8 takes one for each registry that has some, and a program may have many. */
const TURNS = 200;
/** How often the engine is told to collect, where it can be told: a collection of a large heap, on a busy machine, may take longer than that patience by itself. */
const COLLECTIONS = 4;

/**
 * Waits until the engine has found objects that are gone and run their finalizers, which give memory back, and `enough` says that there is
 * enough. WebAssembly memory is no reason for an engine to collect: under Node it is told to, elsewhere it is given a reason, arrays that
 * are dropped at once, which it may not heed. Finalizers run in turns of the event loop. Ends without success when a collection that began after the
 * call has left too little, after four that were told, or two seconds where none can be.
 */
export async function reclaim(enough: () => boolean): Promise<boolean> {
  let collected = 0;
  const registry = new FinalizationRegistry<null>(() => {
    collected++;
  });
  const begin = performance.now();
  // Twice: an object may be found only by the collection after the one in progress.
  for (let seen = 0, settled = 0, told = 0; settled < 2; ) {
    if (told >= COLLECTIONS || (told === 0 && performance.now() - begin >= PATIENCE)) return false;
    registry.register({}, null);
    const collects = press();
    if (collects) told++;
    for (let i = 0; i < TURNS && (i === 0 || collects || collected > seen); i++) {
      await turn();
      if (enough()) return true;
    }
    if (collected > seen) {
      seen = collected;
      settled++;
    }
  }
  return false;
}

interface Builtins {
  process?: { getBuiltinModule?(id: string): unknown };
  gc?: () => void;
}

/** The engine's own collection, where the program can ask for it: under Node, by a context that is made with the flag for it. */
function collector(): (() => void) | null {
  const { process, gc } = globalThis as Builtins;
  if (gc) return gc;
  try {
    const v8 = process?.getBuiltinModule?.('node:v8') as { setFlagsFromString(flag: string): void } | undefined;
    const vm = process?.getBuiltinModule?.('node:vm') as { runInNewContext(code: string): unknown } | undefined;
    if (!v8 || !vm) return null;
    v8.setFlagsFromString('--expose-gc');
    const found = vm.runInNewContext('typeof gc === "function" ? gc : null') as (() => void) | null;
    v8.setFlagsFromString('--no-expose-gc');
    return found;
  } catch {
    // Deno and Bun have the modules, and not all that is in them.
    return null;
  }
}

let collect: (() => void) | null | undefined;

/** Makes the engine collect: `true` where it was told to and has done it. */
function press(): boolean {
  if (collect === undefined) collect = collector();
  if (collect) {
    collect();
    return true;
  }
  try {
    for (let i = 0; i < 4; i++) new ArrayBuffer(PRESSURE);
  } catch {
    // The engine has no more: it has collected what it could.
  }
  return false;
}
