import { concat, type Shape, type Tensor, ValueError } from '@recurra/tensor';
import { type CallOptions, Layer, type LayerConfig, type LayerOptions, type PartialShape } from '../layer.js';
import type { Variable } from '../variable.js';
import type { RecurrentLayer } from './recurrent.js';

/** How the outputs of both directions become one; `null` keeps both. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave' | null;

// biome-ignore lint/suspicious/noExplicitAny: recurrent layers of any state
type AnyRecurrent = RecurrentLayer<any>;

/** Options of {@link Bidirectional}. */
export interface BidirectionalOptions extends LayerOptions {
  /** 'concat' */
  readonly mergeMode?: MergeMode;
  /** The layer that walks backwards (`goBackwards: true`); by default a copy of the given one. */
  readonly backwardLayer?: AnyRecurrent;
}

/**
 * A recurrent layer walked forwards and a second one backwards, their outputs merged: [batch, time, features] -> [batch, 2
 * units] (concat) or [batch, units], with a time axis if the layer has `returnSequences`. Keras `Bidirectional`.
 */
export class Bidirectional extends Layer {
  readonly className = 'Bidirectional';
  readonly forwardLayer: AnyRecurrent;
  readonly backwardLayer: AnyRecurrent;
  readonly mergeMode: MergeMode;

  constructor(layer: AnyRecurrent, options: BidirectionalOptions = {}) {
    super(options);
    this.mergeMode = options.mergeMode === undefined ? 'concat' : options.mergeMode;
    if (this.mergeMode !== null && !['concat', 'sum', 'mul', 'ave'].includes(this.mergeMode))
      throw new ValueError(
        `Bidirectional: expected mergeMode 'concat', 'sum', 'mul', 'ave' or null, received ${String(this.mergeMode)}`,
      );
    const back = layer.options.goBackwards ?? false;
    const base = layer.options.name ?? layer.className.toLowerCase();
    this.forwardLayer = layer.mirrored(`forward_${base.replace(/^forward_/, '')}`, back);
    this.backwardLayer = options.backwardLayer ?? layer.mirrored(`backward_${base.replace(/^forward_/, '')}`, !back);
    const [a, b] = [this.forwardLayer.options, this.backwardLayer.options];
    if (
      (a.goBackwards ?? false) === (b.goBackwards ?? false) ||
      (a.returnSequences ?? false) !== (b.returnSequences ?? false) ||
      (a.returnState ?? false) !== (b.returnState ?? false)
    )
      throw new ValueError(
        'Bidirectional: expected layers that walk in opposite directions and agree in returnSequences and returnState',
      );
  }

  override get weights(): readonly Variable[] {
    return [...this.forwardLayer.weights, ...this.backwardLayer.weights];
  }

  override resetState(): void {
    this.forwardLayer.resetState();
    this.backwardLayer.resetState();
  }

  protected override checkInput(shape: Shape): void {
    this.expectRank(shape, 3, '[batch, time, features]', 'Token ids need an Embedding first.');
  }

  protected override createWeights(inputShape: PartialShape): void {
    for (const layer of [this.forwardLayer, this.backwardLayer]) {
      this.adopt(layer);
      layer.build(inputShape);
    }
  }

  protected call(x: Tensor, { initialState = null, ...options }: CallOptions): Tensor[] {
    const half = (initialState?.length ?? 0) / 2;
    if (initialState && !Number.isInteger(half))
      throw new ValueError(
        `${this.label}: expected the initial states of both directions, received ${initialState.length}`,
      );
    const [y, ...states] = this.forwardLayer.applyAll(x, {
      ...options,
      initialState: initialState?.slice(0, half) ?? null,
    }) as [Tensor, ...Tensor[]];
    const [r, ...backStates] = this.backwardLayer.applyAll(x, {
      ...options,
      initialState: initialState?.slice(half) ?? null,
    }) as [Tensor, ...Tensor[]];
    const z = this.forwardLayer.options.returnSequences ? r.flip(1) : r;
    return [...this.merge(y, z), ...states, ...backStates];
  }

  private merge(y: Tensor, z: Tensor): Tensor[] {
    switch (this.mergeMode) {
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

  override computeMask(_inputs: Tensor, mask: Tensor | null): Tensor | null {
    return this.forwardLayer.options.returnSequences ? mask : null;
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    const shape = this.forwardLayer.computeOutputShape(inputShape);
    const width = this.forwardLayer.units + (this.mergeMode === 'concat' ? this.backwardLayer.units : 0);
    return [...shape.slice(0, -1), width];
  }

  override getConfig(): LayerConfig {
    const nested = (layer: AnyRecurrent): LayerConfig => ({ className: layer.className, config: layer.getConfig() });
    return {
      ...super.getConfig(),
      mergeMode: this.mergeMode,
      layer: nested(this.forwardLayer),
      backwardLayer: nested(this.backwardLayer),
    };
  }
}
