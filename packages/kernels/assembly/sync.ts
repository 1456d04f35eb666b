/**
 * Workers meet here. A barrier in the control block: a count of arrivals and a generation. Who waits spins for a while, then takes
 * naps that end by themselves. It is not woken: a worker that is woken is put on the processor of the one that wakes it, and two
 * that share a processor then wait for each other at every barrier (measured: 30 microseconds each, instead of 0.3). And on a busy
 * machine the one that is late may need the processor of the one that waits.
 */
import {
  CONTROL_ABORTED, CONTROL_ARRIVED, CONTROL_ERROR_COMMAND, CONTROL_ERROR_KIND, CONTROL_ERROR_VALUE, CONTROL_GENERATION, CONTROL_STOPPED,
} from "./generated/commands";

const SPINS: i32 = 200_000;
const NAP: i64 = 30_000; // nanoseconds

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
  const generation = atomic.load<i32>(control, CONTROL_GENERATION);
  if (atomic.add<i32>(control, 1, CONTROL_ARRIVED) == team - 1) {
    atomic.store<i32>(control, 0, CONTROL_ARRIVED);
    atomic.store<i32>(control, atomic.load<i32>(control, CONTROL_ERROR_KIND), CONTROL_STOPPED);
    atomic.add<i32>(control, 1, CONTROL_GENERATION);
    return;
  }
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(control, CONTROL_GENERATION) != generation) return;
  while (atomic.load<i32>(control, CONTROL_GENERATION) == generation) {
    if (atomic.load<i32>(control, CONTROL_ABORTED)) unreachable();
    atomic.wait<i32>(control + CONTROL_GENERATION, generation, NAP);
  }
}

/** Has a kernel failed before the last barrier (or at all, in a team of one)? What follows is then left out. */
export function stopped(): bool {
  return (team <= 1 ? atomic.load<i32>(control, CONTROL_ERROR_KIND) : atomic.load<i32>(control, CONTROL_STOPPED)) != 0;
}

/** Has a kernel failed so far? */
export function failed(): bool {
  return atomic.load<i32>(control, CONTROL_ERROR_KIND) != 0;
}

/** Notes the first error of a program (see ERROR_KIND_*); it goes on, and the host throws at its end. */
export function fail(kind: i32, value: i32, command: usize): void {
  if (atomic.cmpxchg<i32>(control, 0, kind, CONTROL_ERROR_KIND) != 0) return;
  store<i32>(control, value, CONTROL_ERROR_VALUE);
  store<usize>(control, command, CONTROL_ERROR_COMMAND);
}
