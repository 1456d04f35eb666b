import { FormatError, type Tensor } from '@recurra/tensor';
import type { Json, JsonObject, WeightGroup } from '../model-file.js';
import { applyActivation } from './activations.js';
import { type GraphBuilder, isValue, type Value } from './graph.js';

export { isValue };

/** A layer of the architecture: its class, its configuration, and its weights. */
export interface LayerNode {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  readonly group: WeightGroup | null;
  /** Names of the models around it and its own: what its weights are called in the graph. */
  readonly path: string;
}

/** Arguments of a call: values in the places of tensors. */
export type Argument = Value | Json | readonly Argument[] | { readonly [key: string]: Argument };

/** Is it an object of JSON? */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lowers a layer that lies in another one. */
export type LowerInner = (layer: LayerNode, inputs: Argument, kwargs?: Readonly<Record<string, Argument>>) => Value[];

/** One call of a layer, as its lowering sees it: inputs, and what the configuration says, checked as it is read. */
export class LayerCall {
  readonly g: GraphBuilder;
  readonly layer: LayerNode;
  readonly inputs: Argument;
  readonly kwargs: Readonly<Record<string, Argument>>;
  private readonly inner: LowerInner;

  constructor(
    g: GraphBuilder,
    layer: LayerNode,
    inputs: Argument,
    kwargs: Readonly<Record<string, Argument>>,
    inner: LowerInner,
  ) {
    this.g = g;
    this.layer = layer;
    this.inputs = inputs;
    this.kwargs = kwargs;
    this.inner = inner;
  }

  /** Throws: what this layer has cannot be expressed. */
  fail(message: string): never {
    throw new FormatError(`ONNX: ${this.layer.className} "${this.layer.name}": ${message}`);
  }

  // Inputs.

  /** The one input. */
  get x(): Value {
    const given = Array.isArray(this.inputs) && this.inputs.length === 1 ? this.inputs[0] : this.inputs;
    if (!isValue(given)) this.fail('expected one input');
    return given;
  }

  /** The one input in float32. */
  get floating(): Value {
    const { x } = this;
    return { ...this.g.cast(x, 'float32'), mask: x.mask };
  }

  /** The inputs as a list. */
  get list(): readonly Value[] {
    const given: readonly Argument[] = Array.isArray(this.inputs) ? this.inputs : [this.inputs];
    if (given.length === 0 || !given.every(isValue)) this.fail('expected a list of inputs');
    return given as readonly Value[];
  }

  /** Lowers a layer within this one. */
  lower(layer: LayerNode, inputs: Argument, kwargs: Readonly<Record<string, Argument>> = {}): Value[] {
    return this.inner(layer, inputs, kwargs);
  }

  // The configuration.

  get(key: string): Json | undefined {
    return Object.hasOwn(this.layer.config, key) ? this.layer.config[key] : undefined;
  }

  private expected(key: string, what: string, received: unknown): never {
    this.fail(`expected ${key} to be ${what}, received ${JSON.stringify(received) ?? 'nothing'}`);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.get(key) ?? fallback;
    if (typeof value !== 'boolean') this.expected(key, 'true or false', value);
    return value;
  }

  number(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) this.expected(key, 'a number', value);
    return value;
  }

  /** A whole number of at least `least`. */
  count(key: string, fallback?: number, least = 1): number {
    const value = this.get(key);
    const given = Array.isArray(value) && value.length === 1 ? value[0] : value;
    const found = given ?? fallback;
    if (typeof found !== 'number' || !Number.isInteger(found) || found < least || found > 2 ** 31)
      this.expected(key, `a whole number of at least ${least}`, value);
    return found;
  }

  text(key: string, allowed: readonly string[], fallback?: string): string {
    const value = this.get(key) ?? fallback;
    if (typeof value !== 'string' || !allowed.includes(value)) this.expected(key, allowed.join(', '), value);
    return value;
  }

  /** One whole number, or a list of them. */
  ints(key: string): readonly number[] {
    const value = this.get(key);
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (list.length > 64 || !list.every((n) => Number.isInteger(n) && Math.abs(n as number) < 2 ** 31))
      this.expected(key, 'whole numbers', value);
    return list as readonly number[];
  }

  /** The axes that a key names, counted from 0, in order. */
  axes(key: string, rank: number): readonly number[] {
    const axes = this.ints(key).map((a) => (a < 0 ? a + rank : a));
    if (axes.some((a) => a < 0 || a >= rank) || new Set(axes).size !== axes.length)
      this.expected(key, `axes of an input of rank ${rank}`, this.get(key));
    return [...axes].sort((a, b) => a - b);
  }

  /** The configuration of a layer or cell under a key. */
  object(key: string): { readonly className: string; readonly config: JsonObject } {
    const value = this.get(key);
    if (!isObject(value) || typeof value['class_name'] !== 'string' || !isObject(value['config']))
      this.expected(key, '{ class_name, config }', value);
    return { className: value['class_name'] as string, config: value['config'] as JsonObject };
  }

  /** Throws unless the input has this rank. */
  rank(x: Value, rank: number, what: string): void {
    if (x.shape.length !== rank) this.fail(`expected an input ${what}, received rank ${x.shape.length}`);
  }

  /** A size of an input that has to be known. */
  known(x: Value, axis: number): number {
    const size = x.shape.at(axis);
    if (size === null || size === undefined)
      this.fail(`expected a known size of axis ${axis}, received [${x.shape.map((d) => d ?? '?').join(', ')}]`);
    return size;
  }

  // Weights.

  /** The group of weights of what lies under an attribute. */
  child(...keys: readonly string[]): WeightGroup | null {
    let group = this.layer.group;
    for (const key of keys) group = group?.children.get(key) ?? null;
    return group;
  }

  /** The tensor of one of the layer's own variables. Throws where it is not there, or of another rank. */
  tensor(index: number, name: string, rank: number, group: WeightGroup | null = this.layer.group): Tensor {
    const value = group?.variables[index]?.value;
    if (!value) this.fail(`expected a weight ${name}, received none. Is the model built, and its weights in the file?`);
    if (value.shape.length !== rank)
      this.fail(`expected a weight ${name} of rank ${rank}, received shape [${value.shape.join(', ')}]`);
    this.g.read.add(value);
    return value;
  }

  /** One of the layer's own variables as a constant, as it is, or changed. */
  weight(index: number, name: string, rank: number, change: (t: Tensor) => Tensor = (t) => t): Value {
    return this.g.weight(`${this.layer.path}/${name}`, () => change(this.tensor(index, name, rank)));
  }

  /** The values with the activation of the configuration applied. */
  activation(x: Value, key = 'activation'): Value {
    return applyActivation(this.g, x, this.get(key) ?? null, (message) => this.fail(message));
  }
}
