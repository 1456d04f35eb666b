import { type Initializer, type InitializerIdentifier, resolveInitializer } from '@recurra/cells';
import { guard } from '@recurra/compiler';
import {
  type Activation as ActivationFunction,
  type ActivationIdentifier,
  checkIds,
  DTypeError,
  formatShape,
  nextKey,
  randomUniform,
  resolveActivation,
  type Shape,
  ShapeError,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { type CallOptions, Layer, type LayerConfig, type LayerOptions, type PartialShape } from '../layer.js';
import type { Variable } from '../variable.js';

/** What {@link Input} declares: sizes without the batch, `null` where they vary. */
export interface InputOptions extends LayerOptions {
  readonly shape: PartialShape;
  readonly dtype?: 'float32' | 'int32';
}

/** The shape of a model's inputs, as its first element: `Input({ shape: [100] })` for sequences of 100 ids. */
export class InputLayer extends Layer {
  readonly className = 'InputLayer';
  readonly shape: PartialShape;
  readonly dtype: 'float32' | 'int32';

  constructor(options: InputOptions) {
    super(options);
    this.shape = options.shape;
    this.dtype = options.dtype ?? 'float32';
  }

  protected call(x: Tensor): Tensor[] {
    return [x];
  }

  override computeMask(_inputs: Tensor, mask: Tensor | null): Tensor | null {
    return mask;
  }

  computeOutputShape(): PartialShape {
    return [null, ...this.shape];
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), shape: this.shape, dtype: this.dtype };
  }
}

/** Declares the shape (without the batch) and dtype of a model's inputs. */
export function Input(options: InputOptions): InputLayer {
  return new InputLayer(options);
}

/** Options of {@link Dense}. */
export interface DenseOptions extends LayerOptions {
  /** `null`: linear. */
  readonly activation?: ActivationIdentifier;
  readonly useBias?: boolean;
  readonly kernelInitializer?: InitializerIdentifier;
  readonly biasInitializer?: InitializerIdentifier;
}

/**
 * y = activation(x W + b) over the last axis: [..., features] -> [..., units]. W (`kernel`) [features, units], glorotUniform;
 * b (`bias`) [units], zeros.
 */
export class Dense extends Layer {
  readonly className = 'Dense';
  readonly units: number;
  protected override readonly supportsMasking = true;
  private readonly options: DenseOptions;
  private readonly activation: ActivationFunction;
  private kernel!: Variable;
  private bias: Variable | undefined;

  constructor(units: number, options: DenseOptions = {}) {
    super(options);
    if (!Number.isInteger(units) || units < 1)
      throw new ValueError(`Dense: expected units to be an integer >= 1, received ${units}`);
    this.units = units;
    this.options = options;
    this.activation = resolveActivation(options.activation);
  }

  protected override checkInput(shape: Shape): void {
    const features = shape[shape.length - 1];
    if (shape.length < 2)
      throw new ShapeError(
        `${this.label}: expected input of rank 2 or more [batch, ..., features], received ${formatShape(shape)}`,
      );
    if (this.built && features !== this.kernel.value.shape[0])
      throw new ShapeError(
        `${this.label}: expected ${this.kernel.value.shape[0]} features, received ${formatShape(shape)}`,
      );
  }

  protected override createWeights(inputShape: PartialShape): void {
    const features = inputShape[inputShape.length - 1];
    if (features === null || features === undefined)
      throw new ShapeError(
        `${this.label}: expected a known number of features, received ${JSON.stringify(inputShape)}`,
      );
    const { useBias = true, kernelInitializer = 'glorotUniform', biasInitializer = 'zeros' } = this.options;
    this.kernel = this.addWeight('kernel', [features, this.units], resolveInitializer(kernelInitializer));
    if (useBias) this.bias = this.addWeight('bias', [this.units], resolveInitializer(biasInitializer));
  }

  protected call(x: Tensor): Tensor[] {
    const product = x.matmul(this.kernel.value);
    return [this.activation(this.bias ? product.add(this.bias.value) : product)];
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return [...inputShape.slice(0, -1), this.units];
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), units: this.units, ...configOf(this.options) };
  }
}

/** Options as plain values: identifiers by name, initializers as { className, config }. Functions cannot be written down. */
export function configOf(options: object): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (key === 'name' || key === 'trainable' || value === undefined) continue;
    if (typeof value === 'function')
      throw new ValueError(`getConfig: expected a name for ${key}, received a function, which cannot be saved`);
    if (typeof value === 'object' && value !== null && 'create' in value) {
      const initializer = value as Initializer;
      result[key] = { className: initializer.name, config: initializer.config };
    } else result[key] = value;
  }
  return result;
}

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends LayerOptions {
  /** 'uniform': between -0.05 and 0.05. */
  readonly embeddingsInitializer?: InitializerIdentifier;
  /** Is id 0 padding, that later layers skip? false. */
  readonly maskZero?: boolean;
}

