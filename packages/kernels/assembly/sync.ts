/**
 * Workers meet here. A barrier in the control block: a count of arrivals and a generation. Waiting spins for some milliseconds
 * before it sleeps: who sleeps is woken on the processor of the one that wakes him, and two workers that share a processor so
 * would sleep at every barrier from then on (measured: 30 microseconds a barrier instead of 0.3).
 */
const ARRIVED: usize = 0;
const GENERATION: usize = 4;
/** Non-zero when a worker failed: nobody waits any longer. */
const ABORTED: usize = 8;
/** The error as of the last barrier: the same for all workers, whoever reads it when. */
const STOPPED: usize = 12;
const SPINS: i32 = 2_000_000;

/** Where errors of kernels are left: a code (see commands) and the offending value. */
export const ERROR_CODE: usize = 16;
export const ERROR_VALUE: usize = 20;

let control: usize = 0;
let team: i32 = 1;

/** Sets the control block and the number of workers for the program that follows. */
export function enter(block: usize, workers: i32): void {
  control = block;
  team = workers;
}

/** Returns once every worker of the team has come here. */
export function barrier(): void {
  if (team <= 1) return;
  const generation = atomic.load<i32>(control, GENERATION);
  if (atomic.add<i32>(control, 1, ARRIVED) == team - 1) {
    atomic.store<i32>(control, 0, ARRIVED);
    atomic.store<i32>(control, atomic.load<i32>(control, ERROR_CODE), STOPPED);
    atomic.add<i32>(control, 1, GENERATION);
    atomic.notify(control + GENERATION, -1);
    return;
  }
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(control, GENERATION) != generation) return;
  while (atomic.load<i32>(control, GENERATION) == generation) {
    if (atomic.load<i32>(control, ABORTED)) unreachable();
    atomic.wait<i32>(control + GENERATION, generation, 100_000_000);
  }
}

/** Has a kernel failed before the last barrier (or at all, in a team of one)? What follows is then left out. */
export function stopped(): bool {
  return (team <= 1 ? atomic.load<i32>(control, ERROR_CODE) : atomic.load<i32>(control, STOPPED)) != 0;
}

/** Has a kernel failed so far? */
export function failed(): bool {
  return atomic.load<i32>(control, ERROR_CODE) != 0;
}

/** Notes the first error of a program; it goes on, and the host throws at its end. */
export function fail(code: i32, value: i32): void {
  if (atomic.cmpxchg<i32>(control, 0, code, ERROR_CODE) == 0) store<i32>(control, value, ERROR_VALUE);
}
