import { HeapError } from '@recurra/kernels';
import type { Threads } from '../engine.js';
import { wantedThreads } from '../threads.js';
import { type Executor, obstacle, processors, WorkerError } from './executor.js';
import type { LinearMemory } from './memory.js';

/** More threads than this seldom pay for sequences: they share the batch. */
const MAX_AUTO = 8;

/** The workers of WebAssembly, started when they are first needed or after one died. */
export class Pool {
  private readonly memory: LinearMemory;
  private readonly start: (count: number) => Promise<Executor>;
  private starting: Promise<Executor> | null = null;
  private running: Executor | null = null;
  /** Why there are none although they were wanted. */
  private refusal: string | null = null;

  constructor(memory: LinearMemory, start: (count: number) => Promise<Executor>) {
    this.memory = memory;
    this.start = start;
  }

  /** Those in use. */
  get current(): Executor | null {
    return this.running;
  }

  /** How many there are (or will be), and why. */
  threads(): Threads {
    const found = obstacle(this.memory.kernels.shared) ?? this.refusal;
    if (found) return { count: 1, reason: found };
    const wanted = wantedThreads();
    if (wanted !== 'auto') return { count: wanted, reason: `setThreads(${wanted})` };
    const available = processors();
    const count = Math.max(1, Math.min(available, MAX_AUTO));
    return { count, reason: available === 1 ? 'this machine has one processor' : `${available} processors` };
  }

  /** The workers; `null` where steps run on the calling thread. */
  workers(): Executor | Promise<Executor | null> | null {
    if (this.running && !this.running.broken) return this.running;
    const { count } = this.threads();
    if (count === 1) return null;
    if (this.running?.broken) {
      this.starting = this.running.dispose().then(() => this.start(count));
      this.running = null;
    }
    this.starting ??= this.start(count);
    const starting = this.starting;
    return starting.then(
      (started) => {
        if (this.starting === starting) this.running = started;
        return started;
      },
      (error: unknown) => {
        this.starting = null;
        if (error instanceof WorkerError) {
          this.refusal = `workers do not start here: ${error.message}`;
          return null;
        }
        // No memory is left for the workers' own: this step runs without them.
        if (error instanceof HeapError) return null;
        throw error;
      },
    );
  }

  /** Ends the workers. */
  async end(): Promise<void> {
    this.refusal = null;
    const old = this.starting;
    this.starting = null;
    this.running = null;
    await old?.then(
      (executor) => executor.dispose(),
      () => {},
    );
  }
}
