import { treeLeaves, treeUnflatten } from '@recurra/autograd';
import { treePaths } from '@recurra/autograd/extend';
import { type AnyCell, type DropoutMasks, runSequence, StackedRNNCells } from '@recurra/cells';
import {
  computeDType,
  describeCell,
  describeRegularizer,
  expectCell,
  outputShapeOf,
  startsAtZero,
  stepAxesOf,
} from '@recurra/cells/extend';
import { untraced } from '@recurra/compiler/extend';
import {
  type ActivationIdentifier,
  type DType,
  type Shape,
  ShapeError,
  stopGradient,
  Tensor,
  ValueError,
} from '@recurra/tensor';
import { checkOptions, describeValue, formatShape, nextKey, snakeCase } from '@recurra/tensor/extend';
import { keepsSamplesApart } from '../base/independence.js';
import { type Context, Layer } from '../base/layer.js';
import { maskOf } from '../base/masks.js';
import { distinct, scoped } from '../base/naming.js';
import {
  type Defaults,
  describeOptions,
  LAYER_OPTIONS,
  type LayerOptions,
  type Settled,
  settle,
} from '../base/options.js';
import type { SavedGroup } from '../base/saved.js';
import { SeedGenerator } from '../base/seed.js';
import { formatPartial, type PartialShape, type SymbolicTensor } from '../base/symbolic.js';
import { Variable } from '../base/variable.js';
import { floating } from '../internal/floating.js';

/** Options of recurrent layers, beside those of their cells. */
export interface RecurrentOptions extends LayerOptions {
  /** Give the outputs of all steps [batch, time, units] rather than the last [batch, units]; false. */
  readonly returnSequences?: boolean;
  /** Give the final state(s) after the output; false. */
  readonly returnState?: boolean;
  /** Walk the sequence backwards, and give outputs in the order in which they came; false. */
  readonly goBackwards?: boolean;
  /** Start each batch with the final state of the batch before (equal sizes needed; `resetStates` clears); false. */
  readonly stateful?: boolean;
  /** Accepted for Keras' sake: compiled steps have kernels and loops for sequences, eager evaluation walks step by step. */
  readonly unroll?: boolean;
  /** Skipped steps give zeros instead of the output before; false. */
  readonly zeroOutputForMask?: boolean;
}

/** The defaults of {@link RecurrentOptions}. */
const RECURRENT_DEFAULTS: Defaults<RecurrentOptions> = {
  returnSequences: false,
  returnState: false,
  goBackwards: false,
  stateful: false,
  unroll: false,
  zeroOutputForMask: false,
};

/** What goes with a call of a recurrent layer. */
export interface RecurrentArguments {
  /** The states before the first step, as `returnState` gives them: h, or h and c; tensors, or symbolic ones in a graph. */
  readonly initialState?: Tensor | SymbolicTensor | readonly (Tensor | SymbolicTensor)[] | null;
  /**
   * What the cell sees at each step beside the sequence, if it `takesConstants`: an encoder's outputs that a decoder attends to. With constants, the
   * mask of the inputs counts as without.
   */
  readonly constants?: Tensor | SymbolicTensor | readonly (Tensor | SymbolicTensor)[] | null;
}

/**
 * The options of a call of a constructor, as the rest of its arguments: none, or one object. A layer is generic in this list, so that `new LSTM(3)`
 * is known to give a tensor, while the type `LSTM`, without arguments, takes an LSTM of any options.
 */
export type Rest<O> = readonly [options?: O];

/** Refuses options that are no key of `Known`: a type parameter alone would take what is misspelt. */
export type Only<A, Known> = A extends readonly [infer O]
  ? readonly [{ readonly [K in keyof O]: K extends keyof Known ? unknown : never }]
  : unknown;

