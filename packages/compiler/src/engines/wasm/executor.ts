import { Control, type Holder, SCRATCH_BYTES } from '@recurra/kernels';
import { RecurraError } from '@recurra/tensor';
import type { Chains } from './emit/chains.js';
import type { LinearMemory } from './memory.js';
import { Order, workerSource } from './worker-source.js';

/** A worker died, or could not be had. */
export class WorkerError extends RecurraError {}

/** What Node's workers and those of browsers have in common, as far as a pool needs it. */
interface Port {
  post(message: unknown): void;
  terminate(): Promise<unknown>;
  /** Does the worker keep the process alive? */
  hold(held: boolean): void;
}

interface Listeners {
  message(data: unknown): void;
  failed(reason: string): void;
}

interface NodeWorker {
  on(event: 'message', f: (data: unknown) => void): void;
  on(event: 'error', f: (error: Error) => void): void;
  on(event: 'exit', f: (code: number) => void): void;
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
}

type NodeWorkerClass = new (
  source: string,
  options: { eval: true; name: string; execArgv: string[]; stdin: false },
) => NodeWorker;

interface NodeProcess {
  getBuiltinModule?(id: string): unknown;
  versions?: { node?: string; bun?: string };
}

function nodeProcess(): NodeProcess | undefined {
  return (globalThis as { process?: NodeProcess }).process;
}

/** Node's class of workers, in Node. */
function nodeWorkers(): NodeWorkerClass | null {
  const found = nodeProcess()?.getBuiltinModule?.('node:worker_threads') as { Worker: NodeWorkerClass } | undefined;
  return found?.Worker ?? null;
}

/** The number of processors. */
export function processors(): number {
  const os = nodeProcess()?.getBuiltinModule?.('node:os') as { availableParallelism(): number } | undefined;
  if (os) return os.availableParallelism();
  return (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1;
}

/** Can workers be had here at all? `null`, or why not. */
export function obstacle(shared: boolean): string | null {
  if (!shared)
    return 'memory cannot be shared here: in a browser, the page has to be cross-origin isolated (COOP and COEP headers)';
  if (nodeWorkers()) return null;
  return typeof Worker === 'undefined' ? 'this environment has no workers' : null;
}

/** Starts one worker from a string: no file to find, no bundler to configure. */
function spawn(name: string, listeners: Listeners): Port {
  const Class = nodeWorkers();
  const source = workerSource();
  if (Class) {
    const worker = new Class(source, { eval: true, name, execArgv: [], stdin: false });
    worker.unref();
    worker.on('message', (data) => listeners.message(data));
    worker.on('error', (error) => listeners.failed(error.message));
    worker.on('exit', (code) => listeners.failed(`it ended with code ${code}`));
    return {
      post: (message) => worker.postMessage(message),
      terminate: () => worker.terminate(),
      hold: (held) => (held ? worker.ref() : worker.unref()),
    };
  }
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url, { name });
  URL.revokeObjectURL(url);
  worker.onmessage = (event: MessageEvent) => listeners.message(event.data);
  worker.onerror = (event) => listeners.failed(event.message || 'it could not be started');
  return {
    post: (message) => worker.postMessage(message),
    terminate: () => {
      worker.terminate();
      return Promise.resolve();
    },
    hold: () => {},
  };
}

const WORKERS: Holder = { kind: 'blocks of workers', name: 'workers' };

/** Workers over the shared memory. They sleep between steps, do not keep the process alive, and go with {@link dispose}. */
export class Executor {
  readonly count: number;
  private readonly memory: LinearMemory;
  private readonly chains: Chains;
  private readonly ports: Port[] = [];
  private readonly scratch: number[] = [];
  private readonly sync: number;
  private pending: { resolve: () => void; reject: (error: Error) => void } | null = null;
  private failure: Error | null = null;
  private disposed: Promise<void> | null = null;
  private closing = false;

