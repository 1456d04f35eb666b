import { type DType, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkValue, type Rule, rules } from '@recurra/tensor/extend';
import { fingerprint64 } from '../internal/farmhash.js';
import { sipHash24 } from '../internal/siphash.js';
import { listOf } from '../internal/texts.js';
import { type EncodeMode, encodeIds } from './encode.js';

/** The key of a hash. */
export const SALT: Rule = rules.orNull({
  expected: 'an integer, or two',
  accepts: (v) => rules.integer.accepts(v) || (Array.isArray(v) && v.length === 2 && v.every(rules.integer.accepts)),
});

/** What a lookup gives: ids, or rows of numbers. */
export type LookupMode = 'int' | 'oneHot' | 'multiHot' | 'count' | 'tfIdf';

/** Options of `StringLookup` and `IntegerLookup`; those of Keras. */
export interface LookupOptions<K> {
  /** Largest size of the vocabulary, with mask and unknown tokens; `null` (default): no limit. */
  readonly maxTokens?: number | null;
  /** Ids for unknown tokens, among which they are spread by hash; 1. With 0 an unknown token is an error. */
  readonly numOovIndices?: number;
  /** The token that counts as padding, with id 0 in mode 'int'; `null`: none. */
  readonly maskToken?: K | null;
  /** What an unknown id stands for. */
  readonly oovToken?: K;
  /** The known tokens, most frequent first; without it, `adapt` learns them. */
  readonly vocabulary?: readonly K[] | null;
  /** The inverse document frequency of each token of the vocabulary, for 'tfIdf'. */
  readonly idfWeights?: readonly number[] | null;
  /** Ids to tokens instead; false. */
  readonly invert?: boolean;
  /** 'int' */
  readonly outputMode?: LookupMode;
  /** Rows of `maxTokens` numbers, however many tokens there are; false. */
  readonly padToMaxTokens?: boolean;
  /** Key of the hash that spreads unknown tokens; `null`: FarmHash. */
  readonly salt?: number | readonly [number, number] | null;
}

/** The options of a lookup, complete. */
export interface LookupSettings<K> extends Required<LookupOptions<K>> {
  readonly name: string;
}

const encoder = new TextEncoder();

/** The bin of a token among `bins`: FarmHash of its text, or SipHash under a salt. As TensorFlow's `to_hash_bucket_fast` and `_strong`. */
export function hashBin(
  token: string | number,
  bins: number,
  salt: number | readonly [number, number] | null = null,
): number {
  const bytes = encoder.encode(String(token));
  if (salt === null) return Number(fingerprint64(bytes) % BigInt(bins));
  const [a, b] = typeof salt === 'number' ? [salt, salt] : salt;
  return Number(sipHash24(bytes, [BigInt.asUintN(64, BigInt(a)), BigInt.asUintN(64, BigInt(b))]) % BigInt(bins));
}

/**
 * Tokens to ids and back: mask (id 0 in mode 'int', if there is one), then unknown tokens, then the vocabulary. What `StringLookup` and
 * `IntegerLookup` share. Keras `IndexLookup`.
 */
export class IndexLookup<K extends string | number> {
  readonly settings: LookupSettings<K>;
  private tokens: readonly K[] = [];
  private readonly ids = new Map<K, number>();
  private idf: Float64Array | null = null;
  private readonly given: boolean;
  private readonly sort: (tokens: K[]) => K[];
  /** The place of each token in the list of counts. */
  private places = new Map<K, number>();
  private counts: number[] = [];
  private documents = new Map<K, number>();
  private documentCount = 0;

  /** @param sort puts tokens into rising order, in place */
  constructor(settings: LookupSettings<K>, sort: (tokens: K[]) => K[]) {
    const { name, maxTokens, numOovIndices, vocabulary, invert, outputMode, padToMaxTokens } = settings;
    if (!['int', 'oneHot', 'multiHot', 'count', 'tfIdf'].includes(outputMode))
      throw new ValueError(
        `${name}: expected outputMode 'int', 'oneHot', 'multiHot', 'count' or 'tfIdf', received '${outputMode}'`,
      );
    if (maxTokens !== null && !(Number.isInteger(maxTokens) && maxTokens > 1))
      throw new ValueError(`${name}: expected maxTokens to be an integer > 1 or null, received ${maxTokens}`);
    if (invert && outputMode !== 'int')
      throw new ValueError(`${name}: expected outputMode 'int' with invert, received '${outputMode}'`);
    if (invert && numOovIndices > 1)
      throw new ValueError(`${name}: expected numOovIndices 0 or 1 with invert, received ${numOovIndices}`);
    if (padToMaxTokens && maxTokens === null)
      throw new ValueError(`${name}: expected maxTokens with padToMaxTokens, received none`);
    this.settings = settings;
    this.sort = sort;
    this.given = vocabulary !== null;
    if (vocabulary !== null) this.setVocabulary(vocabulary, settings.idfWeights);
    else if (settings.idfWeights !== null)
      throw new ValueError(`${name}: expected a vocabulary beside idfWeights, received none`);
  }

