import type { Layout } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';

/**
 * Has an engine kernels for this command, over elements of these types? What it has for each of some types it has for all of them together: chains
 * mix types. Answers do not change.
 */
export type Supports = (command: Layout, dtypes: readonly DType[]) => boolean;

/** The answer of engines that have every command: where it is this function, nobody asks. */
export const everyCommand: Supports = () => true;
