import { Hashing as Bins } from '@recurra/preprocessing';
import { encodedShape } from '@recurra/preprocessing/extend';
import { type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { type CallOptions, Layer } from '../../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { SymbolicTensor } from '../../base/symbolic.js';
import { leavesOf } from '../../base/tree.js';
import { type OutputMode, outputMode, plainOf } from './encoded.js';
import { hostCall } from './host-call.js';
import type { Texts } from './text-layer.js';

/** Options of {@link Hashing}; those of Keras. */
export interface HashingOptions extends LayerOptions {
  /** The value that counts as padding: it alone gets bin 0, the others 1..; `null`: none. */
  readonly maskValue?: string | number | null;
  /** Key of the hash: SipHash-2-4 under it; `null` (default): FarmHash. */
  readonly salt?: number | readonly [number, number] | null;
  /** 'int': int32 bins (default); 'oneHot', 'multiHot', 'count': rows of numbers, int32. */
  readonly outputMode?: OutputMode;
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
}

/**
 * Strings or integers to `numBins` bins by a hash of their text: nothing to learn or to keep, different values may share a bin. Integers may be hashed within a
 * model; strings are no tensors, so that they are hashed before it (`model.predict(hashing.apply(texts))`, `dataset.map`). The bins are those of
 * `Hashing` of `@recurra/preprocessing`. Has no gradient. Keras `Hashing`.
 */
export class Hashing extends Layer {
  static override readonly positional: readonly string[] = ['numBins'];
  readonly numBins: number;
  protected override readonly settled: Settled<HashingOptions>;
  private readonly mode: OutputMode;
  private readonly bins: Bins;

  constructor(numBins: number, options: HashingOptions = {}) {
    super(options);
    this.numBins = expectInteger('Hashing', 'numBins', numBins);
    const s = settle<HashingOptions>('Hashing', options, {
      salt: null,
      maskValue: null,
      outputMode: 'int',
      sparse: false,
    });
    this.mode = outputMode('Hashing', s.outputMode, ['int', 'oneHot', 'multiHot', 'count']);
    const { salt } = s;
    const parts: readonly unknown[] = salt === null ? [] : typeof salt === 'number' ? [salt, salt] : salt;
    if (salt !== null && (parts.length !== 2 || !parts.every(Number.isSafeInteger)))
      throw new ValueError(
        `Hashing: expected salt to be an integer, two integers or null, received ${describeValue(salt)}`,
      );
    // As Keras writes it.
    this.settled = { ...s, salt: salt === null ? null : (parts as [number, number]), outputMode: this.mode };
    this.bins = new Bins(numBins, { ...plainOf('Hashing', this.settled), outputMode: this.mode });
  }

  override get className(): string {
    return 'Hashing';
  }

  override apply(inputs: SymbolicTensor, options?: CallOptions): SymbolicTensor;
  override apply(inputs: TensorLike | Texts, options?: CallOptions): Tensor;
  override apply(inputs: unknown, options: CallOptions = {}): SymbolicTensor | Tensor {
    const leaves = Array.isArray(inputs) || typeof inputs === 'string' ? leavesOf(inputs) : [];
    if (leaves.some((leaf) => typeof leaf === 'string')) return this.call(inputs as Texts);
    return super.apply(inputs as TensorLike, options);
  }

  override call(x: Tensor | Texts): Tensor {
    if (typeof x === 'string' || Array.isArray(x)) return this.bins.call(x as Texts);
    return hostCall([x as Tensor], {
      operation: this.label,
      run: (values) => this.bins.call(values!),
      shape: (shape) => encodedShape(shape!, this.mode, this.numBins),
      dtype: 'int32',
    });
  }

  protected override fields(): Record<string, unknown> {
    return { numBins: this.numBins, ...super.fields() };
  }
}
