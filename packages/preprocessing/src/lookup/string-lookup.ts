import type { Tensor } from '@recurra/tensor';
import { flatten, flattenNumbers, type Nested, type Numbers, nest } from '../internal/nested.js';
import { sortByBytes } from '../internal/order.js';
import type { LookupOptions } from './index-lookup.js';
import { VocabularyLookup } from './vocabulary-lookup.js';

/** Strings in nested lists. */
export type Strings = Nested<string>;

/**
 * Strings to ids, or to rows of numbers. Unknown strings share `numOovIndices` ids (`[UNK]`). With `invert`, ids to strings: `call` then
 * takes numbers and gives strings. Keras `StringLookup`, with its order of the vocabulary: by falling count, ties by falling UTF-8 bytes.
 *
 * Throws `ValueError` for contradictory options, repeated tokens, and unknown strings with `numOovIndices: 0`.
 */
export class StringLookup extends VocabularyLookup<string, Strings> {
  constructor(options: LookupOptions<string> = {}) {
    super('StringLookup', options, '[UNK]', sortByBytes);
  }

  protected override documents(data: Strings): readonly (readonly string[])[] {
    const rows = Array.isArray(data) && Array.isArray(data[0]) ? (data as readonly Strings[]) : [data];
    return rows.map((row) => flatten('StringLookup', row).flat);
  }

  /** Ids of strings, int32 [...shape]; or rows of numbers, as `outputMode` says. With `invert`: the strings of ids. */
  call(x: Strings): Tensor;
  call(x: Numbers): Strings;
  call(x: Strings | Numbers): Tensor | Strings {
    const { outputMode, invert } = this.lookup.settings;
    if (invert) return this.invert(x as Numbers);
    const { flat, shape } = flatten('StringLookup', x as Strings);
    const ids = Int32Array.from(flat, (s, i) => this.lookup.id(s, i));
    return this.lookup.encode(ids, shape, outputMode === 'int' ? 'int32' : 'float32');
  }

  /** Strings of ids, in nested lists. */
  invert(x: Numbers): Strings {
    const { flat, shape } = flattenNumbers('StringLookup', x);
    return nest(
      Array.from(flat, (id) => this.lookup.token(id)),
      shape,
    );
  }
}
