import type { DType } from '@recurra/tensor';
import { type Tensor, ValueError } from '@recurra/tensor';
import { Layer, type LayerConfig } from '../base/layer.js';
import { Call, SpecOf } from '../base/operation.js';
import { expectInteger, type LayerOptions, settle } from '../base/options.js';
import type { PartialShape, SymbolicTensor } from '../base/symbolic.js';

/** What {@link Input} declares. */
export interface InputOptions extends Omit<LayerOptions, 'dtype'> {
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

/** The place where a graph gets its values. Keras `InputLayer`. */
export class InputLayer extends Layer {
  readonly batchShape: PartialShape;
  readonly inputType: DType;
  protected override readonly supportsMasking = true;
  /** The symbolic tensor that it gives. */
  readonly output: SymbolicTensor;

  constructor(options: InputOptions) {
    const { dtype = 'float32', ...rest } = options;
    super(rest.name === undefined ? {} : { name: rest.name });
    settle(
      this.className,
      rest as LayerOptions,
      {
        shape: null,
        batchSize: null,
        batchShape: null,
        dtype: 'float32',
        sparse: false,
        ragged: false,
        optional: false,
      } as never,
    );
    if (rest.shape === undefined && !rest.batchShape)
      throw new ValueError(
        'Input: expected a shape, as Input({ shape: [100] }) for sequences of 100 ids, received none',
      );
    if (rest.sparse || rest.ragged) throw new ValueError('Input: expected dense tensors, received sparse or ragged');
    this.batchShape = rest.batchShape ?? [rest.batchSize ?? null, ...rest.shape!];
    for (const size of this.batchShape)
      if (size !== null) expectInteger('Input', 'sizes of the shape (or null)', size, 0);
    if (!['float32', 'float64', 'int32', 'bool'].includes(dtype))
      throw new ValueError(`Input: expected dtype 'float32', 'float64', 'int32' or 'bool', received ${String(dtype)}`);
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
