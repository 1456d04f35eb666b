import { CONTROL_BYTES, type Kernels, loadKernels } from '@recurra/kernels';
import {
  type DType,
  denseData,
  type NDArray,
  ndarray,
  type Shape,
  sizeOf,
  Tensor,
  type TypedArray,
} from '@recurra/tensor';

import { Chains } from './emit/chains.js';

/** Bytes of an element. */
export function bytesOf(dtype: DType): number {
  return dtype === 'float64' ? 8 : dtype === 'bool' ? 1 : 4;
}

/** A range of WebAssembly memory that plans share, since one step runs at a time: it is as large as the largest needs. */
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
    if (this.bytes > 0) this.kernels.heap.release(this.base);
    // A block that fails to be had leaves none.
    this.bytes = 0;
    this.base = this.kernels.heap.allocate(bytes);
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
  /** Blocks go with their owners. */
  private readonly owners = new FinalizationRegistry<number>((address) => this.kernels.heap.release(address));

  /** A typed array over `length` elements at an address. */
  view(address: number, dtype: DType, length: number): TypedArray {
    const { f32, f64, i32, u8 } = this.kernels.heap.arrays;
    if (dtype === 'float32') return f32.subarray(address >> 2, (address >> 2) + length);
    if (dtype === 'int32') return i32.subarray(address >> 2, (address >> 2) + length);
    if (dtype === 'float64') return f64.subarray(address >> 3, (address >> 3) + length);
    return u8.subarray(address, address + length);
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

  /** A block for a value, released once `owner` is gone. */
  allocateFor(owner: object, value: Tensor): number {
    const address = this.kernels.heap.allocate(value.size * bytesOf(value.dtype));
    this.owners.register(owner, address);
    return address;
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
