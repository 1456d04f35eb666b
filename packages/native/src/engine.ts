import { availableParallelism } from 'node:os';
import { loadBinding, type NativeEngine } from './binding.js';

const binding = loadBinding();
/** `RECURRA_SIMD`: a narrower instruction set than the processor's, for tests and comparisons. */
const forced = process.env['RECURRA_SIMD'] || undefined;
const engine: NativeEngine = new binding.NativeEngine(forced);

/** The memory that the engine has. */
let attached: Uint8Array | null = null;

function attach(memory: Uint8Array): void {
  if (attached === memory) return;
  // It takes the address of a Buffer.
  engine.attach(Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength));
  attached = memory;
}

/** The commands that it knows. Those who write others are refused. */
export const protocol: string = binding.protocol();

/** What it runs on: `avx512, 8 cores`. */
export const description: string = `${engine.simd}, ${availableParallelism()} cores`;

/**
 * Why WebAssembly is quicker here, where that is so: its vectors have four lanes, those of the portable set, which is there for tests, none (W1 trains in 42 ms beside 9).
 * Who forces that set gets it.
 */
export const slower: string | undefined =
  engine.simd === 'portable' && !forced
    ? 'this processor has no AVX2 with fused multiply-add, and WebAssembly is quicker than @recurra/native without'
    : undefined;

/** Bytes of a block that the engine sizes: the word at place `word` of a command with this number and these words, with 0 for addresses. */
export function size(command: number, word: number, words: Int32Array): number {
  return binding.blockBytes(command, word, words);
}

/**
 * Runs the commands from `start` to `end` on the calling thread. What a kernel does not take is left in the block at `control`; throws `Error` for a
 * command that leaves the memory or that there is none of.
 */
export function runNow(memory: Uint8Array, start: number, end: number, control: number): void {
  attach(memory);
  engine.run(start, end, control);
}

/** What runs work on: it stays while they do, also where nobody else holds it. */
const held = new Set<object>();

/** The same on `threads` threads; the calling thread does not wait. Runs that overlap are served in order. */
export async function run(
  memory: Uint8Array,
  start: number,
  end: number,
  control: number,
  threads: number,
): Promise<void> {
  attach(memory);
  engine.start(threads);
  const hold = { memory };
  held.add(hold);
  try {
    await engine.submit(start, end, control);
  } finally {
    held.delete(hold);
  }
}

/** Ends the threads, once they have done what runs; they start again when they are needed. */
export function endThreads(): void {
  engine.stop();
}
