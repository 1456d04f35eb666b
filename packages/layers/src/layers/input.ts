import type { DType } from '@recurra/tensor';
import { type Tensor, ValueError } from '@recurra/tensor';
import { checkRules, describeValue, type Rules, rules } from '@recurra/tensor/extend';
import { Layer, type LayerConfig } from '../base/layer.js';
import { Call, SpecOf } from '../base/operation.js';
import { type LayerOptions, SIZES } from '../base/options.js';
import type { PartialShape, SymbolicTensor } from '../base/symbolic.js';

/** What {@link Input} declares. */
export interface InputOptions extends Pick<LayerOptions, 'name'> {
  /** Sizes without the batch, `null` where they vary. */
  readonly shape?: PartialShape;
  /** The batch size, where it is fixed (stateful layers); `null`: any. */
  readonly batchSize?: number | null;
  /** `shape` with the batch size before it; instead of both. */
  readonly batchShape?: PartialShape | null;
  /** 'float32' */
  readonly dtype?: DType;
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
  readonly ragged?: boolean;
  readonly optional?: boolean;
}

const INPUT: Rules<InputOptions> = {
  name: rules.filledText,
  shape: SIZES,
  batchSize: rules.orNull(rules.countOrZero),
  batchShape: rules.orNull({
    expected: 'a list of the batch size and further sizes (null where one is open)',
    accepts: (v) => SIZES.accepts(v) && (v as readonly unknown[]).length > 0,
  }),
  dtype: rules.dtype,
  sparse: rules.flag,
  ragged: rules.flag,
  optional: rules.flag,
};

/** The place where a graph gets its values. Keras `InputLayer`. */
export class InputLayer extends Layer {
  readonly batchShape: PartialShape;
  readonly inputType: DType;
  protected override readonly supportsMasking = true;
  /** The symbolic tensor that it gives. */
  readonly output: SymbolicTensor;

  constructor(options: InputOptions) {
    if (typeof options === 'number' || Array.isArray(options))
      throw new ValueError(
        `Input: expected an object of options, as Input({ shape: [100] }) for sequences of 100 ids, received ${describeValue(options)}`,
      );
    checkRules('Input', options, INPUT);
    const { dtype = 'float32', name, shape, batchShape = null, batchSize = null, sparse, ragged } = options ?? {};
    super(name === undefined ? {} : { name });
    if (shape === undefined && batchShape === null)
      throw new ValueError(
        'Input: expected a shape, as Input({ shape: [100] }) for sequences of 100 ids, received none',
      );
    if (batchShape !== null && (shape !== undefined || batchSize !== null))
      throw new ValueError('Input: expected shape and batchSize, or batchShape instead of both; received both');
    if (sparse || ragged) throw new ValueError('Input: expected dense tensors, received sparse or ragged');
    this.batchShape = batchShape ?? [batchSize, ...shape!];
    this.inputType = dtype;
    this.build(this.batchShape);
    this.output = new Call(this, [], {}, new SpecOf(this.batchShape, dtype)).outputs as SymbolicTensor;
  }

  override get className(): string {
    return 'InputLayer';
  }

  protected override get independentSamples(): boolean {
    return this.batchShape[0] === null;
  }

  call(x: Tensor): Tensor {
    return x;
  }

  override computeOutputShape(): PartialShape {
    return this.batchShape;
  }

  override getConfig(): LayerConfig {
    return {
      batchShape: this.batchShape,
      dtype: this.inputType,
      sparse: false,
      ragged: false,
      name: this.name,
      optional: false,
    };
  }
}

/** A symbolic tensor of this shape (without the batch) and dtype: the beginning of a model. Keras `Input`. */
export function Input(options: InputOptions): SymbolicTensor {
  return new InputLayer(options).output;
}
