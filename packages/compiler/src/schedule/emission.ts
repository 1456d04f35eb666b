import type { DType } from '@recurra/tensor';
import type { Value } from '../graph.js';
import type { Ref } from './buffer.js';
import type { Address, Program } from './program.js';

/** What rules need of the plan in the making. */
export interface Emission {
  readonly program: Program;
  /** Where a value is. */
  refOf(value: Value): Ref;
  /** The elements in row-major order: `ref` itself, or a copy. */
  dense(ref: Ref): Ref;
  address(ref: Ref): Address;
  emitCopy(from: Ref, to: Ref, label: string): void;
  /** A constant scalar. */
  scalar(dtype: DType, value: number): Ref;
}