  private constructor(memory: LinearMemory, chains: Chains, count: number) {
    this.memory = memory;
    this.chains = chains;
    this.count = count;
    this.sync = memory.allocate(64, WORKERS);
    memory.words(this.sync, 16).fill(0);
    try {
      for (let i = 0; i < count; i++) this.scratch.push(memory.allocate(SCRATCH_BYTES, WORKERS));
    } catch (error) {
      for (const address of [this.sync, ...this.scratch]) memory.release(address);
      throw error;
    }
  }

  /**
   * Starts `count` workers; resolves when all of them are ready. Rejects with `WorkerError` where one does not start, with `HeapError` where
   * their memory is not to be had. Only between steps: the arena may have to move.
   */
  static async start(memory: LinearMemory, chains: Chains, count: number): Promise<Executor> {
    const executor = new Executor(memory, chains, count);
    try {
      await executor.startWorkers();
    } catch (error) {
      await executor.dispose();
      throw error;
    }
    return executor;
  }

  /** Did a worker die? The pool is then of no more use. */
  get broken(): boolean {
    return this.failure !== null;
  }

  private startWorkers(): Promise<void> {
    const { module, heap, control } = this.memory.kernels;
    return new Promise((resolve, reject) => {
      let ready = 0;
      for (let i = 0; i < this.count; i++) {
        const listeners: Listeners = {
          message: (data) => {
            const { kind, error } = data as { kind: 'ready' | 'done' | 'error'; error?: string };
            if (kind === 'ready' && ++ready === this.count) {
              for (const p of this.ports) p.hold(false);
              resolve();
            } else if (kind === 'error') this.fail(new WorkerError(`worker: ${error}`));
            else if (kind === 'done') this.finish();
          },
          failed: (reason) => {
            const error = new WorkerError(`worker ${i} of ${this.count} is gone: ${reason}. The step did not finish.`);
            reject(error);
            this.fail(error);
          },
        };
        let port: Port;
        try {
          port = spawn(`recurra ${i}`, listeners);
        } catch (error) {
          // Node's permission model and a page's content security policy forbid workers so.
          reject(new WorkerError((error as Error).message));
          return;
        }
        port.hold(true);
        this.ports.push(port);
        port.post({
          module,
          memory: heap.memory,
          worker: i,
          workers: this.count,
          control,
          sync: this.sync,
          scratch: this.scratch[i]!,
          scratchBytes: SCRATCH_BYTES,
        });
      }
    });
  }

  private words(address: number): Int32Array {
    return this.memory.words(address, 16);
  }

  /** Runs commands from `start` to `end` on all workers. Rejects with `WorkerError` if one dies meanwhile. */
  run(start: number, end: number): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.pending = { resolve, reject };
      this.ports[0]!.hold(true);
      const sync = this.words(this.sync);
      sync[Order.start] = start;
      sync[Order.end] = end;
      sync[Order.remaining] = this.count;
      const { directory, count } = this.chains.catalogue;
      sync[Order.directory] = directory;
      sync[Order.chains] = count;
      Atomics.add(sync, Order.epoch, 1);
      Atomics.notify(sync, Order.epoch);
    });
  }

  private finish(): void {
    const pending = this.pending;
    if (!pending) return;
    this.pending = null;
    this.ports[0]!.hold(false);
    pending.resolve();
  }

  private fail(error: Error): void {
    if (this.failure || this.closing) return;
    this.failure = error;
    // Nobody shall wait any longer for the one that is gone.
    const control = this.words(this.memory.kernels.control);
    Atomics.store(control, Control.aborted, 1);
    Atomics.notify(control, Control.generation);
    const pending = this.pending;
    this.pending = null;
    void this.dispose().then(() => pending?.reject(error));
  }

  /** @internal Ends one worker, as a crash would: for tests. */
  kill(worker: number): Promise<unknown> {
    return this.ports[worker]!.terminate();
  }

  /** Ends the workers and gives their memory back. */
  dispose(): Promise<void> {
    // Where ending a worker tells of its end at once, fail() must know already.
    this.closing = true;
    this.disposed ??= Promise.all(this.ports.map((port) => port.terminate())).then(() => {
      const { heap } = this.memory.kernels;
      for (const address of [this.sync, ...this.scratch]) heap.release(address);
      this.memory.resetControl();
    });
    return this.disposed;
  }
}
