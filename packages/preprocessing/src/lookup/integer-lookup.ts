import { type Tensor, tensor } from '@recurra/tensor';
import { flattenNumbers, type Numbers } from '../internal/nested.js';
import type { LookupOptions } from './index-lookup.js';
import { VocabularyLookup } from './vocabulary-lookup.js';

/**
 * Integers to ids, or to rows of numbers: for codes that are not 0, 1, 2, ... Unknown ones share `numOovIndices` ids (-1), spread by their
 * remainder. Keras `IntegerLookup`. Throws as `StringLookup`.
 */
export class IntegerLookup extends VocabularyLookup<number, Numbers> {
  constructor(options: LookupOptions<number> = {}) {
    super('IntegerLookup', options, -1, (numbers) => numbers.sort((a, b) => a - b));
  }

  protected override documents(data: Numbers): readonly (readonly number[])[] {
    const { flat, shape } = flattenNumbers('IntegerLookup', data);
    const all = Array.from(flat);
    if (shape.length < 2) return [all];
    const width = shape[0] === 0 ? 0 : all.length / shape[0]!;
    return Array.from({ length: shape[0]! }, (_, r) => all.slice(r * width, (r + 1) * width));
  }

  /** Ids of integers, int32 [...shape]; rows of numbers, as `outputMode` says; with `invert`, the integers of ids. */
  call(x: Numbers): Tensor {
    const { outputMode, invert } = this.lookup.settings;
    if (invert) return this.invert(x);
    const { flat, shape } = flattenNumbers('IntegerLookup', x);
    const ids = Int32Array.from(flat, (v, i) => this.lookup.id(v, i));
    return this.lookup.encode(ids, shape, outputMode === 'int' ? 'int32' : 'float32');
  }

  /** The integers of ids. */
  invert(x: Numbers): Tensor {
    const { flat, shape } = flattenNumbers('IntegerLookup', x);
    return tensor(
      Int32Array.from(flat, (id) => this.lookup.token(id)),
      { shape, dtype: 'int32' },
    );
  }
}
