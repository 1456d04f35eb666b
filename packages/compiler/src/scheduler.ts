import { HeapError } from '@recurra/kernels';
import { type Tensor, ValueError } from '@recurra/tensor';
import { Executor, obstacle, processors, WorkerError } from './executor.js';
import { MemoryError, reclaim } from './memory.js';
import { rested } from './pacer.js';
import type { Plan } from './plan/plan.js';
import { runtime } from './runtime.js';
import { idle, inTurn, pause } from './turns.js';

/** More threads than this seldom pay for sequences: they share the batch. */
const MAX_AUTO = 8;
/** Less work (multiply-adds) than this, a few milliseconds, runs on the calling thread: waking workers and meeting takes its time. */
const THREADED_WORK = 20_000_000;

let threadedWork = THREADED_WORK;

/** @internal From how much work on steps run on the pool; `null`: as usual. For tests, which share small ones too. */
export function setThreadedWork(work: number | null): void {
  threadedWork = work ?? THREADED_WORK;
}

/** On how many threads large steps run, and why. */
export interface Threads {
  readonly count: number;
  readonly reason: string;
}

let wanted: number | 'auto' = 'auto';
let pool: Promise<Executor> | null = null;
let current: Executor | null = null;
/** Why there is no pool although one was wanted. */
let refusal: string | null = null;

/**
 * On how many threads large steps run: a number, or 'auto' (the default: one a processor, at most 8). Results are the same to
 * the bit. Steps in progress finish first. Throws `ValueError` unless it is 'auto' or an integer >= 1.
 */
export async function setThreads(count: number | 'auto'): Promise<void> {
  if (count !== 'auto' && !(Number.isInteger(count) && count >= 1))
    throw new ValueError(`setThreads: expected 'auto' or an integer >= 1, received ${count}`);
  if (count === wanted) return;
  wanted = count;
  refusal = null;
  await idle();
  const old = pool;
  pool = null;
  current = null;
  await old?.then(
    (executor) => executor.dispose(),
    () => {},
  );
}

/** The number of threads that large steps run on, and the reason. */
export function threads(): Threads {
  const found = obstacle(runtime().kernels.shared) ?? refusal;
  if (found) return { count: 1, reason: found };
  if (wanted !== 'auto') return { count: wanted, reason: wanted === 1 ? 'setThreads(1)' : `setThreads(${wanted})` };
  const available = processors();
  const count = Math.max(1, Math.min(available, MAX_AUTO));
  return { count, reason: available === 1 ? 'this machine has one processor' : `${available} processors` };
}

/** The pool, started when it is first needed or after a worker died; `null` where steps run on the calling thread. */
function executor(): Executor | Promise<Executor | null> | null {
  if (current && !current.broken) return current;
  const { count } = threads();
  if (count === 1) return null;
  if (current?.broken) {
    pool = current.dispose().then(() => Executor.start(runtime(), count));
    current = null;
  }
  pool ??= Executor.start(runtime(), count);
  const starting = pool;
  return starting.then(
    (started) => {
      if (pool === starting) current = started;
      return started;
    },
    (error: unknown) => {
      pool = null;
      if (error instanceof WorkerError) {
        refusal = `workers do not start here: ${error.message}`;
        return null;
      }
      // No memory is left for the workers' own: this step runs without them.
      if (error instanceof HeapError) return null;
      throw error;
    },
  );
}

/** Runs a plan: small ones on the calling thread, large ones on the pool; one after another. */
export function execute(plan: Plan, inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]> {
  return inTurn(() => placed(plan, () => run(plan, inputs)));
}

function run(plan: Plan, inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]> {
  if (plan.work < threadedWork) return plan.runInline(inputs);
  const found = executor();
  if (found === null) return plan.runInline(inputs);
  if (found instanceof Executor) return onPool(plan, found, inputs);
  return found.then((started) => {
    // The workers' memory may have moved the arena.
    plan.place();
    return started ? onPool(plan, started, inputs) : plan.runInline(inputs);
  });
}

async function onPool(plan: Plan, pool: Executor, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const outputs = await plan.runOn(pool, inputs);
  // The workers' answer came with a turn of the event loop.
  rested();
  return outputs;
}

/** Runs a plan on the calling thread, measuring every command. */
export function executeTimed(
  plan: Plan,
  inputs: readonly Tensor[],
): ReturnType<Plan['runTimed']> | Promise<ReturnType<Plan['runTimed']>> {
  return inTurn(() => placed(plan, () => plan.runTimed(inputs)));
}

/** Gives a plan its memory, then runs it. Where there is none, what is held by objects that are gone is given back first. */
function placed<T>(plan: Plan, run: () => T | Promise<T>): T | Promise<T> {
  try {
    plan.place();
  } catch (error) {
    if (!(error instanceof MemoryError && error.mayFit)) throw error;
    const again = (): boolean => {
      try {
        plan.place();
        return true;
      } catch (failure) {
        if (failure instanceof MemoryError) return false;
        throw failure;
      }
    };
    return pause(() => reclaim(again)).then((found) => {
      if (!found) plan.place();
      return run();
    });
  }
  return run();
}

/** @internal The pool in use: for tests. */
export function currentExecutor(): Executor | null {
  return current;
}
