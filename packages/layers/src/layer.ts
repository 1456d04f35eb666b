import type { Initializer } from '@recurra/cells';
import { asTensor, formatShape, type Shape, ShapeError, sizeOf, type Tensor, type TensorLike } from '@recurra/tensor';
import { uniqueName } from './internal/naming.js';
import { assignAll, Variable } from './variable.js';

/** A shape whose batch size (or time) may be open: `null`. */
export type PartialShape = readonly (number | null)[];

/** What goes with a call of a layer. */
export interface CallOptions {
  /** Training (dropout active) or inference; false. */
  readonly training?: boolean;
  /** bool [batch, time]: which steps count. */
  readonly mask?: Tensor | null;
  /** For recurrent layers: the state before the first step, h or [h, c]; for Bidirectional those of both directions. */
  readonly initialState?: readonly Tensor[] | null;
}

/** Options of every layer. */
export interface LayerOptions {
  /** By default the class name in snake_case, numbered. */
  readonly name?: string;
  /** Are its weights trained? true. */
  readonly trainable?: boolean;
}

/** A configuration as plain JSON-like values, from which `fromConfig` makes the layer again. */
export type LayerConfig = Readonly<Record<string, unknown>>;

/** `[null, 100]` as text. */
export function formatPartial(shape: PartialShape): string {
  return `[${shape.map((d) => d ?? 'null').join(', ')}]`;
}

/**
 * A building block with weights: `build` makes them when the input shape is known, `apply` computes. Masks go along
 * explicitly: `computeMask` says what mask the output has.
 */
export abstract class Layer {
  /** Name of the class in Keras. */
  abstract readonly className: string;
  readonly trainable: boolean;
  /** Does a mask pass through unchanged? Layers that know nothing of masks drop them. */
  protected readonly supportsMasking: boolean = false;
  /** Where the layer stands inside of another, e.g. `bidirectional/`: the beginning of its weights' paths. */
  protected scope = '';
  private givenName: string | undefined;
  private own: Variable[] = [];
  private isBuilt = false;

  constructor(options: LayerOptions = {}) {
    this.givenName = options.name;
    this.trainable = options.trainable ?? true;
  }

  /** The name; unique unless given. */
  get name(): string {
    this.givenName ??= uniqueName(this.className);
    return this.givenName;
  }

  /** Are the weights there? */
  get built(): boolean {
    return this.isBuilt;
  }

  /** All weights, in Keras' order. */
  get weights(): readonly Variable[] {
    return this.own;
  }

  /** The weights that training changes. */
  get trainableWeights(): readonly Variable[] {
    return this.trainable ? this.weights.filter((w) => w.trainable) : [];
  }

  /** The number of elements of all weights. */
  countParams(): number {
    return this.weights.reduce((sum, w) => sum + sizeOf(w.value.shape), 0);
  }

  /** The weights' values. */
  getWeights(): Tensor[] {
    return this.weights.map((w) => w.value);
  }

  /** Replaces the weights' values. Throws `ShapeError` where number or shapes do not fit. */
  setWeights(values: readonly TensorLike[]): void {
    assignAll(this.weights, values, this.label);
  }

  /** Makes the weights for inputs of this shape, unless they are there. */
  build(inputShape: PartialShape): void {
    if (this.isBuilt) return;
    this.createWeights(inputShape);
    this.isBuilt = true;
  }

  /** The (first) output for an input; builds the layer in the first call. */
  apply(inputs: TensorLike, options: CallOptions = {}): Tensor {
    return this.applyAll(inputs, options)[0]!;
  }

  /** All outputs: recurrent layers with `returnState` have several. */
  applyAll(inputs: TensorLike, options: CallOptions = {}): Tensor[] {
    const x = asTensor(inputs);
    this.checkInput(x.shape);
    this.build([null, ...x.shape.slice(1)]);
    return this.call(x, options);
  }

  /** Forgets what the layer keeps from call to call; nothing, unless it is stateful. */
  resetState(): void {}

  /** The mask of the output, from the input and its mask. */
  computeMask(_inputs: Tensor, mask: Tensor | null): Tensor | null {
    return this.supportsMasking ? mask : null;
  }

  /** The shape of the output for an input shape. */
  abstract computeOutputShape(inputShape: PartialShape): PartialShape;

  /** The arguments that make this layer again. */
  getConfig(): LayerConfig {
    return { name: this.name, ...(this.trainable ? {} : { trainable: false }) };
  }

  protected abstract call(inputs: Tensor, options: CallOptions): Tensor[];

  protected createWeights(_inputShape: PartialShape): void {}

  /** Throws where the input has a shape that the layer cannot take. */
  protected checkInput(_shape: Shape): void {}

  protected addWeight(name: string, shape: Shape, initializer: Initializer): Variable {
    return this.addVariable(name, initializer.create(shape));
  }

  protected addVariable(name: string, value: Tensor, options: { readonly trainable?: boolean } = {}): Variable {
    const variable = new Variable(value, `${this.scope}${this.name}/${name}`, options);
    this.own.push(variable);
    return variable;
  }

  /** Puts a layer inside of this one, before it is built. */
  protected adopt(layer: Layer): void {
    layer.scope = `${this.scope}${this.name}/`;
  }

  /** `LSTM "lstm_1"`, for messages. */
  protected get label(): string {
    return `${this.className} "${this.name}"`;
  }

  protected expectRank(shape: Shape, rank: number, what: string, hint: string): void {
    if (shape.length !== rank)
      throw new ShapeError(
        `${this.label}: expected input of rank ${rank} ${what}, received ${formatShape(shape)}. ${hint}`,
      );
  }
}
