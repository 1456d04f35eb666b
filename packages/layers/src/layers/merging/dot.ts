import { ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { describeValue, sizeOf } from '@recurra/tensor/extend';
import type { LayerOptions, Settled } from '../../base/options.js';
import { differ, type PartialShape } from '../../base/symbolic.js';
import { unit } from '../../internal/unit.js';
import { listed, Merge } from './merge.js';

/** Options of {@link Dot}. */
export interface DotOptions extends LayerOptions {
  /** Scale the vectors along the axes to length 1 first: the output is their cosine; false. */
  readonly normalize?: boolean;
}

/** The least length that a vector is divided by. */
const LEAST = 1e-7;

/**
 * The sums of products of two tensors along one axis of each, sample by sample: [batch, a, n] and [batch, b, n] with `axes` 2 -> [batch, a, b];
 * [batch, n] and [batch, n] with `axes` 1 -> [batch, 1]. `axes` is one for both, or a pair; the batch axis is none of them.
 *
 * The output has no mask. Throws `ShapeError` where the axes differ in size. Keras `Dot`.
 */
export class Dot extends Merge {
  static override readonly positional: readonly string[] = ['axes'];
  readonly axes: number | readonly [number, number];
  declare protected readonly settled: Settled<DotOptions>;
  protected override readonly counts = [2, 2] as const;

  constructor(axes: number | readonly [number, number], options: DotOptions = {}) {
    super('Dot', options, { normalize: false } as never);
    const pair = Array.isArray(axes) ? axes : [axes, axes];
    if (pair.length !== 2 || !pair.every(Number.isInteger))
      throw new ValueError(`Dot: expected axes to be an integer or two, received ${describeValue(axes)}`);
    this.axes = axes;
  }

  override get className(): string {
    return 'Dot';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  /** The axes of both inputs, counted from the front. */
  private axesOf(shapes: readonly PartialShape[]): readonly [number, number] {
    const pair: readonly number[] = typeof this.axes === 'number' ? [this.axes, this.axes] : this.axes;
    const found = pair.map((axis, i) => (axis < 0 ? axis + shapes[i]!.length : axis));
    if (found.some((axis, i) => !(axis > 0 && axis < shapes[i]!.length)))
      throw new ShapeError(
        `${this.label}: expected axes after the batch axis that both inputs have, received axes ${JSON.stringify(this.axes)} for shapes ${listed(shapes)}`,
      );
    return found as [number, number];
  }

  protected override mergedShape(shapes: readonly PartialShape[]): PartialShape {
    const [a, b] = this.axesOf(shapes);
    const [x, y] = shapes as readonly [PartialShape, PartialShape];
    if (differ(x[a], y[b]))
      throw new ShapeError(
        `${this.label}: expected axes ${a} and ${b} of one size, received shapes ${listed(shapes)} with ${x[a]} and ${y[b]}`,
      );
    const rest = [...x.filter((_, i) => i !== a && i > 0), ...y.filter((_, i) => i !== b && i > 0)];
    return [x[0] ?? y[0] ?? null, ...(rest.length === 0 ? [1] : rest)];
  }

  // Ranks stay as they are: an axis of size 1 would be one to sum over.
  override call(inputs: readonly Tensor[]): Tensor {
    return this.merge(inputs);
  }

  protected override merge(inputs: readonly Tensor[]): Tensor {
    const shapes = inputs.map((x) => x.shape);
    const axes = this.axesOf(shapes);
    const [x, y] = inputs.map((t, i) => {
      const own = this.settled.normalize ? unit(t, axes[i]!, LEAST) : t;
      const moved = own.moveaxis(axes[i]!, -1);
      return moved.reshape([moved.shape[0]!, sizeOf(moved.shape.slice(1, -1)), moved.shape[moved.rank - 1]!]);
    }) as [Tensor, Tensor];
    return x.matmul(y.swapaxes(1, 2)).reshape(this.mergedShape(shapes) as readonly number[]);
  }

  override computeMask(): null {
    return null;
  }

  protected override fields(): Record<string, unknown> {
    return { axes: this.axes, ...super.fields() };
  }
}
