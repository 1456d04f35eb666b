import { CONTROL_BYTES, type Holder, type Kernels, loadKernels } from '@recurra/kernels';
import { type DType, type Shape, Tensor, type TypedArray } from '@recurra/tensor';
import { denseData, type NDArray, ndarray, sizeOf } from '@recurra/tensor/extend';

import { Chains } from './emit/chains.js';
import { type MemoryError, memoryError, type Needs } from './memory.js';

/** Bytes of an element. */
export function bytesOf(dtype: DType): number {
  return dtype === 'float64' ? 8 : dtype === 'bool' ? 1 : 4;
}

const ARENA: Holder = { kind: 'arenas', name: 'intermediate values' };

/**
 * A range of WebAssembly memory that plans share, since one step runs at a time: it is as large as the largest needs. It lies at the end
 * of memory, so that it gets its old place back when it grows; what stays is taken from the bottom.
 */
class Arena {
  base = 0;
  bytes = 0;
  private readonly kernels: Kernels;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
  }

  /** Makes room; the content is lost where it has to move. */
  ensure(bytes: number): void {
    if (bytes <= this.bytes) return;
    this.release();
    this.base = this.kernels.heap.allocate(bytes, ARENA, true);
    this.bytes = bytes;
  }

  /** Gives the memory back. */
  release(): void {
    if (this.bytes > 0) this.kernels.heap.release(this.base);
    this.bytes = 0;
    this.base = 0;
  }
}

/** The one WebAssembly memory of this thread, with what lives in it. */
export class Runtime {
  readonly kernels: Kernels = loadKernels();
  readonly arena: Arena = new Arena(this.kernels);
  readonly chains: Chains = new Chains(this);

  /** A typed array over `length` elements at an address. */
  view(address: number, dtype: DType, length: number): TypedArray {
    const { f32, f64, i32, u8 } = this.kernels.heap.arrays;
    const array = dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : dtype === 'float64' ? f64 : u8;
    const first = address / bytesOf(dtype);
    return array.subarray(first, first + length);
  }

  /** A copy of the elements at an address. */
  read(address: number, shape: Shape, dtype: DType): Tensor {
    return new Tensor(shape, dtype, ndarray(dtype, shape, this.view(address, dtype, sizeOf(shape)).slice()));
  }

  /** Copies a concrete tensor (or its storage) to an address. */
  write(address: number, value: Tensor | NDArray): void {
    const array = value instanceof Tensor ? value.concrete('compiled step') : value;
    const data = denseData(array);
    this.view(address, array.dtype, data.length).set(data);
  }

  /** Throws `MemoryError` where a step cannot fit into what others leave. Its memory is not yet taken. */
  expectRoom(step: string, needs: Needs): void {
    const { heap } = this.kernels;
    if (this.others(needs) + needs.arena + needs.plan + needs.variables > heap.limit) throw this.noRoom(step, needs);
  }

  /** The error that says what a step needs, and what is in its way. */
  noRoom(step: string, needs: Needs): MemoryError {
    return memoryError(step, needs, this.kernels.heap, this.others(needs));
  }

  /** Bytes that others than this step hold: the arena is nobody's between steps. */
  private others(needs: Needs): number {
    return this.kernels.heap.usage().allocated - this.arena.bytes - needs.held;
  }

  /** A block that stays, until it is released. Only before a step runs: the arena may have to move. Throws `HeapError`. */
  allocate(bytes: number, holder: Holder): number {
    const { heap } = this.kernels;
    if (!heap.hasFree(bytes)) this.arena.release();
    return heap.allocate(bytes, holder);
  }

  /** Gives a block back. */
  release(address: number): void {
    this.kernels.heap.release(address);
  }

  /** The words at an address. */
  words(address: number, count: number): Int32Array {
    return this.view(address, 'int32', count) as Int32Array;
  }

  /** Clears the words through which workers meet and report errors. */
  resetControl(): void {
    const { control, heap } = this.kernels;
    heap.arrays.u8.fill(0, control, control + CONTROL_BYTES);
  }
}

let one: Runtime | null = null;

/** The runtime, made when it is first needed. */
export function runtime(): Runtime {
  one ??= new Runtime();
  return one;
}
