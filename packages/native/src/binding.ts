import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { host, PLATFORMS, platformOf } from './platform.js';

/** An engine over one memory; see `src/node.rs`. */
export interface NativeEngine {
  /** The instruction set in use: `avx512`, `avx2`, `neon` or `portable`. */
  readonly simd: string;
  /** Sets the memory that commands work on: all of a WebAssembly memory, again whenever it has grown. */
  attach(memory: Uint8Array): void;
  /** Runs the commands from `program` to `end` on the calling thread. What kernels refuse is left in the control block. */
  run(program: number, end: number, control: number): void;
  /** Starts threads for `submit`; those before end when their program has. */
  start(threads: number): void;
  /** Ends the threads. */
  stop(): void;
  /** Runs the commands on the threads; resolves when they are done. One program at a time. */
  submit(program: number, end: number, control: number): Promise<void>;
}

/** What the binary offers. */
export interface Binding {
  /** @param simd the name of an instruction set; by default the widest that the processor has */
  readonly NativeEngine: new (simd?: string) => NativeEngine;
}

/**
 * The binary of this platform: one that was built here (`pnpm build:native`), else that of the platform's package. Throws `Error`, saying what was looked
 * for, where there is none or it does not load.
 */
export function loadBinding(): Binding {
  const platform = platformOf(host());
  const require = createRequire(import.meta.url);
  const built = fileURLToPath(new URL(`../recurra-native.${platform}.node`, import.meta.url));
  const name = existsSync(built) ? built : `@recurra/native-${platform}`;
  try {
    return require(name) as Binding;
  } catch (error) {
    const known = (PLATFORMS as readonly string[]).includes(platform);
    throw new Error(
      `@recurra/native: expected the binary for ${platform} (${known ? `package @recurra/native-${platform}` : `there are some for ${PLATFORMS.join(', ')}`}), received: ${(error as Error).message}. Install with optional dependencies, or use setEngine('wasm').`,
    );
  }
}
