import { treeLeaves, treePaths, treeUnflatten } from '@recurra/autograd';
import { type Cell, describeCell, describeRegularizer, runSequence } from '@recurra/cells';
import { untraced } from '@recurra/compiler';
import {
  checkOptions,
  formatShape,
  isFloating,
  nextKey,
  ShapeError,
  stopGradient,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { type Context, Layer } from '../base/layer.js';
import { distinct, scoped, snakeCase } from '../base/naming.js';
import { describeOptions, type LayerOptions, type Settled, settle } from '../base/options.js';
import { formatPartial, type PartialShape, type SymbolicTensor } from '../base/symbolic.js';
import { Variable } from '../base/variable.js';

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
export const RECURRENT_DEFAULTS: {
  readonly [K in Exclude<keyof RecurrentOptions, keyof LayerOptions>]-?: RecurrentOptions[K];
} = {
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
}

/** With `returnState` the output and the states, else the output. */
export type RecurrentOutput<O> = O extends { readonly returnState: infer R }
  ? R extends true
    ? OutputAndStates
    : R extends false | undefined
      ? Tensor
      : Tensor | OutputAndStates
  : 'returnState' extends keyof O
    ? Tensor | OutputAndStates
    : Tensor;
/** The output, and the states after the last step. */
export type OutputAndStates = readonly [Tensor, ...Tensor[]];

// biome-ignore lint/suspicious/noExplicitAny: a cell of any parameters and states
export type AnyCell = Cell<any, any>;
// biome-ignore lint/suspicious/noExplicitAny: recurrent layers of any options
export type AnyRecurrent = RNN<any>;

/**
 * A cell walked along [batch, time, features]: any cell of `@recurra/cells`, or one's own. Gives [batch, units], or [batch, time, units] with
 * `returnSequences`; with `returnState` a list of that and the final states. Keras `RNN`.
 */
export class RNN<const O extends RecurrentOptions = RecurrentOptions> extends Layer<
  Tensor,
  RecurrentOutput<O>,
  RecurrentArguments
> {
  static override readonly positional: readonly string[] = ['cell'];
  readonly cell: AnyCell;
  protected override settled: Settled<RecurrentOptions>;
  private params: unknown = null;
  private weightsInOrder: Variable[] = [];
  private states: Variable[] | null = null;

  constructor(cell: AnyCell, options: O = {} as O) {
    super(options);
    if (typeof cell?.step !== 'function' || typeof cell.init !== 'function')
      throw new ValueError(`${this.className}: expected a cell (init, initialState, step), received ${String(cell)}`);
    this.cell = cell;
    this.settled = settle<RecurrentOptions>(this.className, options, RECURRENT_DEFAULTS);
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

  protected override checkInputs(shape: PartialShape): void {
    const hint =
      shape.length === 2
        ? 'Token ids need an Embedding first; a series needs a last axis of features; a recurrent layer before this one needs returnSequences: true.'
        : 'A recurrent layer takes one axis of time and one of features: reshape, or use TimeDistributed.';
    this.expectRank(shape, 3, '[batch, time, features]', hint);
    const known = this.weightsInOrder[0]?.shape[0];
    if (shape[2] === null || (this.built && known !== undefined && known !== shape[2]))
      throw new ShapeError(
        `${this.label}: expected ${this.built ? known : 'a known number of'} features, received ${formatPartial(shape)}`,
      );
    if (shape[1] === 0)
      throw new ShapeError(`${this.label}: expected at least one step, received ${formatPartial(shape)}`);
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const tree = this.cell.init(inputShape[2]!, { key: nextKey(), dtype: this.dtype });
    const paths = treePaths(tree);
    const scope = this.cell.className ? snakeCase(this.cell.className) : 'cell';
    this.weightsInOrder = treeLeaves(tree).map((value, i) => {
      const path = paths[i]!.split('.');
      const names = this.cellNames(path);
      return this.keep(new Variable(value, scoped([scope, ...names].join('/')), this.cell.rules?.(paths[i]!) ?? {}));
    });
    this.params = tree;
  }

  /** Parts of a path in the tree of parameters as Keras spells them: cells of a stack by their names. */
  private cellNames(path: readonly string[]): string[] {
    const { cells } = this.cell as { cells?: readonly AnyCell[] };
    const names = distinct((cells ?? []).map((cell) => snakeCase(cell.className ?? 'cell')));
    return path.map((part, i) =>
      i === 0 && names[Number(part)] !== undefined ? names[Number(part)]! : snakeCase(part),
    );
  }

  /** Clears the states that a stateful layer keeps; the next batch may then be of another size. */
  override resetStates(): void {
    for (const state of this.states ?? []) this.drop(state);
    this.states = null;
  }

  /** The states that a stateful layer keeps, or none. */
  get currentStates(): Tensor[] {
    return (this.states ?? []).map((s) => s.value);
  }

  call(x: Tensor, context: Context & RecurrentArguments): RecurrentOutput<O> {
    const { training, mask, initialState = null } = context;
    const { returnSequences, returnState, goBackwards, stateful, zeroOutputForMask } = this.settled;
    const params = treeUnflatten(
      this.params,
      this.weightsInOrder.map((w) => w.value),
    );
    // As a product of integers with weights would: in the weights' dtype.
    const xs = isFloating(x.dtype) ? x : x.cast(this.dtype);
    const batch = xs.shape[0]!;
    const zero = this.cell.initialState(batch, xs.dtype) as unknown;
    const result = runSequence(this.cell, params, xs, {
      reverse: goBackwards,
      zeroOutputForMask,
      returnSequences,
      initialState: this.startState(batch, zero, (initialState ?? null) as Tensor | readonly Tensor[] | null),
      dropout: training ? this.cell.drawMasks(batch, xs.shape[2]!, { dtype: xs.dtype }) : null,
      ...(mask ? { mask } : {}),
    });
    const states = treeLeaves(result.state);
    if (stateful)
      states.forEach((value, i) => {
        this.states![i]!.assign(stopGradient(value));
      });
    const output = returnSequences ? (goBackwards ? result.outputs!.flip(1) : result.outputs!) : result.output;
    return (returnState ? [output, ...states] : output) as RecurrentOutput<O>;
  }

  private startState(batch: number, zero: unknown, given: Tensor | readonly Tensor[] | null): unknown {
    const leaves = treeLeaves(zero);
    if (this.settled.stateful) {
      this.states ??= untraced(() =>
        leaves.map((value, i) => this.keep(new Variable(value, `${this.name}/state_${i}`, { role: 'state' }))),
      );
      const kept = this.states[0]?.shape[0];
      if (kept !== undefined && kept !== batch)
        throw new ShapeError(
          `${this.label}: expected batches of ${kept}, as before, since the layer is stateful; received ${batch}. Call resetStates() first.`,
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

  override computeMask(_inputs: Tensor, mask: Tensor | null): never {
    const own = this.settled.returnSequences ? mask : null;
    if (!this.settled.returnState) return own as never;
    return [own, ...treeLeaves(this.cell.initialState(1)).map(() => null)] as never;
  }

  override computeOutputShape(inputShape: PartialShape): never {
    const [batch, time] = inputShape;
    const { units } = this;
    const own = this.settled.returnSequences ? [batch, time, units] : [batch, units];
    if (!this.settled.returnState) return own as never;
    return [own, ...treeLeaves(this.cell.initialState(1)).map((s) => [batch, ...s.shape.slice(1)])] as never;
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
  const names = { ...RECURRENT_DEFAULTS, name: true, trainable: true, dtype: true, activityRegularizer: true };
  checkOptions(label, options, { ...names, ...cellNames } as never);
  const pick = (own: boolean): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(options).filter(([key, value]) => Object.hasOwn(names, key) === own && value !== undefined),
    );
  return { cell: pick(false), own: pick(true) };
}

/** What SimpleRNN, LSTM and GRU have in common: a cell of a class of their own, whose options are among the layer's. */
export abstract class CellLayer<O extends RecurrentOptions> extends RNN<O> {
  static override readonly positional: readonly string[] = ['units'];
  readonly #options: O;

  /** @param Cell makes the cell @param cellNames names of its options */
  constructor(
    label: string,
    units: number,
    options: O,
    Cell: new (units: number, options: never) => AnyCell,
    cellNames: object,
  ) {
    const { cell, own } = parted(label, options, cellNames);
    super(new Cell(units, cell as never), own as O);
    this.#options = options;
  }

  protected override fields(): Record<string, unknown> {
    return {
      ...describeOptions(this.settled),
      ...this.cell.getConfig!(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }

  override mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    const Class = this.constructor as new (units: number, options: object) => AnyRecurrent;
    return new Class(this.units, { ...this.#options, trainable: this.trainable, ...options });
  }
}
