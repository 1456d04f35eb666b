import { concat, type Tensor, ValueError } from '@recurra/tensor';
import { describeValue, rules } from '@recurra/tensor/extend';
import { describeLayer } from '../base/describe.js';
import { type Context, Layer } from '../base/layer.js';
import { withMask } from '../base/masks.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';
import { type AnyRecurrent, type OutputAndStates, type RecurrentArguments, RNN } from './rnn.js';

/** How the outputs of both directions become one; `null` keeps both. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave' | null;

const MERGE = rules.oneOf('concat', 'sum', 'mul', 'ave', null);

/** Options of {@link Bidirectional}. */
export interface BidirectionalOptions extends LayerOptions {
  /** 'concat' */
  readonly mergeMode?: MergeMode;
  /** The layer that walks backwards (`goBackwards: true`); by default a copy of the given one. */
  readonly backwardLayer?: AnyRecurrent | null;
}

/** What a layer gives. */
type OutputOf<L> = L extends { call(...args: never): infer Out } ? Out : Tensor | OutputAndStates;

/**
 * The output(s) that the options ask for, and the states of both directions where the layer gives its own; a single output without states is no list.
 */
export type BidirectionalOutput<O, L = AnyRecurrent> = O extends { readonly mergeMode: infer M }
  ? M extends null
    ? readonly [Tensor, Tensor, ...Tensor[]]
    : OutputOf<L>
  : 'mergeMode' extends keyof O
    ? readonly [Tensor, Tensor, ...Tensor[]] | OutputOf<L>
    : OutputOf<L>;

/**
 * A recurrent layer walked forwards and a second one backwards, their outputs merged: [batch, time, features] -> [batch, 2
 * units] (concat) or [batch, units], with a time axis if the layer has `returnSequences`. Both give zeros for masked steps where they return sequences.
 * Keras `Bidirectional`.
 */
export class Bidirectional<
  const O extends BidirectionalOptions = Record<never, never>,
  L extends AnyRecurrent = AnyRecurrent,