  private get maskSlots(): number {
    return this.settings.maskToken !== null && this.settings.outputMode === 'int' ? 1 : 0;
  }

  private get firstToken(): number {
    return this.maskSlots + this.settings.numOovIndices;
  }

  /** Number of ids, special ones included. */
  get size(): number {
    return this.firstToken + this.tokens.length;
  }

  /** The inverse document frequency of each id; `null` but in mode 'tfIdf'. */
  get idfWeights(): Float64Array | null {
    return this.idf;
  }

  /** The tokens by id. */
  vocabulary(includeSpecialTokens: boolean): K[] {
    return [...(includeSpecialTokens ? this.specialTokens() : []), ...this.tokens];
  }

  /** Replaces the vocabulary. Special tokens may lead it, all of them in their order, or none. */
  setVocabulary(tokenList: readonly K[], idfWeights: readonly number[] | null = null): void {
    const vocabulary = [...listOf(this.settings.name, 'tokens', tokenList)];
    vocabulary.forEach((token, i) => {
      this.check(token, i);
    });
    checkValue(this.settings.name, 'idfWeights', idfWeights, rules.orNull(rules.numbers));
    const { name, maskToken, oovToken, numOovIndices, maxTokens, outputMode, invert, padToMaxTokens } = this.settings;
    if (outputMode === 'tfIdf' && idfWeights === null)
      throw new ValueError(`${name}: expected idfWeights beside the vocabulary in outputMode 'tfIdf', received none`);
    if (outputMode !== 'tfIdf' && idfWeights !== null)
      throw new ValueError(`${name}: expected idfWeights in outputMode 'tfIdf' alone, received '${outputMode}'`);
    if (vocabulary.length === 0)
      throw new ValueError(`${name}: expected a vocabulary of at least one token, received none`);
    const special = this.specialTokens();
    const led = special.length > 0 && special.every((token, i) => vocabulary[i] === token);
    const tokens = led ? vocabulary.slice(special.length) : vocabulary;
    const seen = new Set<K>();
    for (const token of tokens) {
      if (seen.has(token))
        throw new ValueError(`${name}: expected each token once, received ${JSON.stringify(token)} again`);
      if (token === maskToken || (invert && token === oovToken))
        throw new ValueError(
          `${name}: expected special tokens at the start of the vocabulary, as ${JSON.stringify(special)}, or none, received ${JSON.stringify(token)} within it`,
        );
      seen.add(token);
    }
    const first = this.maskSlots + numOovIndices;
    if (maxTokens !== null && first + tokens.length > maxTokens)
      throw new ValueError(
        `${name}: expected at most maxTokens ${maxTokens} tokens, received ${first + tokens.length} with special ones`,
      );
    if (idfWeights !== null && idfWeights.length !== vocabulary.length)
      throw new ValueError(`${name}: expected ${vocabulary.length} idfWeights, received ${idfWeights.length}`);
    this.take(tokens);
    if (idfWeights === null) return;
    const mean = idfWeights.reduce((a, b) => a + b, 0) / idfWeights.length;
    const front = led ? 0 : first;
    const idf = new Float64Array(Math.max(front + idfWeights.length, padToMaxTokens ? maxTokens! : 0));
    idf.fill(mean, 0, front);
    idf.set(idfWeights, front);
    this.idf = idf;
  }

  /** Throws `ValueError` for what is no token: `undefined` among strings, a fraction among integers. */
  private check(token: unknown, index: number): void {
    const kind = typeof this.settings.oovToken;
    if (typeof token === kind && (kind === 'string' || Number.isInteger(token))) return;
    throw new ValueError(
      `${this.settings.name}: expected ${kind === 'string' ? 'strings' : 'integers'}, received ${typeof token === 'number' ? token : token === null ? 'null' : Array.isArray(token) ? 'a list' : typeof token} at index ${index}`,
    );
  }

  private specialTokens(): K[] {
    const { maskToken, oovToken, numOovIndices } = this.settings;
    return [...(this.maskSlots === 1 ? [maskToken as K] : []), ...new Array<K>(numOovIndices).fill(oovToken)];
  }

  private take(tokens: readonly K[]): void {
    this.tokens = [...tokens];
    this.ids.clear();
    tokens.forEach((token, i) => {
      this.ids.set(token, this.firstToken + i);
    });
  }

  /** Forgets what was counted. */
  reset(): void {
    this.places = new Map();
    this.counts = [];
    this.documents = new Map();
    this.documentCount = 0;
  }