/**
 * Ids to vectors: int [batch, ...] -> [batch, ..., outputDim], row `id` of `embeddings` [inputDim, outputDim].
 * Throws `ValueError` for an id outside of 0..inputDim-1.
 */
export class Embedding extends Layer {
  readonly className = 'Embedding';
  readonly inputDim: number;
  readonly outputDim: number;
  private readonly options: EmbeddingOptions;
  private embeddings!: Variable;

  constructor(inputDim: number, outputDim: number, options: EmbeddingOptions = {}) {
    super(options);
    for (const [name, value] of [
      ['inputDim', inputDim],
      ['outputDim', outputDim],
    ] as const)
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError(`Embedding: expected ${name} to be an integer >= 1, received ${value}`);
    this.inputDim = inputDim;
    this.outputDim = outputDim;
    this.options = options;
  }

  protected override createWeights(): void {
    this.embeddings = this.addWeight(
      'embeddings',
      [this.inputDim, this.outputDim],
      resolveInitializer(this.options.embeddingsInitializer ?? 'uniform'),
    );
  }

  protected call(x: Tensor): Tensor[] {
    if (x.dtype === 'bool') throw new DTypeError(`${this.label}: expected ids (int32), received bool`);
    guard(x, ({ data }) => {
      for (const id of data)
        if (!(Number.isInteger(id) && id >= 0 && id < this.inputDim))
          throw new ValueError(
            `${this.label}: expected ids in 0..${this.inputDim - 1}, received ${id}. inputDim must be larger than the largest id.`,
          );
    });
    // Ids that the model computes itself are checked by the step.
    return [this.embeddings.value.gather(checkIds(x, this.inputDim, this.label), 0)];
  }

  override computeMask(inputs: Tensor): Tensor | null {
    return this.options.maskZero ? inputs.notEqual(0) : null;
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return [...inputShape, this.outputDim];
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), inputDim: this.inputDim, outputDim: this.outputDim, ...configOf(this.options) };
  }
}

/** An activation as a layer of its own. */
export class Activation extends Layer {
  readonly className = 'Activation';
  protected override readonly supportsMasking = true;
  private readonly identifier: ActivationIdentifier;
  private readonly activation: ActivationFunction;

  constructor(activation: ActivationIdentifier, options: LayerOptions = {}) {
    super(options);
    this.identifier = activation;
    this.activation = resolveActivation(activation);
  }

  protected call(x: Tensor): Tensor[] {
    return [this.activation(x)];
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), ...configOf({ activation: this.identifier }) };
  }
}

/** In training, sets a share `rate` of the elements to 0 and scales the others by 1 / (1 - rate); else the identity. */
export class Dropout extends Layer {
  readonly className = 'Dropout';
  readonly rate: number;
  protected override readonly supportsMasking = true;

  constructor(rate: number, options: LayerOptions = {}) {
    super(options);
    if (!(rate >= 0 && rate <= 1)) throw new ValueError(`Dropout: expected a rate in 0..1, received ${rate}`);
    this.rate = rate;
  }

  protected call(x: Tensor, { training = false }: CallOptions): Tensor[] {
    if (!training || this.rate === 0) return [x];
    if (this.rate === 1) return [x.zerosLike()];
    const keep = randomUniform(x.shape, { key: nextKey() }).greaterEqual(this.rate);
    return [x.mul(keep.cast(x.dtype).div(1 - this.rate))];
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** Masks the steps [batch, time, features] whose features all equal `maskValue` (0), and sets them to 0. */
export class Masking extends Layer {
  readonly className = 'Masking';
  readonly maskValue: number;

  constructor(options: LayerOptions & { readonly maskValue?: number } = {}) {
    super(options);
    this.maskValue = options.maskValue ?? 0;
  }

  protected call(x: Tensor): Tensor[] {
    return [x.mul(this.valid(x).expandDims(-1).cast(x.dtype))];
  }

  private valid(x: Tensor): Tensor {
    return x.notEqual(this.maskValue).any(-1);
  }

  override computeMask(inputs: Tensor): Tensor | null {
    return this.valid(inputs);
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), maskValue: this.maskValue };
  }
}
