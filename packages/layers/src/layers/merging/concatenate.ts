import { concat, ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { normalizeAxis } from '@recurra/tensor/extend';
import type { LayerOptions, Settled } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import { listed, Merge, type MergeInputs, wide } from './merge.js';

/** Options of {@link Concatenate}. */
export interface ConcatenateOptions extends LayerOptions {
  /** Where they are put behind each other: not the batch axis; -1. */
  readonly axis?: number;
}

/**
 * A list of tensors behind each other along `axis` (-1): [batch, time, a] and [batch, time, b] -> [batch, time, a + b]. Their other sizes are equal.
 *
 * The output has a mask where one of the inputs has: elements of inputs without one count, and a step counts where any of its elements does.
 * Throws `ShapeError` where shapes do not fit. Keras `Concatenate`.
 */
export class Concatenate extends Merge {
  declare protected readonly settled: Settled<ConcatenateOptions>;

  constructor(options: ConcatenateOptions = {}) {
    super('Concatenate', options, { axis: -1 } as never);
    const { axis } = this.settled;
    if (!Number.isInteger(axis)) throw new ValueError(`Concatenate: expected axis to be an integer, received ${axis}`);
  }

  override get className(): string {
    return 'Concatenate';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  /** The axis, counted from the front. */
  private axisOf(rank: number): number {
    const axis = normalizeAxis(this.settled.axis, rank, this.label);
    if (axis === 0)
      throw new ValueError(`${this.label}: expected an axis after the batch axis, received ${this.settled.axis}`);
    return axis;
  }

  protected override mergedShape(shapes: readonly PartialShape[]): PartialShape {
    const rank = shapes[0]!.length;
    const misfit = (): never => {
      throw new ShapeError(
        `${this.label}: expected inputs of one rank that differ in the size of axis ${this.settled.axis} only, received shapes ${listed(shapes)}`,
      );
    };
    if (shapes.some((shape) => shape.length !== rank)) misfit();
    const axis = this.axisOf(rank);
    return Array.from({ length: rank }, (_, k) => {
      const sizes = shapes.map((shape) => shape[k] ?? null);
      if (k === axis) return sizes.reduce<number | null>((a, b) => (a === null || b === null ? null : a + b), 0);
      const known = new Set(sizes.filter((size) => size !== null));
      if (known.size > 1) misfit();
      return [...known][0] ?? null;
    });
  }

  protected override merge(inputs: readonly Tensor[]): Tensor {
    return concat(inputs, this.axisOf(inputs[0]!.rank));
  }

  override computeMask(inputs: MergeInputs, mask: unknown): Tensor | null {
    const masks = this.listed(mask, inputs);
    if (masks.every((m) => m === null)) return null;
    const full = masks.map((m, i) => {
      const x = inputs[i]!;
      return m ? wide(m, x.rank).broadcastTo(x.shape) : x.onesLike().cast('bool');
    });
    return concat(full, this.axisOf(inputs[0]!.rank)).any(-1);
  }
}
