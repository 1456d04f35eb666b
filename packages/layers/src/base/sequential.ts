import { ShapeError, Tensor, ValueError } from '@recurra/tensor';
import { checkOptions, describeValue } from '@recurra/tensor/extend';
import { InputLayer } from '../layers/input.js';
import { describeLayer, type SerializedLayer } from './describe.js';
import { type AnyLayer, type Context, Layer, type LayerConfig } from './layer.js';
import { Model } from './model.js';
import { LAYER_OPTIONS, type LayerOptions } from './options.js';
import { differ, formatPartial, type PartialShape, SymbolicTensor } from './symbolic.js';
import { structureChanged } from './variable.js';

/**
 * A model that is a chain of layers, each fed by the one before; itself a layer. Masks (of `Embedding` with `maskZero`, of `Masking`) go along
 * from layer to layer. Keras `Sequential`.
 *
 * ```ts
 * const model = new Sequential([new Embedding(1000, 32, { maskZero: true }), new LSTM(32), new Dense(1, { activation: 'sigmoid' })]);
 * ```
 */
export class Sequential extends Model {
  protected override readonly callArguments: readonly string[] = [];
  private readonly chain: AnyLayer[] = [];
  private input: InputLayer | null = null;
  /** The shapes after the layers that are built for the declared input. */
  readonly #ends: unknown[] = [];

  /** @param layers `Input` may come first: then the weights are made at once */
  constructor(layers: readonly (AnyLayer | SymbolicTensor)[] = [], options: LayerOptions = {}) {
    checkOptions('Sequential', options, LAYER_OPTIONS);
    super(options);
    if (!Array.isArray(layers))
      throw new ValueError(`Sequential: expected a list of layers, received ${describeValue(layers)}`);
    for (const layer of layers) this.add(layer);
  }

  override get className(): string {
    return 'Sequential';
  }

  protected override get independentSamples(): boolean {
    return (this.input?.batchShape[0] ?? null) === null;
  }

  /** Appends a layer. An `Input` may only come first. */
  add(given: AnyLayer | SymbolicTensor): void {
    const layer = given instanceof SymbolicTensor ? given.call.operation : given;
    if (layer instanceof InputLayer) {
      if (this.input || this.chain.length > 0)
        throw new ValueError(
          `${this.name}: expected Input to come first, received it after ${this.chain.length || 'another'} layers`,
        );
      this.input = layer;
      return;
    }
    if (!(layer instanceof Layer) || given instanceof SymbolicTensor)
      throw new ValueError(
        `${this.name}: expected layers, received ${given instanceof SymbolicTensor ? 'the output of a layer' : typeof given === 'function' ? `the class ${(given as { name: string }).name}. Write new ${(given as { name: string }).name}(...)` : String(given)}`,
      );
    if (this.chain.includes(layer))
      throw new ValueError(`${this.name}: expected every layer once, received "${layer.name}" again`);
    if (this.chain.some((l) => l.name === layer.name))
      throw new ValueError(
        `${this.name}: expected layers of different names, received "${layer.name}" twice. Give one another { name }.`,
      );
    this.chain.push(layer);
    structureChanged();
    this.forgetSteps();
    if (this.input) this.extend(this.input.batchShape);
  }

  /** Takes the last layer away, and gives it. */
  pop(): AnyLayer | undefined {
    const layer = this.chain.pop();
    this.#ends.length = Math.min(this.#ends.length, this.chain.length);
    structureChanged();
    this.forgetSteps();
    return layer;
  }

  override get layers(): readonly Layer<never, unknown>[] {
    return this.chain as unknown as readonly Layer<never, unknown>[];
  }

  override children(): readonly AnyLayer[] {
    return this.chain;
  }

  override savedParts(): Readonly<Record<string, unknown>> {
    return { layers: this.chain };
  }

  /** Are all weights there? */
  override get built(): boolean {
    return this.chain.every((l) => l.built);
  }

  /** Makes the weights of all layers for inputs of this shape (batch first, `null` where open). */
  override build(inputShape: PartialShape): void {
    let shape: unknown = inputShape;
    for (const layer of this.chain) {
      layer.build(shape);
      shape = layer.computeOutputShape(shape);
    }
  }

  /** Makes the weights of the layers that were added, for an input of the declared shape. */
  private extend(declared: PartialShape): void {
    for (let i = this.#ends.length; i < this.chain.length; i++) {
      const shape = i === 0 ? declared : this.#ends[i - 1];
      this.chain[i]!.build(shape);
      this.#ends.push(this.chain[i]!.computeOutputShape(shape));
    }
  }

  protected override checkInputs(shape: PartialShape): void {
    const declared = this.input?.batchShape;
    if (declared && (declared.length !== shape.length || declared.some((d, i) => differ(d, shape[i]))))
      throw new ShapeError(
        `${this.name}: expected inputs of shape ${formatPartial(declared)}, received ${formatPartial(shape)}${
          declared.length === shape.length + 1
            ? '. Samples come in batches: call .batch(n) on a data set of single ones, .expandDims(0) on a single tensor.'
            : ''
        }`,
      );
  }

  override call(inputs: Tensor, _context: Context): Tensor {
    if (this.chain.length === 0) throw new ValueError(`${this.name}: expected at least one layer, received none`);
    let x: unknown = inputs;
    for (const layer of this.chain) {
      x = layer.apply(x as never);
      if (!(x instanceof Tensor))
        throw new ValueError(
          `${this.name}: expected layers of one output, received ${(x as readonly unknown[]).length} from "${layer.name}". In a chain, returnState must be false and mergeMode not null.`,
        );
    }
    return x as Tensor;
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return this.chain.reduce<unknown>((shape, layer) => layer.computeOutputShape(shape), inputShape) as PartialShape;
  }

  /** The shape that `Input` declares, or none. */
  override get inputShape(): PartialShape | null {
    return this.input?.batchShape ?? null;
  }

  protected override inputsOf(data: unknown, what: string): unknown {
    const x = super.inputsOf(data, what);
    if (!(x instanceof Tensor))
      throw new ValueError(
        `${what}: expected one tensor as inputs of "${this.name}", received ${Array.isArray(x) ? `a list of ${x.length}` : 'an object'}. A model of several inputs: new Model({ inputs, outputs }).`,
      );
    return x;
  }

  override setWeights(values: Parameters<Layer['setWeights']>[0]): void {
    if (!this.built)
      throw new ValueError(`${this.name}: expected a built model. Begin it with Input, or call build(shape) first.`);
    super.setWeights(values);
  }

  /** Name and layers as plain data, without weights. */
  override getConfig(): LayerConfig & { readonly name: string; readonly layers: readonly SerializedLayer[] } {
    const layers = [...(this.input ? [this.input] : []), ...this.chain].map(describeLayer);
    const { name, trainable, dtype } = super.getConfig();
    const shape = this.inputShape ?? this.getBuildConfig()?.inputShape;
    return { name: name as string, trainable, dtype, layers, ...(shape ? { buildInputShape: shape } : {}) };
  }
}
