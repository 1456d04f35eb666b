import { createRequire } from 'node:module';
import { expectComplete } from './complete.js';
import { candidates, PLATFORMS } from './platform.js';

/** An engine over one memory; see `src/node.rs`. */
export interface NativeEngine {
  /** The instruction set in use: `avx512`, `avx2`, `neon` or `portable`. */
  readonly simd: string;
  /** Sets the memory that commands work on: all of a WebAssembly memory, again whenever it has grown. */
  attach(memory: Uint8Array): void;
  /** Runs the commands from `program` to `end` on the calling thread. What kernels refuse is left in the control block. */
  run(program: number, end: number, control: number): void;
  /** Starts threads for `submit`, unless there are as many; others end once they have done what was submitted. */
  start(threads: number): void;
  /** Ends the threads, once they have done what was submitted. */
  stop(): void;
  /** Runs the commands on the threads, after those that were submitted before; resolves when they are done. */
  submit(program: number, end: number, control: number): Promise<void>;
}

/** What the binary offers. */
export interface Binding {
  /** @param simd the name of an instruction set; by default the widest that the processor has */
  readonly NativeEngine: new (
    simd?: string,
  ) => NativeEngine;
  /** The commands that it reads. */
  protocol(): string;
  /** Bytes of a block that it sizes. */
  blockBytes(command: number, word: number, words: Int32Array): number;
}

/** The binary of this platform, from the platform's package. Throws `Error`, saying what was looked for, where there is none or it does not load. */
export function loadBinding(): Binding {
  const require = createRequire(import.meta.url);
  const names = candidates(process.platform, process.arch);
  const failures: string[] = [];
  for (const name of names) {
    try {
      const file = require.resolve(`@recurra/native-${name}`);
      expectComplete(file);
      return require(file) as Binding;
    } catch (error) {
      // No other binary would load either, and none is missing.
      if ((error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED') throw error;
      failures.push((error as Error).message.split('\n')[0]!);
    }
  }
  const wanted =
    names.length === 0
      ? `a platform of ${PLATFORMS.join(', ')}, received ${process.platform}-${process.arch}`
      : `the binary of ${names.map((name) => `@recurra/native-${name}`).join(' or ')}, received: ${failures.join('; ')}`;
  throw new Error(`expected ${wanted}. Install with optional dependencies.`);
}