  /** Counts the tokens of one document. */
  count(document: Iterable<K>): void {
    if (this.given)
      throw new ValueError(`${this.settings.name}: expected no vocabulary before adapt, received one: it is fixed`);
    const { places, counts } = this;
    let index = 0;
    for (const token of document) {
      const place = places.get(token);
      if (place !== undefined) counts[place]!++;
      else {
        this.check(token, index);
        places.set(token, counts.length);
        counts.push(1);
      }
      index++;
    }
    if (this.settings.outputMode === 'tfIdf')
      for (const token of new Set(document)) this.documents.set(token, (this.documents.get(token) ?? 0) + 1);
    this.documentCount++;
  }

  /** Takes the most frequent of what was counted as vocabulary; ties by falling order of the tokens, as Keras. */
  finish(): void {
    const { maskToken, oovToken, maxTokens, outputMode, padToMaxTokens } = this.settings;
    if (this.counts.length === 0) return;
    if (maskToken !== null) this.places.delete(maskToken);
    this.places.delete(oovToken);
    // By groups of one count: most tokens are rare, and those that `maxTokens` leaves out need no order.
    const groups = new Map<number, K[]>();
    for (const [token, place] of this.places) {
      const count = this.counts[place]!;
      const group = groups.get(count);
      if (group) group.push(token);
      else groups.set(count, [token]);
    }
    const limit = maxTokens === null ? Infinity : maxTokens - this.firstToken;
    const tokens: K[] = [];
    for (const count of [...groups.keys()].sort((a, b) => b - a)) {
      if (tokens.length >= limit) break;
      for (const token of this.sort(groups.get(count)!).reverse()) if (tokens.length < limit) tokens.push(token);
    }
    this.take(tokens);
    if (outputMode === 'tfIdf') {
      const own = tokens.map((token) => Math.log(1 + this.documentCount / (1 + (this.documents.get(token) ?? 0))));
      const idf = new Float64Array(Math.max(this.firstToken + own.length, padToMaxTokens ? maxTokens! : 0));
      // Unknown tokens have no frequency: the mean of the known ones.
      idf.fill(own.reduce((a, b) => a + b, 0) / own.length, 0, this.firstToken);
      idf.set(own, this.firstToken);
      this.idf = idf;
    }
    this.reset();
  }

  /**
   * The id of a token, which stands at `index` of what was given. Throws `ValueError` for an unknown one where no id stands for those, and for what
   * is no token.
   */
  id(token: K, index = 0): number {
    const id = this.ids.get(token);
    if (id !== undefined) return id;
    this.check(token, index);
    const { maskToken, numOovIndices, salt, name } = this.settings;
    if (token === maskToken && this.maskSlots === 1) return 0;
    if (numOovIndices === 1) return this.maskSlots;
    if (numOovIndices === 0) {
      if (token === maskToken) return -1;
      throw new ValueError(
        `${name}: expected tokens of the vocabulary, received ${JSON.stringify(token)}. With numOovIndices 1 unknown tokens have an id.`,
      );
    }
    // Integers by their remainder, unless there is a salt: as Keras.
    if (typeof token === 'number' && salt === null)
      return this.maskSlots + (((token % numOovIndices) + numOovIndices) % numOovIndices);
    return this.maskSlots + hashBin(token, numOovIndices, salt);
  }

  /** The token of an id; the unknown token for what is none. */
  token(id: number): K {
    const { maskToken, oovToken } = this.settings;
    if (this.maskSlots === 1 && id === 0) return maskToken as K;
    return this.tokens[id - this.firstToken] ?? oovToken;
  }

  /** Ids [...shape] as the output mode says. */
  encode(ids: ArrayLike<number>, shape: readonly number[], dtype: DType): Tensor {
    const { outputMode, padToMaxTokens, maxTokens, name } = this.settings;
    if (outputMode === 'int') return tensor(Int32Array.from(ids), { shape, dtype: 'int32' });
    if (this.size === this.firstToken && !padToMaxTokens)
      throw new ValueError(`${name}: expected a vocabulary, given or learnt by adapt, before use; received none`);
    const depth = padToMaxTokens ? maxTokens! : this.size;
    const mode: EncodeMode = outputMode === 'tfIdf' ? 'count' : outputMode;
    if (outputMode !== 'tfIdf') return encodeIds(name, ids, shape, mode, depth, dtype);
    const counts = encodeIds(name, ids, shape, mode, depth, 'float64');
    const { idf } = this;
    if (!idf) throw new ValueError(`${name}: expected adapt or idfWeights before use, received neither`);
    return tensor(
      Float32Array.from(counts.data as Float64Array, (c, i) => c * idf[i % depth]!),
      { shape: counts.shape, dtype: 'float32' },
    );
  }
}