/** With `returnState` the output and the states, else the output; either, where the options are not known. */
export type RecurrentOutput<A> = A extends readonly []
  ? Tensor
  : A extends readonly [infer O]
    ? O extends { readonly returnState: infer R }
      ? R extends true
        ? OutputAndStates
        : R extends false | undefined
          ? Tensor
          : Tensor | OutputAndStates
      : 'returnState' extends keyof O
        ? Tensor | OutputAndStates
        : Tensor
    : Tensor | OutputAndStates;
/** The output, and the states after the last step. */
export type OutputAndStates = readonly [Tensor, ...Tensor[]];

/** Any recurrent layer: an `RNN`, `SimpleRNN`, `LSTM`, `GRU` or `ConvLSTM1D` of whatever options. */
export type AnyRecurrent = RNN;

/**
 * A cell walked along [batch, time, features]: any cell of `@recurra/cells`, one's own (`RecurrentCell`), or a list of cells, one upon the other
 * (`StackedRNNCells`). Gives [batch, units], or [batch, time, units] with `returnSequences`; with `returnState` a list of that and the final states, those
 * of a stack in the order of its cells. For cells of more axes (`stepAxes`) these stand in the place of features, and what `outputShape` says in that of
 * units. Throws `ValueError` for what is no cell, and for constants that the cell does not read. Keras `RNN`; constants as
 * in Keras 2.
 */
export class RNN<const A extends Rest<RecurrentOptions> = Rest<RecurrentOptions>> extends Layer<
  Tensor,
  RecurrentOutput<A>,
  RecurrentArguments
