import type { EncodeMode } from '@recurra/preprocessing/extend';
import { ValueError } from '@recurra/tensor';
import { describeValue, knownName } from '@recurra/tensor/extend';

/** What layers that find ids give: the ids, or rows of numbers. */
export type OutputMode = 'int' | EncodeMode;

/** The mode of this name; Keras' spelling ('multi_hot') is one too. Throws `ValueError` with the names that there are. */
export function outputMode<M extends string>(label: string, given: string, modes: readonly M[]): M {
  return knownName(modes, given, `${label}: outputMode`);
}

/** The settings without those of Keras that only have one value here. Throws `ValueError` for another. */
export function plainOf<S extends { readonly sparse?: boolean; readonly encoding?: string }>(
  label: string,
  options: S,
): Omit<S, 'sparse' | 'encoding'> {
  if (options.sparse) throw new ValueError(`${label}: expected sparse to be false, received true. Tensors are dense.`);
  if (options.encoding !== undefined && options.encoding !== 'utf-8')
    throw new ValueError(
      `${label}: expected encoding 'utf-8', received ${describeValue(options.encoding)}. Strings of JavaScript are Unicode.`,
    );
  const { sparse: _sparse, encoding: _encoding, ...plain } = options;
  return plain;
}
