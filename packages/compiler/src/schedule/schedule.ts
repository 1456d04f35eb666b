import type { NDArray } from '@recurra/tensor/extend';
import type { Graph } from '../graph.js';
import type { Variable } from '../variable.js';
import type { Buffer, Ref } from './buffer.js';
import type { Command, HostCall } from './program.js';

/**
 * A graph as an engine gets it: commands and evaluations in order, over buffers that have lifetimes (`first` and `last` of each are positions in
 * `steps`) and no addresses.
 */
export interface Schedule {
  readonly graph: Graph;
  readonly steps: readonly (Command | HostCall)[];
  /** All buffers that the steps touch, those inside of others aside. */
  readonly buffers: readonly Buffer[];
  /** Where each input of the graph goes; `null` for one that no step reads. */
  readonly inputs: readonly (Ref | null)[];
  /** Where the outputs of the graph are found. */
  readonly outputs: readonly Ref[];
  readonly constants: readonly { readonly buffer: Buffer; readonly array: NDArray }[];
  /** Those that steps read or write, and those that they write. */
  readonly variables: readonly Variable[];
  readonly updated: readonly Variable[];
  /** About how many multiply-adds it takes. */
  readonly work: number;
  /** What was fused and planned, for explanations. */
  readonly notes: readonly string[];
}
