import { type Tensor, ValueError } from '@recurra/tensor';
import { Executor, obstacle, processors, WorkerError } from './executor.js';
import type { Plan } from './plan/plan.js';
import { runtime } from './runtime.js';

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
/** The step in progress; others wait for it. */
let tail: Promise<unknown> | null = null;

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
  await tail?.catch(() => {});
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
      throw error;
    },
  );
}

/** Runs a job when those before it are done; at once where none is. */
function inTurn<T>(job: () => T | Promise<T>): T | Promise<T> {
  if (tail === null) {
    const result = job();
    if (!(result instanceof Promise)) return result;
    hold(result);
    return result;
  }
  const result = tail.then(job, job);
  hold(result);
  return result;
}

function hold(job: Promise<unknown>): void {
  tail = job;
  const clear = (): void => {
    if (tail === job) tail = null;
  };
  job.then(clear, clear);
}

/** Runs a plan: small ones on the calling thread, large ones on the pool; one after another. */
export function execute(plan: Plan, inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]> {
  return inTurn(() => {
    if (plan.work < threadedWork) return plan.runInline(inputs);
    const found = executor();
    if (found === null) return plan.runInline(inputs);
    if (found instanceof Executor) return plan.runOn(found, inputs);
    return found.then((started) => (started ? plan.runOn(started, inputs) : plan.runInline(inputs)));
  });
}

/** Runs a plan on the calling thread, measuring every command. */
export function executeTimed(
  plan: Plan,
  inputs: readonly Tensor[],
): ReturnType<Plan['runTimed']> | Promise<ReturnType<Plan['runTimed']>> {
  return inTurn(() => plan.runTimed(inputs));
}

/** @internal The pool in use: for tests. */
export function currentExecutor(): Executor | null {
  return current;
}
