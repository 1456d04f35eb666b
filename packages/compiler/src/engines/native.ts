import { type Layout, wordsOf } from '@recurra/kernels';
import type { Sized } from '../schedule/buffer.js';
import { Address, type Command } from '../schedule/program.js';
import type { Schedule } from '../schedule/schedule.js';
import { everyCommand, type Supports } from '../schedule/supports.js';
import type { Engine, Prepared, Threads } from './engine.js';
import { isThreaded, wantedThreads } from './threads.js';
import { processors } from './wasm/executor.js';
import { type LinearMemory, linearMemory } from './wasm/memory.js';
import { type Crew, LinearProgram, type Runner } from './wasm/program.js';

/**
 * What `@recurra/native` exports, as its default or by name. It reads the same words in the same memory as the kernels of WebAssembly: addresses
 * are bytes from the beginning of `memory`, which is the whole of it in every call, since it grows.
 */
export interface NativeModule {
  /** The commands that it knows: `PROTOCOL` of the `@recurra/kernels` that its numbers were generated from. Another one is refused. */
  readonly protocol: string;
  /** What it runs on, for explanations: 'avx512, 2 cores'. */
  readonly description: string;
  /** Why WebAssembly is quicker than it on this machine, where that is so: 'auto' then leaves it. */
  readonly slower?: string | undefined;
  /**
   * Bytes of a block that it sizes: the word at place `word` of a command with this number. `words` are those after number and length, with 0 for
   * addresses.
   */
  size(command: number, word: number, words: Int32Array): number;
  /**
   * Runs the commands from `start` to `end` on the calling thread. What a kernel does not take it leaves in the words `Control.errorKind`, `errorValue` and
   * `errorCommand` of the block at `control`; it throws for what is wrong with a command itself.
   */
  runNow(memory: Uint8Array, start: number, end: number, control: number): void;
  /** The same on `threads` threads of its own; the calling thread does not wait. Rejects where `runNow` throws. */
  run(memory: Uint8Array, start: number, end: number, control: number, threads: number): Promise<void>;
  /** Ends its threads; they start again when they are needed. */
  endThreads?(): void;
}

/** The native engine: its package runs the words that the WebAssembly engine would run, over the same memory. */
export class NativeEngine implements Engine, Runner {
  readonly name = 'native';
  readonly storage: LinearMemory = linearMemory();
  /** The package has the commands of the same build. */
  readonly supports: Supports = everyCommand;
  readonly description: string;
  /** Why 'auto' leaves it; most often it does not. */
  readonly slower: string | undefined;
  private readonly native: NativeModule;

  constructor(native: NativeModule) {
    this.native = native;
    this.description = native.description;
    this.slower = native.slower;
  }

  get engine(): Engine {
    return this;
  }

  size({ layout, fields, name }: Sized): number {
    const numbers = Object.entries(fields).filter(([, value]) => !(value instanceof Address));
    const words = wordsOf<never>(layout as Layout, Object.fromEntries(numbers) as Record<string, number>);
    return this.native.size(layout.number, layout.words.indexOf(name), Int32Array.from(words));
  }

  /** It compiles no chains. */
  fill(_command: Command): Readonly<Record<string, number>> {
    return {};
  }

  prepare(schedule: Schedule, name: string): Prepared {
    return new LinearProgram(schedule, this.storage, this, name);
  }

  run(start: number, end: number): void {
    const { heap, control } = this.storage.kernels;
    this.native.runNow(heap.arrays.u8, start, end, control);
  }

  /** One thread, too, is not the calling one: that never waits for a large step. */
  crew(work: number): Crew | null {
    if (!isThreaded(work)) return null;
    const { count } = this.threads();
    const { heap, control } = this.storage.kernels;
    return { run: (start, end) => this.native.run(heap.arrays.u8, start, end, control, count) };
  }

  threads(): Threads {
    const wanted = wantedThreads();
    if (wanted !== 'auto') return { count: wanted, reason: `setThreads(${wanted})` };
    const count = processors();
    return { count, reason: count === 1 ? 'this machine has one processor' : `${count} processors` };
  }

  async endThreads(): Promise<void> {
    this.native.endThreads?.();
  }
}
