import type { Constraint, Initializer, Regularizer } from '@recurra/cells';
import { resolveRegularizer } from '@recurra/cells/extend';
import { evalShape, untraced } from '@recurra/compiler/extend';
import { type DType, type Shape, ShapeError, Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import {
  asTensor,
  checkOptions,
  checkValue,
  describeValue,
  formatShape,
  isFloating,
  isSerialized,
  type Rule,
  rules,
  sizeOf,
  snakeCase,
} from '@recurra/tensor/extend';
import { expectConfig } from '../internal/configuration.js';
import { maskOf, withMask } from './masks.js';
import { inScope, scoped, uniqueName } from './naming.js';
import { Operation, SpecOf } from './operation.js';
import { checkLayerOptions, describeOptions, type LayerOptions } from './options.js';
import { callScope, withinCall } from './scope.js';
import {
  type Data,
  formatPartial,
  type Masks,
  type PartialShape,
  type Shapes,
  type Spec,
  type Specs,
  type Symbolic,
  SymbolicTensor,
} from './symbolic.js';
import { isRecord, leavesOf, mapTree } from './tree.js';
import { assignAll, copyOf, structureChanged, Variable, type VariableRole } from './variable.js';

/** What goes with every call of a layer. */
export interface CallOptions<In = Tensor> {
  /** Training (dropout active) or inference; that of the call around it, else false. */
  readonly training?: boolean;
  /** bool, for each input: which steps count. By default the masks that the inputs have from the layers that made them. */
  readonly mask?: Masks<In> | Symbolic<Tensor>;
}

/** What `call` is told. */
export interface Context<In = Tensor> {
  readonly training: boolean;
  /** The masks of the inputs, in their structure. */
  readonly mask: Masks<In>;
}

/** A configuration as plain JSON-like values, from which `fromConfig` makes the layer again. */
export type LayerConfig = Readonly<Record<string, unknown>>;

/** What a layer was built for: the shapes of its inputs, or those of several by the names of Keras' arguments (`queryShape`). */
export interface BuildConfig<In = unknown> {
  readonly inputShape?: Shapes<In>;
  readonly shapesDict?: Readonly<Record<string, PartialShape>>;
}

/** How a variable is made; see {@link Layer.variable}. */
export interface VariableSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: Initializer;
  /** 'weight' */
  readonly role?: VariableRole;
  readonly trainable?: boolean;
  /** That of the layer. */
  readonly dtype?: DType;
  readonly regularizer?: Regularizer | null;
  readonly constraint?: Constraint | null;
}

// biome-ignore lint/suspicious/noExplicitAny: a layer of any inputs and outputs
export type AnyLayer = Layer<any, any, any>;

/** The options of a call without. */
const NONE: object = Object.freeze({});

/** Two sizes that stand for an open one, to see which sizes of the outputs follow it. */
const OPEN = [83, 89] as const;

/**
 * A building block with weights. A subclass writes `call` (tensor operations), and `build` where it has weights, which it makes by
 * {@link Layer.variable} when the shape of the inputs is known. Variables and layers that stand in its properties (also in lists and plain objects;
 * not in `#private` ones) are its own.
 *
 * `apply` takes tensors and gives tensors, or takes symbolic tensors and gives symbolic ones. Inputs and outputs are trees: a tensor, or lists and
 * records. Keras `Layer`.
 *
 * ```ts
 * class Scale extends Layer {
 *   scale!: Variable;
 *   override build([, features]: PartialShape): void {
 *     this.scale = this.variable({ name: 'scale', shape: [features!], initializer: initializers.ones() });
 *   }
 *   call(x: Tensor): Tensor {
 *     return x.mul(this.scale.value);
 *   }
 * }
 * ```
 */
