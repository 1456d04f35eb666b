import type { Tracer } from './tracer.js';

/** The compilation in progress, if any: the outermost one, which variables belong to. */
let active: Tracer | null = null;
/** How many bodies of loops are being traced now, one inside of another. */
let loops = 0;

/** The tracer of the function that is being compiled. */
export function activeTracer(): Tracer | null {
  return active;
}

/** Is a function being compiled now? Cells ask, to use whole-sequence kernels rather than one step after another. */
export function isCompiling(): boolean {
  return active !== null;
}

/** Is the body of a loop being traced now? It runs once, whatever the number of steps. */
export function isInsideLoop(): boolean {
  return loops > 0;
}

/** Runs `f` while `tracer` is the compilation in progress. */
export function whileTracing<R>(tracer: Tracer | null, f: () => R): R {
  const [outer, outerLoops] = [active, loops];
  active = tracer;
  loops = 0;
  try {
    return f();
  } finally {
    active = outer;
    loops = outerLoops;
  }
}

/** Runs `f`, which traces the body of a loop. */
export function insideLoop<R>(f: () => R): R {
  loops++;
  try {
    return f();
  } finally {
    loops--;
  }
}
