import { IntegerLookup as Lookup, type LookupMode } from '@recurra/preprocessing';
import { encodedShape } from '@recurra/preprocessing/extend';
import type { Tensor } from '@recurra/tensor';
import { Layer, type LayerConfig } from '../../base/layer.js';
import type { Settled } from '../../base/options.js';
import { plainOf } from './encoded.js';
import { hostCall } from './host-call.js';
import { type LookupLayerOptions, lookupSettings, vocabularyFields, withoutSizes } from './lookup-settings.js';

type Numbers = Parameters<Lookup['adapt']>[0];

/** Options of {@link IntegerLookup}; those of Keras. */
export type IntegerLookupOptions = Omit<LookupLayerOptions<number>, 'encoding'>;

/**
 * Integers to ids, or to rows of numbers: for codes that are not 0, 1, 2, ... Works within models. The rules are those of `IntegerLookup` of
 * `@recurra/preprocessing`. A learnt vocabulary is in the configuration. Has no gradient. Keras `IntegerLookup`.
 *
 * Throws `ValueError` for contradictory options, repeated tokens, and unknown integers with `numOovIndices: 0`.
 */
export class IntegerLookup extends Layer {
  protected override readonly settled: Settled<LookupLayerOptions<number>> & { readonly outputMode: LookupMode };
  private readonly lookup: Lookup;

  constructor(options: IntegerLookupOptions = {}) {
    super(options);
    this.settled = lookupSettings<number>('IntegerLookup', options, -1);
    this.lookup = new Lookup(plainOf('IntegerLookup', this.settled));
  }

  override get className(): string {
    return 'IntegerLookup';
  }

  /** Learns the vocabulary. A flat list is one document; of nested lists (or a tensor of rank 2), each row is one. */
  adapt(data: Numbers): void {
    this.lookup.adapt(data);
  }

  /** {@link IntegerLookup.adapt} over a stream of such data. */
  async adaptStream(stream: AsyncIterable<Numbers>): Promise<void> {
    await this.lookup.adaptStream(stream);
  }

  /** The tokens by id, with mask and unknown token unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): number[] {
    return this.lookup.getVocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly number[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** Number of ids. */
  get vocabularySize(): number {
    return this.lookup.vocabularySize;
  }

  call(x: Tensor): Tensor {
    const { outputMode, padToMaxTokens, maxTokens } = this.settled;
    const depth = padToMaxTokens ? maxTokens! : this.vocabularySize;
    return hostCall([x], {
      operation: this.label,
      run: (values) => this.lookup.call(values!),
      shape: (shape) => encodedShape(shape!, outputMode, depth),
      dtype: outputMode === 'int' ? 'int32' : this.dtype,
    });
  }

  protected override fields(): Record<string, unknown> {
    const { encoding: _encoding, ...rest } = this.settled;
    return { ...rest, vocabularyDtype: 'int64', ...vocabularyFields(this.lookup), oovMethod: 'floormod' };
  }

  static override fromConfig<L>(config: LayerConfig): L {
    return new IntegerLookup(withoutSizes(config)) as L;
  }
}
