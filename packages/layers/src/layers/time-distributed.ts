import { ShapeError, stack, Tensor, unstack, ValueError } from '@recurra/tensor';
import { describeValue, formatShape } from '@recurra/tensor/extend';
import { describeLayer } from '../base/describe.js';
import { type Context, Layer, toSpecs } from '../base/layer.js';
import { maskOf, withMask } from '../base/masks.js';
import { SpecOf } from '../base/operation.js';
import { type LayerOptions, settle } from '../base/options.js';
import { formatPartial, type Masks, type PartialShape, type Shapes, type Spec, type Specs } from '../base/symbolic.js';
import { leavesOf, mapTree } from '../base/tree.js';

/**
 * Applies a layer to every step: [batch, time, ...] -> [batch, time, ...], with the same weights at each. Inputs and outputs may be lists and records, all
 * of one batch and one time. A mask [batch, time] of steps stays with the output. A mask of more axes (words of sentences, [batch, sentences, words]) goes,
 * step by step, into the layer; where the layer's output has no mask then, a step counts in which anything did: [batch, sentences].
 *
 * A layer that computes each sample by itself ({@link Layer.independentSamples}) gets all steps at once. One that draws or learns from its batch (`Dropout`
 * with `noiseShape`, statistics), keeps a state, has an activation of one's own or does not say, sees step after step, as in Keras. Throws
 * `ShapeError` for inputs of less than three dimensions, or that differ in batch or time. Keras `TimeDistributed`.
 *
 * ```ts
 * new TimeDistributed(new Dense(5)).apply(x); // [batch, time, features] -> [batch, time, 5]
 * new TimeDistributed(new LSTM(8)).apply(documents); // [batch, sentences, words, features] -> [batch, sentences, 8]
 * ```
 */
