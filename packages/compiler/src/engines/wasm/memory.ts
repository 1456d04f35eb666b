import { CONTROL_BYTES, type Holder, type Kernels, loadKernels } from '@recurra/kernels';
import type { DType, TypedArray } from '@recurra/tensor';
import { type Aval, denseData, type NDArray, ndarray, sizeOf } from '@recurra/tensor/extend';
import type { MemoryError } from '../../memory.js';
import { bytesOf } from '../../schedule/buffer.js';
import type { Storage } from '../engine.js';
import { memoryError, type Needs } from './room.js';

const ARENA: Holder = { kind: 'arenas', name: 'intermediate values' };

/**
 * A range of the memory that steps share, since one step runs at a time: it is as large as the largest needs. It lies at the end
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

/** The one WebAssembly memory of this thread, with what lives in it: variables, programs, intermediate values. Blocks are addresses. */
export class LinearMemory implements Storage {
  readonly kernels: Kernels = loadKernels();
  readonly arena: Arena = new Arena(this.kernels);

  /** A typed array over `length` elements at an address. */
  view(address: number, dtype: DType, length: number): TypedArray {
    const { f32, f64, i32, u8 } = this.kernels.heap.arrays;
    const array = dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : dtype === 'float64' ? f64 : u8;
    const first = address / bytesOf(dtype);
    return array.subarray(first, first + length);
  }

  /** A copy of the elements at an address. */
  read(address: number, { shape, dtype }: Aval): NDArray {
    return ndarray(dtype, shape, this.view(address, dtype, sizeOf(shape)).slice());
  }

  /** Copies elements to an address. */
  write(address: number, array: NDArray): void {
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

let one: LinearMemory | null = null;

/** The memory, made when it is first needed. */
export function linearMemory(): LinearMemory {
  one ??= new LinearMemory();
  return one;
}
