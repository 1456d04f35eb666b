import type fc from 'fast-check';

/** What messages call the files. */
export const FILE = 'the-file';

/** A reader of files that may be hostile. Another one is a line in {@link formatReaders}. */
export interface FormatReader {
  readonly name: string;
  /** Files that are damaged, and some that are not. */
  readonly files: fc.Arbitrary<Uint8Array>;
  /**
   * Reads a file that is called {@link FILE}; what a model of it is, is up to the reader. It throws `FormatError` and nothing else for what is no such file, and
   * `Error` where a result cannot be right.
   */
  read(bytes: Uint8Array): Promise<void> | void;
}

/** Reads a file that a library other than ours wrote, by its name in the golden folder. */
export type Golden = (name: string) => Uint8Array;
