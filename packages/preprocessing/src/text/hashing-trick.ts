import { md5 } from '@noble/hashes/legacy.js';
import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { fingerprint64 } from '../internal/farmhash.js';
import { checkOneText } from '../internal/texts.js';
import { WORD_RULES, type WordOptions, wordSplitter } from './words.js';

/** How a word becomes a number: 'farmhash' (default), 'md5' (as Keras' `hash_function="md5"`), or a function of one's own. */
export type HashFunction = 'farmhash' | 'md5' | ((word: string) => number | bigint);

/** Options of {@link hashingTrick}. */
export interface HashingTrickOptions extends WordOptions {
  readonly hashFunction?: HashFunction;
  /** Cuts a text in a way of one's own; takes the place of filters, lower and split. */
  readonly analyzer?: (text: string) => string[];
}

const HASHING_RULES = {
  ...WORD_RULES,
  hashFunction: rules.anything,
  analyzer: rules.callable,
} satisfies Rules<HashingTrickOptions>;

function hashOf(hash: HashFunction): (word: string) => bigint {
  const encoder = new TextEncoder();
  if (hash === 'farmhash') return (word) => fingerprint64(encoder.encode(word));
  if (hash === 'md5')
    return (word) => md5(encoder.encode(word)).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  if (typeof hash !== 'function')
    throw new ValueError(
      `hashingTrick: expected hashFunction 'farmhash', 'md5' or a function, received '${String(hash)}'`,
    );
  return (word) => BigInt(hash(word));
}

/**
 * The words of a text as ids 1 + hash(word) mod (n - 1), in a space of fixed size: no vocabulary to keep, different words may share an id; 0
 * is left for padding. Keras `hashing_trick`, whose default is Python's `hash`, another one in each process: ours is FarmHash, always the
 * same. Throws `ValueError` for n < 2.
 */
export function hashingTrick(text: string, n: number, options: HashingTrickOptions = {}): number[] {
  if (!(Number.isInteger(n) && n >= 2))
    throw new ValueError(`hashingTrick: expected n to be an integer >= 2, received ${n}`);
  checkOneText('hashingTrick', text);
  checkRules('hashingTrick', options, HASHING_RULES);
  const { hashFunction = 'farmhash', analyzer, ...words } = options;
  const hash = hashOf(hashFunction);
  const size = BigInt(n - 1);
  const known = new Map<string, number>();
  return (analyzer ?? wordSplitter(words))(text).map((word) => {
    let id = known.get(word);
    if (id === undefined) {
      const value = hash(word) % size;
      id = Number(value < 0n ? value + size : value) + 1;
      known.set(word, id);
    }
    return id;
  });
}

/** {@link hashingTrick} with its default function. Keras' (legacy) `one_hot`, which is no one-hot encoding: see `toCategorical`. */
export function oneHot(text: string, n: number, options: WordOptions = {}): number[] {
  checkRules('oneHot', options, WORD_RULES);
  return hashingTrick(text, n, options);
}
