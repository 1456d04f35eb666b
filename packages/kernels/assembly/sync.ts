/**
 * Workers meet here. A barrier in the control block: a count of arrivals and a generation. Who waits spins for a while, then takes
 * naps that end by themselves. It is not woken: a worker that is woken is put on the processor of the one that wakes it, and two
 * that share a processor then wait for each other at every barrier (measured: 30 microseconds each, instead of 0.3). And on a busy
 * machine the one that is late may need the processor of the one that waits.
 */
const ARRIVED: usize = 0;
const GENERATION: usize = 4;
/** Non-zero when a worker failed: nobody waits any longer. */
const ABORTED: usize = 8;
/** The error as of the last barrier: the same for all workers, whoever reads it when. */
const STOPPED: usize = 12;
const SPINS: i32 = 200_000;
const NAP: i64 = 30_000; // nanoseconds

/** Where errors of kernels are left: what kind of value offends, the value, and the address of the command that met it. */
export const ERROR_CODE: usize = 16;
export const ERROR_VALUE: usize = 20;
export const ERROR_COMMAND: usize = 24;
/** Codes: the value is an int32, or the bits of a float32. */
export const BAD_INTEGER: i32 = 1;
export const BAD_FLOAT: i32 = 2;

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
    return;
  }
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(control, GENERATION) != generation) return;
  while (atomic.load<i32>(control, GENERATION) == generation) {
    if (atomic.load<i32>(control, ABORTED)) unreachable();
    atomic.wait<i32>(control + GENERATION, generation, NAP);
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
export function fail(code: i32, value: i32, command: usize): void {
  if (atomic.cmpxchg<i32>(control, 0, code, ERROR_CODE) != 0) return;
  store<i32>(control, value, ERROR_VALUE);
  store<usize>(control, command, ERROR_COMMAND);
}