> {
  static override readonly positional: readonly string[] = ['cell'];
  protected override readonly callArguments: readonly string[] = ['initialState', 'constants'];
  readonly cell: AnyCell;
  protected override settled: Settled<RecurrentOptions>;
  private readonly generator: SeedGenerator;
  private params: unknown = null;
  /** Shape of one step, the batch aside, that the weights were made for. */
  private step: Shape | null = null;
  private weightsInOrder: Variable[] = [];
  private states: Variable[] | null = null;
  /** What those states began with. */
  private cleared: readonly Tensor[] = [];

  /** @param cell a cell, or a list of cells @param rest see {@link RecurrentOptions} */
  constructor(cell: AnyCell | readonly AnyCell[], ...rest: A & Only<A, RecurrentOptions>) {
    const [given] = rest;
    const options: RecurrentOptions = given === undefined ? {} : given;
    super(options);
    const single: unknown = Array.isArray(cell) ? new StackedRNNCells(cell as readonly AnyCell[]) : cell;
    expectCell(this.className, single);
    this.cell = single;
    this.settled = settle<RecurrentOptions>(this.className, options, RECURRENT_DEFAULTS);
    this.generator = new SeedGenerator(this.cell.seed ?? null, this.name, (variable) => this.keep(variable));
  }

  override get className(): string {
    return 'RNN';
  }

  /** @internal As Keras' Bidirectional has it: sequences of outputs have zeros where steps are masked. */
  zeroSequences(): void {
    this.settled = { ...this.settled, zeroOutputForMask: this.settled.returnSequences };
  }

  /** Width of the output. */
  get units(): number {
    return this.cell.outputSize;
  }

  /** How the layer was set up. */
  get options(): Settled<RecurrentOptions> {
    return this.settled;
  }

  /** @internal Names of the axes of the inputs. */
  get inputAxes(): readonly string[] {
    return ['batch', 'time', ...stepAxesOf(this.cell)];
  }

  protected override checkInputs(shape: PartialShape): void {
    const { inputAxes } = this;
    const hint =
      inputAxes.length > 3
        ? 'Each step has axes of its own: reshape.'
        : shape.length === 2
          ? 'Token ids need an Embedding first; a series needs a last axis of features; a recurrent layer before this one needs returnSequences: true.'
          : 'A recurrent layer takes one axis of time and one of features: reshape, or use TimeDistributed.';
    this.expectRank(shape, inputAxes.length, `[${inputAxes.join(', ')}]`, hint);
    const known = this.weightsInOrder.length > 0 ? this.step : null;
    inputAxes.slice(2).forEach((axis, i) => {
      const size = shape[i + 2];
      if (size === null || (known && known[i] !== size))
        throw new ShapeError(
          `${this.label}: expected ${known ? known[i] : 'a known number of'} ${axis}, received ${formatPartial(shape)}`,
        );
    });
    if (shape[1] === 0)
      throw new ShapeError(`${this.label}: expected at least one step, received ${formatPartial(shape)}`);
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const step = inputShape.slice(2) as Shape;
    const tree = this.cell.init(step.at(-1)!, { key: nextKey(), dtype: this.dtype }, step);
    const paths = treePaths(tree);
    const scope = this.cell.className ? snakeCase(this.cell.className) : 'cell';
    this.weightsInOrder = treeLeaves(tree).map((value, i) => {
      const path = paths[i]!.split('.');
      const names = this.cellNames(path);
      return this.keep(new Variable(value, scoped([scope, ...names].join('/')), this.cell.rules?.(paths[i]!) ?? {}));
    });
    this.params = tree;
    this.step = step;
  }

  /** Parts of a path in the tree of parameters as Keras spells them: cells of a stack by their names. */
  private cellNames(path: readonly string[]): string[] {
    const { cells } = this.cell as { cells?: readonly AnyCell[] };
    const names = distinct((cells ?? []).map((cell) => snakeCase(cell.className ?? 'cell')));
    return path.map((part, i) =>
      i === 0 && names[Number(part)] !== undefined ? names[Number(part)]! : snakeCase(part),
    );
  }

  override savedVariables(): readonly Variable[] {
    const ofCell = new Set(this.weightsInOrder);
    return super.savedVariables().filter((variable) => !ofCell.has(variable));
  }

  override savedParts(): Readonly<Record<string, unknown>> {
    return { cell: this.savedCell(this.cell, this.params === null ? [] : this.weightsInOrder) };
  }

  /** A cell as files hold it: its parameters in their order, or the cells of a stack, one after the other. */
  private savedCell(cell: AnyCell, weights: readonly Variable[]): SavedGroup {
    const name = snakeCase(cell.className ?? 'cell');
    const { cells } = cell as { readonly cells?: readonly AnyCell[] };
    if (!cells)
      return { name, variables: weights.map((variable) => ({ name: variable.name, variable })), children: new Map() };
    const counts = ((this.params ?? cells.map(() => [])) as readonly unknown[]).map((own) => treeLeaves(own).length);
    const names = distinct(cells.map((own) => snakeCase(own.className ?? 'cell')));
    const ends = counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0));
    const children = new Map(
      cells.map((own, i) => [names[i]!, this.savedCell(own, weights.slice(ends[i]! - counts[i]!, ends[i]))]),
    );
    return { name, variables: [], children: new Map([['cells', { name: null, variables: [], children }]]) };
  }

  /** Puts the states that a stateful layer keeps back to those that its cell begins with; the next batch may then be of another size. */
  override resetStates(): void {
    // Compiled steps go on with the same variables: others would leave them with what these held.
    this.states?.forEach((state, i) => {
      state.assign(this.cleared[i]!);
    });
  }

  /** The states that a stateful layer keeps, or none. */
  get currentStates(): Tensor[] {
    return (this.states ?? []).map((s) => s.value);
  }

  call(x: Tensor, context: Context & RecurrentArguments): RecurrentOutput<A> {
    const { training, initialState = null } = context;
    const { returnSequences, returnState, goBackwards, stateful, zeroOutputForMask } = this.settled;
    const params = treeUnflatten(
      this.params,
      this.weightsInOrder.map((w) => w.value),
    );
    const constants = this.constantsOf(context.constants);
    // As in Keras 2: constants do not take the sequence's mask away.
    const mask = context.mask ?? (constants.length > 0 ? maskOf(x) : null);
    // As a product of integers with weights would: in the weights' dtype.
    const xs = floating(x, this.dtype);
    const batch = xs.shape[0]!;
    const dtype = computeDType(params, xs);
    const step = xs.shape.slice(2);
    const result = runSequence(this.cell, params, xs, {
      reverse: goBackwards,
      zeroOutputForMask,
      returnSequences,
      initialState: this.startState(batch, dtype, step, initialState as Tensor | readonly Tensor[] | null),
      dropout: training ? this.drawMasks(batch, step, dtype) : null,
      constants,
      ...(mask ? { mask } : {}),
    });
    const states = treeLeaves(result.state);
    if (stateful)
      states.forEach((value, i) => {
        this.states![i]!.assign(stopGradient(value));
      });
    const output = returnSequences ? (goBackwards ? result.outputs!.flip(1) : result.outputs!) : result.output;
    return (returnState ? [output, ...states] : output) as RecurrentOutput<A>;
  }

  private drawMasks(batch: number, step: Shape, dtype: DType): DropoutMasks | null {
    const { generator } = this;
    const options = {
      dtype,
      // A cell that draws nothing reads no key, and leaves the run's where it is.
      get key(): Tensor {
        return generator.next();
      },
    };
    return this.cell.drawMasks(batch, step.at(-1)!, options, step);
  }

  private constantsOf(given: RecurrentArguments['constants']): readonly Tensor[] {
    const constants = (
      given === null || given === undefined ? [] : Array.isArray(given) ? given : [given]
    ) as unknown[];
    for (const constant of constants)
      if (!(constant instanceof Tensor))
        throw new ValueError(`${this.label}: expected constants that are tensors, received ${describeValue(constant)}`);
    if (constants.length > 0 && !this.cell.takesConstants)
      throw new ValueError(
        `${this.label}: expected no constants, since its cell reads none, received ${constants.length}. A cell whose step reads them says takesConstants = true.`,
      );
    return constants as Tensor[];
  }

  /** The state before the first step; nothing for zeros, which kernels have by themselves. */
  private startState(batch: number, dtype: DType, step: Shape, given: Tensor | readonly Tensor[] | null): unknown {
    if (!given && !this.settled.stateful && startsAtZero(this.cell)) return undefined;
    const zero = this.cell.initialState(batch, dtype, step) as unknown;
    const leaves = treeLeaves(zero);
    if (this.settled.stateful) {
      const kept = this.states?.[0];
      const other = kept && (kept.shape[0] !== batch || kept.dtype !== leaves[0]!.dtype);
      if (other && this.states!.every((state, i) => state.concrete() === this.cleared[i])) {
        for (const state of this.states!) this.dropVariable(state);
        this.states = null;
      }
      if (!this.states) {
        this.cleared = leaves;
        this.states = untraced(() =>
          leaves.map((value, i) => this.keep(new Variable(value, `${this.name}/state_${i}`, { role: 'state' }))),
        );
      } else if (other && kept.shape[0] !== batch)
        throw new ShapeError(
          `${this.label}: expected batches of ${kept.shape[0]}, as before, since the layer is stateful; received ${batch}. Call resetStates() first.`,
        );
    }
    if (given) {
      const list = Array.isArray(given) ? (given as readonly Tensor[]) : [given as Tensor];
      if (list.length !== leaves.length)
        throw new ValueError(`${this.label}: expected ${leaves.length} initial state(s), received ${list.length}`);
      list.forEach((state, i) => {
        if (state.shape.join() !== leaves[i]!.shape.join())
          throw new ShapeError(
            `${this.label}: expected initial states of shape ${formatShape(leaves[i]!.shape)}, received ${formatShape(state.shape)}`,
          );
      });
      return treeUnflatten(zero, list);
    }
    return this.settled.stateful ? treeUnflatten(zero, this.currentStates) : zero;
  }

  override computeMask(inputs: Tensor, mask: Tensor | null): never {
    const own = this.settled.returnSequences ? mask : null;
    if (!this.settled.returnState) return own as never;
    const step = this.step ?? inputs.shape.slice(2);
    return [own, ...treeLeaves(this.cell.initialState(1, this.dtype, step)).map(() => null)] as never;
  }

  override computeOutputShape(inputShape: PartialShape): never {
    const [batch, time] = inputShape;
    // Nothing that comes out depends on the number of features alone, which may be open.
    if (this.inputAxes.length > 3) this.checkInputs(inputShape);
    const step = inputShape.slice(2) as Shape;
    const output = outputShapeOf(this.cell, step);
    const own = this.settled.returnSequences ? [batch, time, ...output] : [batch, ...output];
    if (!this.settled.returnState) return own as never;
    const states = treeLeaves(this.cell.initialState(1, this.dtype, step));
    return [own, ...states.map((s) => [batch, ...s.shape.slice(1)])] as never;
  }

  protected override fields(): Record<string, unknown> {
    return { ...super.fields(), cell: describeCell(this.cell) };
  }

  /** A layer of the same settings with weights of its own, of another name and direction: what Bidirectional runs. */
  mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    return new RNN(this.cell, { ...this.settled, trainable: this.trainable, ...options });
  }
}

