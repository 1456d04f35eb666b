import { type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { flatten, flattenNumbers, type Numbers } from '../internal/nested.js';
import { encodeIds } from './encode.js';
import { hashBin, type LookupMode, SALT } from './index-lookup.js';
import type { Strings } from './string-lookup.js';

/** Options of {@link Hashing}; those of Keras. */
export interface HashingOptions {
  /** The value that counts as padding: it alone gets bin 0, the others 1..; `null`: none. */
  readonly maskValue?: string | number | null;
  /** Key of the hash: SipHash-2-4 under it; `null` (default): FarmHash. */
  readonly salt?: number | readonly [number, number] | null;
  /** 'int' (default), 'oneHot', 'multiHot' or 'count' */
  readonly outputMode?: Exclude<LookupMode, 'tfIdf'>;
}

const isToken = (v: unknown): boolean => typeof v === 'string' || typeof v === 'number';
const HASHING_RULES = {
  maskValue: { expected: 'a text, a number, or null', accepts: (v) => v === null || isToken(v) },
  salt: SALT,
  outputMode: rules.oneOf('int', 'oneHot', 'multiHot', 'count'),
} satisfies Rules<HashingOptions>;

/**
 * Strings or integers to `numBins` bins by a hash of their text: nothing to learn or to keep, different values may share a bin. The bins are
 * those of Keras `Hashing`. Throws `ValueError` for fewer than one bin.
 */
export class Hashing {
  private readonly numBins: number;
  private readonly maskValue: string | number | null;
  private readonly salt: number | readonly [number, number] | null;
  private readonly outputMode: Exclude<LookupMode, 'tfIdf'>;

  constructor(numBins: number, options: HashingOptions = {}) {
    if (!(Number.isInteger(numBins) && numBins >= 1))
      throw new ValueError(`Hashing: expected numBins to be an integer >= 1, received ${numBins}`);
    checkRules('Hashing', options, HASHING_RULES);
    this.numBins = numBins;
    this.maskValue = options.maskValue ?? null;
    this.salt = options.salt ?? null;
    this.outputMode = options.outputMode ?? 'int';
    if (this.maskValue !== null && numBins < 2)
      throw new ValueError('Hashing: expected numBins >= 2 with a maskValue, which takes one, received 1');
  }

  private bin(value: string | number): number {
    if (this.maskValue === null) return hashBin(value, this.numBins, this.salt);
    return value === this.maskValue ? 0 : 1 + hashBin(value, this.numBins - 1, this.salt);
  }

  /** Bins of the values, int32 [...shape]; or rows of numbers, as `outputMode` says. */
  call(x: Strings | Numbers): Tensor {
    const first: unknown = (function head(v: unknown): unknown {
      return Array.isArray(v) ? head(v[0]) : v;
    })(x);
    const { flat, shape } =
      typeof first === 'string' ? flatten('Hashing', x as Strings) : flattenNumbers('Hashing', x as Numbers);
    const bins = Int32Array.from(flat as ArrayLike<string>, (v: string | number) => this.bin(v));
    if (this.outputMode === 'int') return tensor(bins, { shape, dtype: 'int32' });
    return encodeIds('Hashing', bins, shape, this.outputMode, this.numBins, 'int32');
  }
}
