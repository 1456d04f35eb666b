import type { Tensor } from '@recurra/tensor';

/** What an attribute holds. */
export type Hdf5Attribute = string | number | readonly string[] | readonly number[];

/** A group of an HDF5 file as a plain value: attributes, groups and data sets by their names. */
export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>;
  readonly groups: ReadonlyMap<string, Hdf5Group>;
  readonly datasets: ReadonlyMap<string, Tensor>;
}