/** What a recurrent layer of one class is made of: the options of its cell, and its own. */
interface Parts {
  readonly cell: Record<string, unknown>;
  readonly own: RecurrentOptions;
}

/** Options by whom they are for. Throws `ValueError` for names that neither the cell nor the layer has. */
function parted(label: string, options: object, cellNames: object): Parts {
  const names = { ...RECURRENT_DEFAULTS, ...LAYER_OPTIONS };
  checkOptions(label, options, { ...names, ...cellNames } as never);
  const pick = (own: boolean): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(options).filter(([key, value]) => Object.hasOwn(names, key) === own && value !== undefined),
    );
  return { cell: pick(false), own: pick(true) };
}

/** `RNN` for classes that have parted the options themselves. */
const RNNOf = RNN as unknown as Pick<typeof RNN, keyof typeof RNN> &
  (abstract new <A extends Rest<RecurrentOptions>>(
    cell: AnyCell,
    options: RecurrentOptions,
  ) => RNN<A>);

/** The options of cells that are functions. */
interface BaseActivations {
  readonly activation?: ActivationIdentifier;
  readonly recurrentActivation?: ActivationIdentifier;
}

/** What SimpleRNN, LSTM, GRU and ConvLSTM1D have in common: a cell of a class of their own, whose options are among the layer's. */
export abstract class CellLayer<A extends Rest<RecurrentOptions>> extends RNNOf<A> {
  static override readonly positional: readonly string[] = ['units'];
  readonly #args: readonly unknown[];
  readonly #options: RecurrentOptions;

  /** @param args what stands before the options @param Cell makes the cell of them @param cellNames names of its options */
  constructor(
    label: string,
    args: readonly unknown[],
    options: RecurrentOptions | undefined,
    Cell: new (...args: never[]) => AnyCell,
    cellNames: object,
  ) {
    const given: RecurrentOptions = options === undefined ? {} : options;
    const { cell, own } = parted(label, given, cellNames);
    super(new Cell(...(args as never[]), cell as never), own);
    this.#args = args;
    this.#options = given;
  }

  /** What the classes below say of {@link Layer.independentSamples}. */
  protected get ownStepsApart(): boolean {
    const { activation, recurrentActivation } = this.#options as BaseActivations;
    return !this.settled.stateful && keepsSamplesApart(activation) && keepsSamplesApart(recurrentActivation);
  }

  protected override fields(): Record<string, unknown> {
    return {
      ...describeOptions(this.settled),
      ...this.cell.getConfig!(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }

  override mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    const Class = this.constructor as new (...args: unknown[]) => AnyRecurrent;
    return new Class(...this.#args, { ...this.#options, trainable: this.trainable, ...options });
  }
}