export class TimeDistributed<In = Tensor, Out = Tensor> extends Layer<In, Out> {
  static override readonly positional: readonly string[] = ['layer'];
  readonly layer: Layer<In, Out>;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];

  /** @param layer what is applied to each step */
  constructor(layer: Layer<In, Out>, options: LayerOptions = {}) {
    if (!(layer instanceof Layer))
      throw new ValueError(
        `TimeDistributed: expected a layer, received ${describeValue(layer)}${typeof layer === 'function' ? '. Write new TimeDistributed(new Layer(...)).' : ''}`,
      );
    super({ ...options, dtype: options?.dtype === undefined ? (layer.dtype as 'float32') : options.dtype });
    settle<LayerOptions>('TimeDistributed', options, {});
    this.layer = layer;
    if (options.trainable === false) this.trainable = false;
  }

  override get className(): string {
    return 'TimeDistributed';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(given: Shapes<In>): void {
    const shapes = (leavesOf(toSpecs(given, this.dtype)) as Spec[]).map((spec) => spec.shape);
    for (const shape of shapes) {
      if (shape.length < 3)
        throw new ShapeError(
          `${this.label}: expected inputs of rank 3 or more [batch, time, ...], received ${formatPartial(shape)}. ids [batch, time] need no TimeDistributed: an Embedding takes them as they are.`,
        );
      if (shape[0] !== shapes[0]![0] || shape[1] !== shapes[0]![1])
        throw new ShapeError(
          `${this.label}: expected inputs of one batch and time, received ${shapes.map(formatPartial).join(', ')}`,
        );
      if (shape[1] === 0)
        throw new ShapeError(`${this.label}: expected at least one step, received ${formatPartial(shape)}`);
    }
  }

  override build(inputShape: Shapes<In>): void {
    this.checkInputs(inputShape);
    this.layer.build(
      mapTree(toSpecs(inputShape, this.dtype), (spec) => withoutTime((spec as Spec).shape)) as Shapes<In>,
    );
  }

  call(inputs: In, { training, mask }: Context<In>): Out {
    const xs = leavesOf(inputs) as Tensor[];
    const masks = leavesOf(mask) as (Tensor | null)[];
    xs.forEach((x, i) => {
      this.checkMask(x, masks[i] ?? null);
    });
    const [batch, time] = xs[0]!.shape as readonly [number, number];
    // Masks of what lies inside of the steps.
    const within = xs.map((_, i) => (masks[i] && masks[i].rank > 2 ? masks[i] : null));
    const given = (parts: readonly Tensor[], own: readonly (Tensor | null)[]): Out => {
      let [i, k] = [0, 0];
      return this.layer.apply(
        mapTree(inputs, () => withMask(parts[i++]!, null)) as never,
        { training, mask: mapTree(inputs, () => own[k++]!) } as never,
      ) as Out;
    };
    let outputs: unknown;
    if (this.layer.keepsSamplesApart) {
      const flat = (x: Tensor): Tensor => x.reshape([batch * time, ...x.shape.slice(2)]);
      const result = given(
        xs.map(flat),
        within.map((m) => m && flat(m)),
      );
      const apart = (y: Tensor): Tensor => y.reshape([batch, time, ...y.shape.slice(1)]);
      outputs = mapTree(result, (y) => masked(apart(y as Tensor), maskOf(y as Tensor), apart));
    } else {
      const steps = xs.map((x) => unstack(x, 1));
      const parts = within.map((m) => (m ? unstack(m, 1) : null));
      const results = Array.from({ length: time }, (_, t) =>
        given(
          steps.map((x) => x[t]!),
          parts.map((m) => m?.[t] ?? null),
        ),
      );
      const leaves = results.map((result) => leavesOf(result) as Tensor[]);
      let i = 0;
      outputs = mapTree(results[0], () => {
        const ys = leaves.map((leaf) => leaf[i]!);
        i++;
        const own = ys.map(maskOf);
        return masked(stack(ys, 1), own[0] ?? null, () => stack(own as Tensor[], 1));
      });
    }
    const outer = masks.find((m) => m?.rank === 2) ?? null;
    const inner = masks.find((m) => m !== null && m !== undefined && m.rank > 2) ?? null;
    return mapTree(outputs, (leaf) => {
      const y = leaf as Tensor;
      return withMask(y, outer ?? maskOf(y) ?? (inner && anyWithin(inner)));
    }) as Out;
  }

  private checkMask(x: Tensor, mask: Tensor | null): void {
    if (!mask) return;
    if (mask.rank < 2 || mask.rank > x.rank || mask.shape.some((d, i) => d !== x.shape[i]))
      throw new ShapeError(
        `${this.label}: expected a mask of leading sizes of the input ${formatShape(x.shape)}, [batch, time] or more, received ${formatShape(mask.shape)}`,
      );
  }

  override computeMask(inputs: In, masks: Masks<In>, outputs?: Out): Masks<Out> {
    const found = outputs ?? this.call(inputs, { training: false, mask: masks });
    return mapTree(found, (y) => (y instanceof Tensor ? maskOf(y) : null)) as Masks<Out>;
  }

  override spec(inputs: Specs<In>): Specs<Out> {
    const specs = leavesOf(inputs) as Spec[];
    const time = specs[0]!.shape[1]!;
    const inner = this.layer.spec(
      mapTree(inputs, (s) => new SpecOf(withoutTime((s as Spec).shape), (s as Spec).dtype)) as Specs<In>,
    );
    return mapTree(inner, (s) => {
      const { shape, dtype } = s as Spec;
      return new SpecOf([shape[0]!, time, ...shape.slice(1)], dtype);
    }) as Specs<Out>;
  }

  protected override fields(): Record<string, unknown> {
    return { layer: describeLayer(this.layer) };
  }
}

/** The tensor with what `f` makes of its mask, if it has one. */
function masked(y: Tensor, mask: Tensor | null, f: (mask: Tensor) => Tensor): Tensor {
  return mask ? withMask(y, f(mask)) : y;
}

/** [batch, time]: does anything inside of a step count? */
function anyWithin(mask: Tensor): Tensor {
  return mask.any(Array.from({ length: mask.rank - 2 }, (_, i) => i + 2));
}

function withoutTime([batch, , ...rest]: PartialShape): PartialShape {
  return [batch!, ...rest];
}
