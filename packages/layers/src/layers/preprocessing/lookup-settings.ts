import type { LookupMode, LookupOptions } from '@recurra/preprocessing';
import type { LayerConfig } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { outputMode } from './encoded.js';

/** Options of layers that look tokens up; those of Keras. See `LookupOptions` of `@recurra/preprocessing`. */
export interface LookupLayerOptions<K> extends LayerOptions, LookupOptions<K> {
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
  /** Accepted for Keras' sake, and 'utf-8'. */
  readonly encoding?: string;
}

/** The options of a lookup, complete. */
export function lookupSettings<K>(
  label: string,
  options: LookupLayerOptions<K>,
  oovToken: K,
): Settled<LookupLayerOptions<K>> & { readonly outputMode: LookupMode } {
  const s = settle<LookupLayerOptions<K>>(label, options, {
    invert: false,
    maxTokens: null,
    numOovIndices: 1,
    oovToken,
    maskToken: null,
    outputMode: 'int',
    sparse: false,
    padToMaxTokens: false,
    idfWeights: null,
    vocabulary: null,
    salt: null,
    encoding: 'utf-8',
  });
  return { ...s, outputMode: outputMode(label, s.outputMode, ['int', 'oneHot', 'multiHot', 'count', 'tfIdf']) };
}

/** What is known of a vocabulary. */
interface Vocabulary<K> {
  getVocabulary(includeSpecialTokens: boolean): K[];
  readonly idfWeights: ArrayLike<number> | null;
  readonly vocabularySize: number;
}

/** The vocabulary, given or learnt, in a configuration: the layer that is made from it knows it. */
export function vocabularyFields<K>(lookup: Vocabulary<K>): Record<string, unknown> {
  const vocabulary = lookup.getVocabulary(false);
  const first = lookup.vocabularySize - vocabulary.length;
  const known = vocabulary.length > 0;
  return {
    idfWeights:
      known && lookup.idfWeights ? Array.from(lookup.idfWeights).slice(first, first + vocabulary.length) : null,
    vocabulary: known ? vocabulary : null,
    vocabularySize: known ? lookup.vocabularySize : null,
  };
}

/** A configuration without what only tells what the rest makes. */
export function withoutSizes(config: LayerConfig): LayerConfig {
  const { vocabularySize: _size, oovMethod: _method, vocabularyDtype: _dtype, ...rest } = config;
  return rest;
}