> extends Layer<Tensor, BidirectionalOutput<O, L>, RecurrentArguments> {
  static override readonly positional: readonly string[] = ['layer'];
  protected override readonly callArguments: readonly string[] = ['initialState', 'constants'];
  readonly forwardLayer: AnyRecurrent;
  readonly backwardLayer: AnyRecurrent;
  protected override readonly settled: Settled<BidirectionalOptions>;

  constructor(layer: L, options: O = {} as O) {
    const trainable = options?.trainable;
    super({ ...options, trainable: trainable === undefined ? (layer?.trainable ?? true) : trainable } as LayerOptions);
    if (!(layer instanceof RNN))
      throw new ValueError(
        `Bidirectional: expected a recurrent layer (RNN, LSTM, GRU, SimpleRNN, ConvLSTM1D), received ${describeValue(layer)}`,
      );
    this.settled = settle<BidirectionalOptions>(
      'Bidirectional',
      options,
      { mergeMode: 'concat', backwardLayer: null },
      {
        mergeMode: MERGE,
        backwardLayer: rules.orNull(rules.instanceOf(RNN, 'a recurrent layer')),
      },
    );
    const { backwardLayer } = this.settled;
    const back = layer.options.goBackwards;
    const base = layer.name.replace(/^forward_/, '');
    this.forwardLayer = layer.mirrored({ name: `forward_${base}`, goBackwards: back });
    this.backwardLayer = backwardLayer ?? layer.mirrored({ name: `backward_${base}`, goBackwards: !back });
    // Keras: a sequence of outputs has zeros where steps are masked, since the other direction's outputs there are meant for other steps.
    this.forwardLayer.zeroSequences();
    this.backwardLayer.zeroSequences();
    const [a, b] = [this.forwardLayer.options, this.backwardLayer.options];
    if (
      a.goBackwards === b.goBackwards ||
      a.returnSequences !== b.returnSequences ||
      a.returnState !== b.returnState ||
      a.stateful !== b.stateful
    )
      throw new ValueError(
        'Bidirectional: expected layers that walk in opposite directions and agree in returnSequences, returnState and stateful',
      );
    if (options.trainable === false) this.trainable = false;
  }

  override get className(): string {
    return 'Bidirectional';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  /** How the outputs are merged. */
  get mergeMode(): MergeMode {
    return this.settled.mergeMode;
  }

  protected override checkInputs(shape: PartialShape): void {
    const { inputAxes } = this.forwardLayer;
    this.expectRank(
      shape,
      inputAxes.length,
      `[${inputAxes.join(', ')}]`,
      inputAxes.length > 3
        ? 'Each step has axes of its own: reshape.'
        : 'Token ids need an Embedding first; a recurrent layer before this one needs returnSequences: true.',
    );
  }

  override build(inputShape: PartialShape): void {
    this.forwardLayer.build(inputShape);
    this.backwardLayer.build(inputShape);
  }

  call(
    x: Tensor,
    { training, mask, initialState = null, constants = null }: Context & RecurrentArguments,
  ): BidirectionalOutput<O, L> {
    const states = (initialState ?? []) as readonly Tensor[];
    const half = states.length / 2;
    if (!Number.isInteger(half))
      throw new ValueError(`${this.label}: expected the initial states of both directions, received ${states.length}`);
    const walk = (layer: AnyRecurrent, start: readonly Tensor[]): readonly Tensor[] => {
      const given = { training, mask, initialState: start.length > 0 ? start : null, constants };
      const result = layer.apply(withMask(x, mask), given as never) as unknown as Tensor | readonly Tensor[];
      return Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
    };
    const [y, ...forward] = walk(this.forwardLayer, states.slice(0, half)) as [Tensor, ...Tensor[]];
    const [r, ...backward] = walk(this.backwardLayer, states.slice(half)) as [Tensor, ...Tensor[]];
    const z = this.forwardLayer.options.returnSequences ? r.flip(1) : r;
    const outputs = [...this.merge(y, z), ...forward, ...backward];
    return (outputs.length === 1 ? outputs[0] : outputs) as BidirectionalOutput<O, L>;
  }

  private merge(y: Tensor, z: Tensor): Tensor[] {
    switch (this.settled.mergeMode) {
      case 'concat':
        return [concat([y, z], -1)];
      case 'sum':
        return [y.add(z)];
      case 'ave':
        return [y.add(z).div(2)];
      case 'mul':
        return [y.mul(z)];
      default:
        return [y, z];
    }
  }

  override computeMask(_inputs: Tensor, mask: Tensor | null): never {
    const own = this.forwardLayer.options.returnSequences ? mask : null;
    const outputs = this.settled.mergeMode === null ? [own, own] : [own];
    const { returnState } = this.forwardLayer.options;
    const states = returnState ? 2 * (this.forwardLayer.computeMask(_inputs, null) as unknown[]).length - 2 : 0;
    const all = [...outputs, ...new Array<null>(states).fill(null)];
    return (all.length === 1 ? all[0] : all) as never;
  }

  override computeOutputShape(inputShape: PartialShape): never {
    const forward = this.forwardLayer.computeOutputShape(inputShape) as unknown;
    const backward = this.backwardLayer.computeOutputShape(inputShape) as unknown;
    const { returnState } = this.forwardLayer.options;
    const [shape, ...states] = (returnState ? forward : [forward]) as [PartialShape, ...PartialShape[]];
    const [other, ...more] = (returnState ? backward : [backward]) as [PartialShape, ...PartialShape[]];
    const width = shape[shape.length - 1]! + other[other.length - 1]!;
    const outputs =
      this.settled.mergeMode === null
        ? [shape, other]
        : [this.settled.mergeMode === 'concat' ? [...shape.slice(0, -1), width] : shape];
    const all = [...outputs, ...states, ...more];
    return (all.length === 1 ? all[0] : all) as never;
  }

  protected override fields(): Record<string, unknown> {
    return {
      mergeMode: this.settled.mergeMode,
      layer: describeLayer(this.forwardLayer),
      backwardLayer: describeLayer(this.backwardLayer),
    };
  }
}
