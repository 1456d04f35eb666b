import { ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { SpecOf } from '../base/operation.js';
import { type LayerOptions, settle } from '../base/options.js';
import { formatPartial, type PartialShape, type Spec } from '../base/symbolic.js';

/**
 * The elements of each sample in another shape: [batch, ...] -> [batch, ...targetShape], row by row. One size may be -1: what is left for it.
 * A mask ends here. Throws `ShapeError` where the numbers of elements differ. Keras `Reshape`.
 */
export class Reshape extends Layer {
  static override readonly positional: readonly string[] = ['targetShape'];
  readonly targetShape: readonly number[];

  /** @param targetShape without the batch axis */
  constructor(targetShape: readonly number[], options: LayerOptions = {}) {
    super(options);
    settle('Reshape', options, {});
    if (!Array.isArray(targetShape) || targetShape.some((d) => !Number.isInteger(d) || d < -1))
      throw new ValueError(
        `Reshape: expected targetShape as a list of sizes (-1: what is left), received ${describeValue(targetShape)}`,
      );
    if (targetShape.filter((d) => d === -1).length > 1)
      throw new ValueError(`Reshape: expected -1 at most once in targetShape, received [${targetShape.join(', ')}]`);
    this.targetShape = [...targetShape];
  }

  override get className(): string {
    return 'Reshape';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  /** The sizes after the batch axis for those of inputs. */
  private sizesFor(shape: PartialShape): PartialShape {
    if (shape.length === 0)
      throw new ShapeError(`${this.label}: expected input with a batch axis, received ${formatPartial(shape)}`);
    const sizes = shape.slice(1);
    if (sizes.includes(null)) return this.targetShape.map((d) => (d === -1 ? null : d));
    const total = sizes.reduce<number>((a, d) => a * d!, 1);
    const known = this.targetShape.reduce((a, d) => (d === -1 ? a : a * d), 1);
    const open = this.targetShape.includes(-1);
    if (open ? known === 0 || total % known !== 0 : known !== total)
      throw new ShapeError(
        `${this.label}: expected inputs of ${open ? `a multiple of ${known}` : known} elements a sample for targetShape [${this.targetShape.join(', ')}], received ${formatPartial(shape)}, ${total} elements a sample`,
      );
    return this.targetShape.map((d) => (d === -1 ? total / known : d));
  }

  protected override checkInputs(shape: PartialShape): void {
    this.sizesFor(shape);
  }

  override spec({ shape, dtype }: Spec): Spec {
    return new SpecOf([shape[0]!, ...this.sizesFor(shape)], dtype);
  }

  call(x: Tensor): Tensor {
    return x.reshape([x.shape[0]!, ...(this.sizesFor(x.shape) as readonly number[])]);
  }

  protected override fields(): Record<string, unknown> {
    return { targetShape: this.targetShape };
  }
}