export abstract class Layer<In = Tensor, Out = Tensor, Args extends object = object> extends Operation {
  /** The arguments of the constructor that stand before the options, by their names in the configuration. */
  static readonly positional: readonly string[] = [];
  /** A penalty on the outputs. */
  readonly activityRegularizer: Regularizer | null;
  /** Does a mask pass through unchanged? Layers that know nothing of masks drop them. */
  protected readonly supportsMasking: boolean = false;
  /** Does each input have a mask of its own (Keras: `query_mask`), so that further tensors in a call do not hide them? */
  protected readonly masksByInput: boolean = false;
  /**
   * The names of what `call` is told beside `training` and `mask`; a call with others is refused. `null`: none where `call` is written without a
   * context, any where it has one.
   */
  protected readonly callArguments: readonly string[] | null = null;
  /** What the subclass made of its options, for the configuration. */
  protected settled: Readonly<Record<string, unknown>> = {};
  #name: string | undefined;
  #trainable: boolean;
  #dtype: DType;
  #own: Variable[] = [];
  #built = false;
  #writesBuild = false;
  #builtFor: Shapes<In> | null = null;
  #added: { run: number; values: Tensor[] } = { run: 0, values: [] };
  #warned = false;

  constructor(options: LayerOptions = {}) {
    super();
    checkLayerOptions(this.className, options);
    this.#name = options.name;
    this.#trainable = options.trainable ?? true;
    const { dtype = 'float32' } = options;
    this.#dtype = (isSerialized(dtype) ? dtype.config['name'] : dtype) as DType;
    this.activityRegularizer = resolveRegularizer(options.activityRegularizer);
    // Built is built, whoever calls it: a subclass only writes what it makes.
    // It may take the place of another one.
    structureChanged();
    const own = this.build;
    this.#writesBuild = own !== Layer.prototype.build;
    Object.defineProperty(this, 'build', {
      configurable: true,
      writable: true,
      value: (inputShape: Shapes<In>): void => {
        if (this.#built) return;
        this.checkShape(inputShape);
        const { scopeName } = this;
        untraced(() =>
          scopeName === null ? own.call(this, inputShape) : inScope(scopeName, () => own.call(this, inputShape)),
        );
        this.#built = true;
        this.#builtFor = inputShape;
        structureChanged();
      },
    });
  }

  /** Name of the class in Keras. */
  get className(): string {
    return this.constructor.name;
  }

  /** The name; unique unless given. */
  get name(): string {
    this.#name ??= uniqueName(this.className);
    return this.#name;
  }

  /** What the paths of variables inside begin with; `null`: nothing. */
  protected get scopeName(): string | null {
    return this.name;
  }

  /**
   * Does `call` compute each sample of a batch by itself, the same in every call: without statistics of the batch, draws that samples share, or a state?
   * Then `TimeDistributed` gives it all steps at once, as samples of one batch. It speaks of `call` alone (layers inside are asked themselves), and of
   * exactly the class that writes it: what a subclass does is not known, unless it writes it again.
   */
  protected get independentSamples(): boolean {
    return false;
  }

  /** Do this layer and all inside of it compute each sample by itself? See {@link Layer.independentSamples}. */
  get keepsSamplesApart(): boolean {
    return this.layersWithin().every(
      (layer) =>
        // A penalty on outputs is divided by the size of the batch.
        layer.activityRegularizer === null &&
        Object.hasOwn(Object.getPrototypeOf(layer), 'independentSamples') &&
        layer.independentSamples,
    );
  }

  /** Are the weights there? */
  get built(): boolean {
    return this.#built;
  }

  /** The shape that it was built for, to build another like it; `null` before that. Keras `get_build_config`. */
  getBuildConfig(): BuildConfig<In> | null {
    return this.#builtFor ? { inputShape: this.#builtFor } : null;
  }

  /** Makes the weights as {@link Layer.getBuildConfig} says. Keras `build_from_config`. */
  buildFromConfig(config: BuildConfig<In>): void {
    if (config.inputShape !== undefined && config.inputShape !== null) this.build(config.inputShape);
  }

  /** @internal The arguments that `call` of Keras' class takes for these inputs: one, but where it takes each input by itself. */
  argumentsOf(inputs: unknown): readonly unknown[] {
    return [inputs];
  }

  /** @internal Does its class make something of the shape of its inputs? */
  get builtByShape(): boolean {
    return this.#writesBuild;
  }

  /** What the layer computes in: floating inputs are cast to it. */
  get dtype(): DType {
    return this.#dtype;
  }

  /** @internal For checks that compute in float64 what a layer of float32 does. */
  set dtype(dtype: DType) {
    this.#dtype = dtype;
    for (const child of this.children()) child.dtype = dtype;
  }

  /** Are its weights trained? Setting it holds for all layers inside, and takes effect at the next step. */
  get trainable(): boolean {
    return this.#trainable;
  }

  set trainable(value: boolean) {
    checkValue(this.label, 'trainable', value, rules.flag);
    this.#trainable = value;
    structureChanged();
    for (const child of this.children()) child.trainable = value;
  }

  /** The layers inside of this one, in the order of the properties that hold them. */
  children(): readonly AnyLayer[] {
    const found = new Set<AnyLayer>();
    const visit = (value: unknown): void => {
      if (value instanceof Layer) found.add(value);
      else if (Array.isArray(value) || isRecord(value)) Object.values(value).forEach(visit);
    };
    // What options held is where the constructor put it.
    for (const [key, value] of Object.entries(this)) if (key !== 'settled') visit(value);
    found.delete(this);
    return [...found];
  }

  /** Names of Keras' attributes for properties that are called otherwise here; others are those of the properties in snake_case. */
  protected get savedNames(): Readonly<Record<string, string>> {
    return {};
  }

  /** @internal What is inside, by Keras' names of the attributes that hold it: files keep it under these. See `savedGroupOf`. */
  savedParts(): Readonly<Record<string, unknown>> {
    const { savedNames } = this;
    return Object.fromEntries(
      Object.entries(this)
        .filter(([key]) => key !== 'settled')
        .map(([key, value]) => [savedNames[key] ?? snakeCase(key), value]),
    );
  }

  /** @internal The part that comes before others; `null`: none. */
  get savedFirst(): string | null {
    return null;
  }

  /** @internal Its own variables that files hold, in Keras' order: weights, without what is carried from call to call. */
  savedVariables(): readonly Variable[] {
    const own = this.#own.filter((v) => v.role === 'weight');
    return [...own.filter((v) => v.trainable), ...own.filter((v) => !v.trainable)];
  }

  /** This layer and all inside of it, each once, outermost first. */
  layersWithin(): readonly AnyLayer[] {
    const found = new Set<AnyLayer>();
    const visit = (layer: AnyLayer): void => {
      if (found.has(layer)) return;
      found.add(layer);
      layer.children().forEach(visit);
    };
    visit(this);
    return [...found];
  }

  /** All variables, those of layers inside too: weights, states and seeds. */
  get variables(): readonly Variable[] {
    const own = this.#own;
    const sorted = [...own.filter((v) => v.trainable), ...own.filter((v) => !v.trainable)];
    return [...new Set([...sorted, ...this.children().flatMap((child) => child.variables)])];
  }

  /** All weights, in Keras' order: those that are trained first, then those of the layers inside. */
  get weights(): readonly Variable[] {
    return this.variables.filter((v) => v.role === 'weight');
  }

  /** The weights that training changes. */
  get trainableWeights(): readonly Variable[] {
    if (!this.#trainable) return [];
    const own = this.#own.filter((v) => v.role === 'weight' && v.trainable);
    return [...new Set([...own, ...this.children().flatMap((child) => child.trainableWeights)])];
  }

  /** The weights that training leaves: frozen ones, and statistics. */
  get nonTrainableWeights(): readonly Variable[] {
    const trained = new Set(this.trainableWeights);
    return this.weights.filter((v) => !trained.has(v));
  }

  /** The number of elements of all weights. Throws `ValueError` before they are there. */
  countParams(): number {
    const open = this.layersWithin().find(
      (layer) => !layer.built && layer.builtByShape && layer.children().length === 0,
    );
    if (open)
      throw new ValueError(
        `${this.label}: expected a built layer to count the weights of, received ${open === this ? 'one' : `one with ${open.label}`} that has not seen the shape of its inputs. Begin a model with Input, or call build(shape) first.`,
      );
    return this.weights.reduce((sum, w) => sum + sizeOf(w.shape), 0);
  }

  /** Copies of the weights' values. */
  getWeights(): Tensor[] {
    return this.weights.map((w) => copyOf(w.value));
  }

  /** Replaces the weights' values. Throws `ShapeError` where number or shapes do not fit. */
  setWeights(values: readonly TensorLike[]): void {
    assignAll(this.weights, values, this.label);
  }

  /** Makes the weights for inputs of this shape, unless they are there. Subclasses write what they make. */
  build(_inputShape: Shapes<In>): void {}

  /** The outputs for inputs. Subclasses write it. */
  abstract call(inputs: In, context: Context<In> & Args): Out;

  /**
   * The outputs for tensors, or symbolic outputs for symbolic inputs; builds the layer in the first call.
   * Throws `ShapeError` where the inputs have a shape that the layer cannot take, `ValueError` for options that it does not know.
   */
  apply(inputs: Symbolic<In>, options?: CallOptions<In> & Args): Symbolic<Out>;
  apply(inputs: Data<In>, options?: CallOptions<In> & Args): Out;
  apply(inputs: unknown, options: object = NONE): unknown {
    if (options !== NONE) this.checkCall(options);
    return this.invoke(inputs, options as Readonly<Record<string, unknown>>);
  }

  /** Throws `ValueError` for options of a call that nothing would read, and for what `training` and `mask` cannot be. */
  private checkCall(options: object): void {
    if (!isRecord(options))
      throw new ValueError(`${this.label}: expected an object of options, received ${describeValue(options)}`);
    const known = this.callArguments ?? (this.call.length < 2 ? [] : null);
    if (known)
      checkOptions(this.label, options, Object.fromEntries(['training', 'mask', ...known].map((key) => [key, true])));
    const { training, mask } = options as CallOptions;
    if (training !== undefined) checkValue(this.label, 'training', training, rules.flag);
    if (mask !== undefined) checkValue(this.label, 'mask', mask, MASKS);
  }

  protected override compute(given: unknown, options: Readonly<Record<string, unknown>>): unknown {
    if (typeof this.call !== 'function')
      throw new ValueError(`${this.label}: expected a class that writes call(inputs, context), received one without`);
    const inputs = this.tensorsOf(given);
    this.checkInputs(mapTree(inputs, (x) => (x as Tensor).shape) as Shapes<In>);
    this.ensureBuilt(inputs);
    // A layer that keeps what it was given by a mask does so also where an argument replaces it.
    const implicit = mapTree(inputs, (x) => maskOf(x as Tensor));
    const { training = callScope()?.training ?? false, mask, ...rest } = options;
    // As in Keras, a call with more tensors than its inputs gets no mask but one that it is given.
    const several = !this.masksByInput && leavesOf(rest).some((leaf) => leaf instanceof Tensor);
    const used = mask !== undefined ? mask : several ? mapTree(implicit, () => null) : implicit;
    return withinCall(this, training as boolean, () => {
      const outputs = this.call(
        inputs as In,
        { ...rest, training, mask: used } as unknown as Context<In> & Args,
      ) as unknown;
      if (!(outputs instanceof Tensor)) this.expectOutputs(outputs);
      if (this.activityRegularizer)
        for (const y of leavesOf(outputs)) this.addLoss(this.activityRegularizer.apply(y as Tensor).div(batchOf(y)));
      return this.attachMasks(inputs as In, (mask !== undefined ? mask : implicit) as Masks<In>, outputs);
    });
  }

  /** The inputs as a tree of tensors, floating ones in the layer's dtype. */
  private tensorsOf(given: unknown): unknown {
    const cast = (x: Tensor): Tensor =>
      isFloating(x.dtype) && x.dtype !== this.#dtype ? withMask(x.cast(this.#dtype), maskOf(x)) : x;
    if (given instanceof Tensor) return cast(given);
    const hasTensor = leavesOf(given).some((leaf) => leaf instanceof Tensor || ArrayBuffer.isView(leaf));
    if (given === undefined || given === null)
      throw new ValueError(`${this.label}: expected inputs, received ${describeValue(given)}`);
    if (isRecord(given) && leavesOf(given).length === 0)
      throw new ValueError(`${this.label}: expected inputs, received an object without any`);
    if (!hasTensor && !isRecord(given)) return cast(asTensor(given as TensorLike));
    const visit = (node: unknown): unknown => {
      if (Array.isArray(node) && leavesOf(node).every((leaf) => typeof leaf === 'number' || typeof leaf === 'boolean'))
        return cast(asTensor(node as TensorLike));
      if (Array.isArray(node)) return node.map(visit);
      if (isRecord(node)) return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, visit(v)]));
      return cast(asTensor(node as TensorLike));
    };
    return visit(given);
  }

  /** Throws `ValueError` where `call` gave nothing, or a promise. */
  private expectOutputs(outputs: unknown): void {
    for (const leaf of leavesOf(outputs))
      if (leaf === undefined || leaf instanceof Promise)
        throw new ValueError(
          `${this.label}: expected call to return tensors, received ${leaf === undefined ? 'undefined. Is a return missing?' : 'a promise. Layers compute at once: call cannot be async.'}`,
        );
  }

  private ensureBuilt(inputs: unknown): void {
    if (this.#built) return;
    this.build(
      mapTree(inputs, (x) => {
        const { shape } = x as Tensor | Spec;
        return shape.length === 0 ? shape : [null, ...shape.slice(1)];
      }) as Shapes<In>,
    );
    this.expectOwner();
  }

  /** Throws `ValueError` where weights came to be in the call of a layer that does not have this one: nothing would train them, or save them. */
  private expectOwner(): void {
    let caller: AnyLayer | null = null;
    for (let around = callScope(); around; around = around.outer) {
      const layer = around.layer as AnyLayer | null;
      if (layer?.children().includes(this) || layer?.layersWithin().includes(this)) return;
      caller ??= layer;
    }
    if (!caller || this.weights.length === 0) return;
    throw new ValueError(
      `${this.label}: expected a layer that ${caller.label} has, received one that its call made or found elsewhere: its weights would not be trained. Make it in the constructor, and keep it in a property (a list, a plain object; no #private one).`,
    );
  }

  private attachMasks(inputs: In, masks: Masks<In>, outputs: unknown): unknown {
    const found = this.computeMask(inputs, masks, outputs as Out) as unknown;
    if (
      !this.#warned &&
      !this.supportsMasking &&
      this.computeMask === Layer.prototype.computeMask &&
      leavesOf(masks).some((m) => m instanceof Tensor)
    ) {
      this.#warned = true;
      console.warn(
        `${this.label}: its input has a mask, which this layer does not know; layers after it do not see the mask.`,
      );
    }
    if (outputs instanceof Tensor) return withMask(outputs, (found as Tensor | null) ?? null);
    const all = Array.isArray(found) || isRecord(found) ? leavesOf(found) : [];
    let i = 0;
    return mapTree(outputs, (y) => {
      const mask = all[i++];
      return y instanceof Tensor ? withMask(y, mask instanceof Tensor ? mask : null) : y;
    });
  }

  /** The masks of the outputs, from the inputs and their masks. */
  computeMask(_inputs: In, masks: Masks<In>, outputs?: Out): Masks<Out> {
    if (!this.supportsMasking) return mapTree(outputs ?? null, () => null) as Masks<Out>;
    return masks as unknown as Masks<Out>;
  }

  /** The shapes of the outputs for shapes of the inputs, `null` where a size is open. */
  computeOutputShape(inputShape: Shapes<In>): Shapes<Out> {
    return mapTree(
      this.spec(toSpecs(inputShape, this.#dtype) as Specs<In>),
      (spec) => (spec as Spec).shape,
    ) as Shapes<Out>;
  }

  /**
   * What the outputs will be for inputs of which as much is known: by default what `call` gives in an abstract run, where sizes that are open
   * in the inputs stand for any.
   */
  spec(inputs: Specs<In>, options: Readonly<Record<string, unknown>> = {}): Specs<Out> {
    if (this.computeOutputShape !== Layer.prototype.computeOutputShape) {
      const shapes = mapTree(inputs, (s) => (s as Spec).shape) as Shapes<In>;
      return toSpecs(this.computeOutputShape(shapes), this.#dtype) as Specs<Out>;
    }
    const given = mapTree([inputs, options], asSpec);
    const leaves = leavesOf(given).filter((leaf) => leaf instanceof SpecOf);
    const run = (open: number): unknown =>
      evalShape(
        (...values) => {
          let next = 0;
          const [x, rest] = mapTree(given, (leaf) => (leaf instanceof SpecOf ? values[next++] : leaf)) as [
            unknown,
            Readonly<Record<string, unknown>>,
          ];
          return this.compute(x, rest);
        },
        leaves.map(({ shape, dtype }) => ({ shape: shape.map((d) => d ?? open), dtype })),
      );
    const [a, b] = [run(OPEN[0]), run(OPEN[1])];
    const others = leavesOf(b) as Tensor[];
    let i = 0;
    return mapTree(a, (leaf) => {
      const other = others[i++]!;
      const { shape, dtype } = leaf as Tensor;
      return new SpecOf(
        shape.map((d, k) => (d === other.shape[k] ? d : null)),
        dtype,
      );
    }) as Specs<Out>;
  }

  protected override specify(inputs: unknown, options: Readonly<Record<string, unknown>>): unknown {
    const specs = mapTree(inputs, asSpec);
    const odd = leavesOf(specs).find((leaf) => !(leaf instanceof SpecOf));
    if (odd !== undefined)
      throw new ValueError(`${this.label}: expected tensors as inputs, received ${describeValue(odd)} among them`);
    this.ensureBuilt(specs);
    this.checkInputs(mapTree(specs, (s) => (s as Spec).shape) as Shapes<In>);
    return mapTree(this.spec(specs as Specs<In>, options), (leaf) => {
      const { shape, dtype } = leaf as Spec;
      return new SpecOf(shape, dtype);
    });
  }

  /** Throws `ValueError` for what is no shape, nor a tree of shapes. */
  protected checkShape(shape: unknown): void {
    if (!isShapes(shape))
      throw new ValueError(
        `${this.label}: expected the shape of the inputs, batch first, as [null, 8] (null where a size is open), received ${describeValue(shape)}`,
      );
  }

  /** Throws where inputs have shapes that the layer cannot take (`null` where a size is open). */
  protected checkInputs(_shapes: Shapes<In>): void {}

  /** Makes a variable of this layer. */
  protected variable(spec: VariableSpec): Variable {
    const { name, shape, initializer, role = 'weight', dtype = this.#dtype, ...rest } = spec;
    return this.keep(
      new Variable(
        untraced(() => initializer.create(shape, { dtype })),
        scoped(name),
        { role, ...rest },
      ),
    );
  }

  /** Makes a variable that was made elsewhere one of this layer. */
  protected keep(variable: Variable): Variable {
    this.#own.push(variable);
    return variable;
  }

  /** Lets a variable of this layer go. */
  protected dropVariable(variable: Variable): void {
    this.#own = this.#own.filter((v) => v !== variable);
    structureChanged();
  }

  /** Inside of `call`: adds a scalar to what training minimises. Keras `add_loss`. */
  addLoss(loss: Tensor): void {
    if (!(loss instanceof Tensor))
      throw new ValueError(`${this.label}: expected a scalar tensor as a loss, received ${describeValue(loss)}`);
    if (loss.size !== 1)
      throw new ShapeError(
        `${this.label}: expected a scalar loss, received shape ${formatShape(loss.shape)}. Reduce it (sum, mean).`,
      );
    const scope = callScope();
    const value = loss.rank === 0 ? loss : loss.reshape([]);
    scope?.losses.push(value);
    const run = scope?.run ?? 0;
    if (this.#added.run !== run) this.#added = { run, values: [] };
    this.#added.values.push(value);
  }

  /** The losses that the layers in here added in the last call, and the penalties of the regularizers of trained weights. */
  get losses(): readonly Tensor[] {
    const all = this.layersWithin().map((layer) => layer.#added);
    const last = Math.max(0, ...all.map((a) => a.run));
    return [...all.filter((a) => a.run === last).flatMap((a) => a.values), ...this.penalties()];
  }

  /** The penalties of the regularizers of trained weights. */
  penalties(): readonly Tensor[] {
    return this.trainableWeights.flatMap((w) => (w.regularizer ? [w.regularizer.apply(w.value)] : []));
  }

  /** Forgets what stateful layers in here keep from call to call. */
  resetStates(): void {
    for (const child of this.children()) child.resetStates();
  }

  /** The arguments that make this layer again, in camelCase, as Keras' `get_config`. */
  getConfig(): LayerConfig {
    return {
      name: this.name,
      trainable: this.trainable,
      dtype: {
        module: 'keras',
        className: 'DTypePolicy',
        config: { name: this.#dtype },
        registeredName: null,
      },
      ...this.fields(),
      ...(this.activityRegularizer ? describeOptions({ activityRegularizer: this.activityRegularizer }) : {}),
    };
  }

  /** The arguments of this class, for {@link Layer.getConfig}. */
  protected fields(): Record<string, unknown> {
    return describeOptions(this.settled);
  }

  /**
   * The layer that a configuration describes, with weights of its own. Layers inside of it are made by `make`, where a class has such.
   * Keras `from_config`.
   */
  static fromConfig<L>(
    // biome-ignore lint/suspicious/noExplicitAny: the constructors of subclasses take what they take
    this: { new (...args: any[]): L; readonly positional: readonly string[] },
    config: LayerConfig,
  ): L {
    expectConfig('fromConfig', config);
    const options: Record<string, unknown> = { ...config };
    // What Keras writes, and so `getConfig`, and nothing here depends on.
    delete options['quantizationConfig'];
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked makes the layer
    const args = this.positional.map((key) => {
      const value = options[key];
      delete options[key];
      return value;
    });
    return new this(...args, options);
  }

  /** `LSTM "lstm_1"`, for messages. */
  protected get label(): string {
    return `${this.className} "${this.name}"`;
  }

  protected expectRank(shape: PartialShape, rank: number, what: string, hint: string): void {
    if (shape.length !== rank)
      throw new ShapeError(
        `${this.label}: expected input of rank ${rank} ${what}, received ${formatPartial(shape)}. ${hint}`,
      );
  }
}

/** The batch size, that losses of activities are divided by. */
function batchOf(y: unknown): number {
  return Math.max(1, (y as Tensor).shape[0] ?? 1);
}

/** A symbolic tensor (or a plain object that says as much) as a spec; anything else as it is. */
function asSpec(leaf: unknown): unknown {
  if (leaf instanceof SymbolicTensor || leaf instanceof Tensor) return new SpecOf(leaf.shape, leaf.dtype);
  return leaf;
}

const MASKS: Rule = {
  expected: 'a tensor, a tree of tensors as the inputs are, or null',
  accepts: (v) => {
    const leaves = leavesOf(v);
    return leaves.length > 0 && leaves.every((m) => m === null || m instanceof Tensor || m instanceof SymbolicTensor);
  },
};

/** Is it a shape, or a tree of shapes? */
function isShapes(node: unknown): boolean {
  if (Array.isArray(node))
    return node.every((d) => d === null || (Number.isInteger(d) && d >= 0)) || node.every(isShapes);
  return isRecord(node) && Object.keys(node).length > 0 && Object.values(node).every(isShapes);
}

/** Is it a shape: a list of sizes and `null`? */
function isShape(node: unknown): node is PartialShape {
  return Array.isArray(node) && node.every((d) => d === null || typeof d === 'number');
}

/** A tree of shapes as a tree of specs. */
export function toSpecs(tree: unknown, dtype: DType): unknown {
  if (isShape(tree)) return new SpecOf(tree, dtype);
  if (Array.isArray(tree)) return tree.map((child) => toSpecs(child, dtype));
  if (isRecord(tree)) return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, toSpecs(v, dtype)]));
  return tree;
}
