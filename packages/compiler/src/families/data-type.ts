import { DataType } from '@recurra/kernels';
import type { Ref } from '../schedule/buffer.js';

/** The number of an element type. Rules get none that has no number: what has float64 in it stays with the calling thread. */
export function typeOf({ dtype }: Ref): number {
  return DataType[dtype as keyof typeof DataType];
}
