import { CHARACTERS, ORDER, PLAIN, RELAXED } from './generated/module.js';
import { Heap } from './heap.js';

/** Bytes of scratch memory that every worker needs for itself. */
export const SCRATCH_BYTES: number = 640 * 1024;
/** Bytes of the block through which workers synchronise and report errors. */
export const CONTROL_BYTES = 256;
/** The first address that the heap hands out: below are the constants of the kernels. */
const HEAP_BASE = 65_536;
const PAGE = 65_536;

/** The functions of the module. */
export interface KernelExports {
  /** Functions that commands call by number; compiled chains are put here. */
  readonly table: WebAssembly.Table;
  /** Writes the constants of the kernels; once for a memory. */
  initialize(): void;
  /** Runs commands from `program` to `end` as worker `worker` of `workers`. */
  run(
    program: number,
    end: number,
    worker: number,
    workers: number,
    control: number,
    scratch: number,
    scratchBytes: number,
  ): void;
  /** float32 values that the forward pass over a sequence leaves for the backward pass. */
  residualSize(kind: number, batch: number, time: number, features: number, units: number): number;
  /** float32 values of scratch memory that the forward pass needs. */
  forwardScratch(kind: number, batch: number, time: number, features: number, units: number): number;
  /** float32 values of scratch memory that the backward pass needs. */
  backwardScratch(kind: number, batch: number, time: number, features: number, units: number): number;
  /** The same three of the kernels for projected inputs. */
  recurrenceResidual(kind: number, batch: number, time: number, units: number): number;
  recurrenceForwardScratch(kind: number, batch: number, time: number, units: number): number;
  recurrenceBackwardScratch(kind: number, batch: number, time: number, units: number): number;
}

/** The compiled module over its memory. */
export interface Kernels {
  readonly module: WebAssembly.Module;
  readonly heap: Heap;
  readonly exports: KernelExports;
  /** Does the build use relaxed SIMD (fused multiply-add)? */
  readonly relaxed: boolean;
  /** Is the memory shared, so that workers can run on it? */
  readonly shared: boolean;
  /** Addresses of the control block and of the calling thread's scratch memory. */
  readonly control: number;
  readonly scratch: number;
}

/** Bytes from their text (see scripts/build-wasm.mjs): the last two characters of the alphabet begin a pair. */
function decode(text: string): Uint8Array<ArrayBuffer> {
  const places = new Uint8Array(128);
  for (let i = 0; i < CHARACTERS.length; i++) places[CHARACTERS.charCodeAt(i)] = i;
  const order = Uint8Array.from(ORDER.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  const singles = CHARACTERS.length - 2;
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let place = places[text.charCodeAt(i)]!;
    if (place >= singles) place = singles + (place - singles) * CHARACTERS.length + places[text.charCodeAt(++i)]!;
    bytes[length++] = order[place]!;
  }
  return bytes.slice(0, length);
}

/** The bytes that a difference (see scripts/build-wasm.mjs) makes of others. */
function patched(from: Uint8Array, difference: Uint8Array): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = difference[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  for (let place = 0; at < difference.length; ) {
    for (let n = varint(); n > 0; n--) out.push(difference[at++]!);
    const length = varint();
    const distance = varint();
    place += distance % 2 === 1 ? -(distance + 1) / 2 : distance / 2;
    for (let n = length; n > 0; n--) out.push(from[place++]!);
  }
  return Uint8Array.from(out);
}

/** The module declares its memory as shared; where the engine offers none, that flag is cleared. */
function unshare(bytes: Uint8Array): void {
  const name = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 3]; // "env" "memory", a memory, shared with a maximum
  const at = bytes.findIndex((_, i) => name.every((b, j) => bytes[i + j] === b));
  bytes[at + name.length - 1] = 1;
}

function createMemory(shared: boolean): { memory: WebAssembly.Memory; pages: number } {
  let failure = '';
  // Some systems cannot reserve four gigabytes of addresses.
  for (const pages of [65_536, 32_768, 16_384, 4_096])
    try {
      return { memory: new WebAssembly.Memory({ initial: 64, maximum: pages, shared }), pages };
    } catch (error) {
      failure = (error as Error).message;
    }
  throw new Error(
    `kernels: expected room for a memory of 256 MiB to 4 GiB of addresses, received: ${failure}. Raise the limit of this process's addresses (ulimit -v).`,
  );
}

/** Instantiates the module over a memory. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const abort = (): never => {
    throw new Error('kernels: aborted');
  };
  return new WebAssembly.Instance(module, { env: { memory, abort } }).exports as unknown as KernelExports;
}

let loaded: Kernels | null = null;

/** May memory be shared with workers here? In a browser, only in pages that are cross-origin isolated. */
function canShare(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

/**
 * The kernels: compiled in the first call, then the same ones. The build with relaxed SIMD where the engine has it.
 * Throws `Error` in an environment without WebAssembly SIMD, or where the process may not have the addresses of a memory.
 */
export function loadKernels(): Kernels {
  if (loaded) return loaded;
  if (typeof WebAssembly === 'undefined')
    throw new Error(
      'kernels: expected an environment with WebAssembly, received one without. Leave out what forbids it (node --jitless), or call functions without jit.',
    );
  const plain = decode(PLAIN);
  if (!WebAssembly.validate(plain))
    throw new Error(
      'kernels: expected an environment with WebAssembly SIMD (Chrome 91, Firefox 89, Safari 16.4, Node 20 or later), received one without. Update it.',
    );
  const fused = patched(plain, decode(RELAXED));
  const relaxed = WebAssembly.validate(fused);
  const bytes = relaxed ? fused : plain;
  const shared = canShare();
  if (!shared) unshare(bytes);
  const module = new WebAssembly.Module(bytes);
  const { memory, pages } = createMemory(shared);
  const exports = instantiate(module, memory);
  exports.initialize();
  const heap = new Heap(memory, HEAP_BASE, pages * PAGE);
  const control = heap.allocate(CONTROL_BYTES);
  heap.arrays.u8.fill(0, control, control + CONTROL_BYTES);
  loaded = { module, heap, exports, relaxed, shared, control, scratch: heap.allocate(SCRATCH_BYTES) };
  return loaded;
}
