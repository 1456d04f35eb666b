import type { Tracer } from './tracer.js';

/** The compilation in progress, if any: the outermost one, which variables belong to. */
let active: Tracer | null = null;

/** The tracer of the function that is being compiled. */
export function activeTracer(): Tracer | null {
  return active;
}

/** Is a function being compiled now? Cells ask, to use whole-sequence kernels rather than one step after another. */
export function isCompiling(): boolean {
  return active !== null;
}

/** Runs `f` while `tracer` is the compilation in progress. */
export function whileTracing<R>(tracer: Tracer | null, f: () => R): R {
  const outer = active;
  active = tracer;
  try {
    return f();
  } finally {
    active = outer;
  }
}
