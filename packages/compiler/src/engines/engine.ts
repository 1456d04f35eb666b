import type { Tensor } from '@recurra/tensor';
import type { Aval, NDArray } from '@recurra/tensor/extend';
import type { Sized } from '../schedule/buffer.js';
import type { Schedule } from '../schedule/schedule.js';
import type { Supports } from '../schedule/supports.js';

/** The engines there are. */
export type EngineName = 'wasm' | 'native';

/** On how many threads large steps run, and why. */
export interface Threads {
  readonly count: number;
  readonly reason: string;
}

/** What a storage calls a block; nobody else looks into it. */
export type Block = number | object;

/** What holds a block, for messages. */
export interface Holder {
  readonly kind: string;
  readonly name: string;
}

/** Where blocks stay from one step to the next: those of variables. Engines that share memory share one. */
export interface Storage {
  /** Throws where there is no memory for it. Only while no step runs. */
  allocate(bytes: number, holder: Holder): Block;
  release(block: Block): void;
  /** Copies elements into a block. */
  write(block: Block, array: NDArray): void;
  /** A copy of the elements of a block; a promise where they do not lie in memory that the calling thread sees. */
  read(block: Block, aval: Aval): NDArray | Promise<NDArray>;
}

/** Bytes of memory that a step takes. */
export interface MemoryUse {
  /** Intermediate values, at their peak; all steps share one arena of the largest of these sizes. */
  readonly arena: number;
  /** What the intermediate values would take if each kept its own place. */
  readonly unplanned: number;
  /** Constants and commands. */
  readonly plan: number;
  /** Variables that the step reads or writes. */
  readonly variables: number;
}

/** The time of one command. */
export interface KernelTime {
  readonly label: string;
  readonly milliseconds: number;
}

/**
 * The memory of a prepared schedule: had when it first runs, given back once it is evicted and no call uses it. It knows nothing of the schedule,
 * so that whoever keeps it to give it back does not keep that alive.
 */
export interface Holding {
  /** A call begins. */
  use(): void;
  /** A call has ended. */
  leave(): void;
  /** There will be no further calls. */
  evict(): void;
}

/** A schedule made ready to run on an engine. */
export interface Prepared {
  readonly engine: Engine;
  readonly schedule: Schedule;
  readonly memory: MemoryUse;
  readonly holding: Holding;
  /**
   * Gives the step, its variables and its intermediate values their places; to be called before each run. Throws `MemoryError` where there is
   * not enough memory; what was taken is then given back.
   */
  place(): void;
  /** Runs it: small steps on the calling thread, at once. Throws (or rejects with) what kernels do not take. */
  run(inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]>;
  /** Runs it on the calling thread, command by command, and measures each. */
  runTimed(inputs: readonly Tensor[]): { outputs: Tensor[]; times: KernelTime[] };
}

/** What runs schedules. */
export interface Engine {
  readonly name: EngineName;
  readonly storage: Storage;
  /** Which commands it has. What would become others is evaluated on the calling thread, between commands. */
  readonly supports: Supports;
  /** Bytes of a block that it sizes: what a pass over a sequence leaves for the way back, scratch memory. */
  size(block: Sized): number;
  /** Assembles a schedule that was planned for what it supports. `name`: that of the step, for messages. */
  prepare(schedule: Schedule, name: string): Prepared;
  /** On how many threads large steps run. */
  threads(): Threads;
  /** Ends its threads, once no step runs: another number is wanted from now on. */
  endThreads(): Promise<void>;
}
