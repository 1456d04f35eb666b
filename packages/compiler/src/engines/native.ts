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

/** The package that brings the native engine. */
export const NATIVE_PACKAGE = '@recurra/native';

/**
 * What `@recurra/native` exports, as its default or by name. It reads the same words in the same memory as the kernels of WebAssembly: addresses
 * are bytes from the beginning of `memory`, which is the whole of it in every call, since it grows.
 */
export interface NativeModule {
  /** The commands that it knows: `PROTOCOL` of the `@recurra/kernels` that its numbers were generated from. Another one is refused. */
  readonly protocol: string;
  /** What it runs on, for explanations: 'AVX-512, 2 cores'. */
  readonly description: string;
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

interface NodeProcess {
  readonly argv?: readonly string[];
  cwd?(): string;
  getBuiltinModule?(id: string): unknown;
}

/** How a module is found from a file. */
type Require = (id: string) => unknown;

/**
 * The package, where this is Node, Deno or Bun and it is installed for the program or in the working directory: `null` where it is not, and
 * why it does not load where it is. Bundlers see no import: pages never meet it.
 */
export function loadNative(): { readonly module: NativeModule } | { readonly failure: string | null } {
  const { process } = globalThis as { process?: NodeProcess };
  const node = process?.getBuiltinModule?.('node:module') as { createRequire(file: string): Require } | undefined;
  if (!node) return { failure: null };
  let failure: string | null = null;
  for (const base of [process?.argv?.[1], `${process?.cwd?.() ?? ''}/package.json`]) {
    if (!base) continue;
    try {
      const found = node.createRequire(base)(NATIVE_PACKAGE) as NativeModule | { default: NativeModule };
      return { module: 'default' in found ? found.default : found };
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // Another file that is not found is one that the package itself needs: its binary.
      const absent = /MODULE_NOT_FOUND$/.test(code ?? '') && message.includes(`'${NATIVE_PACKAGE}'`);
      if (!absent) failure = message;
    }
  }
  return { failure };
}

/** The native engine: its package runs the words that the WebAssembly engine would run, over the same memory. */
export class NativeEngine implements Engine, Runner {
  readonly name = 'native';
  readonly storage: LinearMemory = linearMemory();
  /** The package has the commands of the same build. */
  readonly supports: Supports = everyCommand;
  readonly description: string;
  private readonly native: NativeModule;

  constructor(native: NativeModule) {
    this.native = native;
    this.description = native.description;
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

  crew(work: number): Crew | null {
    const { count } = this.threads();
    if (count === 1 || !isThreaded(work)) return null;
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
