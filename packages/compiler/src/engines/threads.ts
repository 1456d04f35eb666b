/** From how much work on a step is shared among threads. */
import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';

/** Less work (multiply-adds) than this, a few milliseconds, runs on the calling thread: waking workers and meeting takes its time. */
const THREADED_WORK = 20_000_000;

/** The largest machines have about as many processors. More only wait: 1,000 on two processors take 5 s for a step of 15 ms, 256 workers of WebAssembly 2 GB. */
const MOST = 256;

let threadedWork = THREADED_WORK;
let wanted: number | 'auto' = 'auto';

/** @internal From how much work on steps run on the pool; `null`: as usual. For tests, which share small ones too. */
export function setThreadedWork(work: number | null): void {
  threadedWork = work ?? THREADED_WORK;
}

/** Is a step of so much work worth threads? */
export function isThreaded(work: number): boolean {
  return work >= threadedWork;
}

/** The number of threads that was asked for. */
export function wantedThreads(): number | 'auto' {
  return wanted;
}

/** Notes the number that is asked for; says whether it is another one. Throws `ValueError` unless it is 'auto' or an integer in 1..256. */
export function wantThreads(count: number | 'auto'): boolean {
  if (count !== 'auto' && !(Number.isInteger(count) && count >= 1 && count <= MOST))
    throw new ValueError(
      `setThreads: expected 'auto' or an integer in 1..${MOST}, received ${describeValue(count)}. 'auto' takes one a processor.`,
    );
  const changed = count !== wanted;
  wanted = count;
  return changed;
}
