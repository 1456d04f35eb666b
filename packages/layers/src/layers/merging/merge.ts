import { ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { promoteTypes, toFloating } from '@recurra/tensor/extend';
import { type Context, Layer } from '../../base/layer.js';
import { SpecOf } from '../../base/operation.js';
import { type LayerOptions, settle } from '../../base/options.js';
import { formatPartial, type PartialShape, type Spec } from '../../base/symbolic.js';

/** Inputs of a layer that merges: a list. */
export type MergeInputs = readonly Tensor[];

/**
 * What layers share that make one tensor of a list of tensors, element by element. Shapes [batch, ...] broadcast after the batch axis; an input of
 * fewer axes gets axes of size 1 after its batch axis: [batch, features] beside [batch, time, features] counts for every step.
 * Keras `Merge`.
 *
 * The output has a mask where every input has one: their disjunction.
 */
export abstract class Merge extends Layer<MergeInputs, Tensor> {
  protected override readonly supportsMasking: boolean = true;
  protected override readonly callArguments: readonly string[] = [];

  constructor(label: string, options: LayerOptions, defaults: Parameters<typeof settle>[2] = {}) {
    super(options);
    this.settled = settle(label, options, defaults);
  }

  override build(inputShape: readonly PartialShape[]): void {
    this.checkInputs(inputShape);
  }

  /** The merged tensor of inputs of one rank, with their masks (the leading axes of theirs). */
  protected abstract merge(inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): Tensor;

  /** How many inputs there may be, at least and at most. */
  protected readonly counts: readonly [number, number] = [1, Number.POSITIVE_INFINITY];

  protected override checkInputs(shapes: readonly PartialShape[]): void {
    this.expectList(shapes);
    this.mergedShape(shapes);
  }

  /** Throws unless there is a list of as many inputs as the layer takes, of one batch size. */
  protected expectList(shapes: readonly PartialShape[]): void {
    const [least, most] = this.counts;
    const what = least === most ? `a list of ${least} inputs` : `a list of inputs`;
    if (!Array.isArray(shapes) || shapes.length === 0 || shapes.some((shape) => !Array.isArray(shape)))
      throw new ValueError(
        `${this.label}: expected ${what}, received ${Array.isArray(shapes) && shapes.length > 0 ? 'one tensor' : 'none'}. Write apply([a, b]).`,
      );
    if (shapes.length < least || shapes.length > most)
      throw new ValueError(`${this.label}: expected ${what}, received ${shapes.length}`);
    if (shapes.some((shape) => shape.length === 0))
      throw new ShapeError(`${this.label}: expected inputs with a batch axis, received shapes ${listed(shapes)}`);
    const sizes = new Set(shapes.map((shape) => shape[0]).filter((size) => size !== null));
    if (sizes.size > 1)
      throw new ShapeError(`${this.label}: expected inputs of one batch size, received shapes ${listed(shapes)}`);
  }

  /** The shape of the output. Throws `ShapeError` where inputs do not fit. */
  protected mergedShape(shapes: readonly PartialShape[]): PartialShape {
    const batch = shapes.map((shape) => shape[0]!).find((size) => size !== null) ?? null;
    const rank = Math.max(...shapes.map((shape) => shape.length));
    const rest = Array.from({ length: rank - 1 }, (_, k) => {
      // Counted from the right, as broadcasting does.
      const sizes = shapes.flatMap((shape) => (k < shape.length - 1 ? [shape[shape.length - 1 - k] ?? null] : []));
      const known = new Set(sizes.filter((size) => size !== null && size !== 1));
      if (known.size > 1)
        throw new ShapeError(
          `${this.label}: expected inputs whose sizes after the batch axis are equal or 1, received shapes ${listed(shapes)}`,
        );
      // A size that is open may turn out to be 1, but nothing that does not fit the known one.
      return sizes.includes(null) ? null : ([...known][0] ?? 1);
    });
    return [batch, ...rest.reverse()];
  }

  /** The dtype of the output for the inputs' common one. */
  protected mergedType(dtype: Spec['dtype']): Spec['dtype'] {
    return dtype;
  }

  override spec(inputs: readonly Spec[]): Spec {
    const shapes = inputs.map((spec) => spec.shape);
    this.checkInputs(shapes);
    const dtype = inputs.map((spec) => (isFloat(spec) ? this.dtype : spec.dtype)).reduce(promoteTypes);
    return new SpecOf(this.mergedShape(shapes), this.mergedType(dtype));
  }

  override call(inputs: MergeInputs, { mask }: Context<MergeInputs>): Tensor {
    const masks = this.listed(mask, inputs);
    const rank = Math.max(...inputs.map((x) => x.rank));
    return this.merge(
      inputs.map((x) => aligned(x, rank - x.rank)),
      masks.map((m, i) => m && aligned(m, rank - inputs[i]!.rank)),
    );
  }

  /** Masks as a list, one for each input. */
  protected listed(mask: unknown, inputs: MergeInputs): readonly (Tensor | null)[] {
    if (mask === null || mask === undefined) return inputs.map(() => null);
    if (!Array.isArray(mask) || mask.length !== inputs.length)
      throw new ValueError(
        `${this.label}: expected masks as a list of ${inputs.length}, one for each input or null, received ${Array.isArray(mask) ? `a list of ${mask.length}` : 'one mask'}`,
      );
    return mask as readonly (Tensor | null)[];
  }

  override computeMask(inputs: MergeInputs, mask: unknown): Tensor | null {
    const masks = this.listed(mask, inputs);
    if (masks.some((m) => m === null)) return null;
    const rank = Math.max(...inputs.map((x) => x.rank));
    return masks.map((m, i) => aligned(m!, rank - inputs[i]!.rank)).reduce((a, b) => a.logicalOr(b));
  }
}

/** Folds inputs where masked elements take the value of what they meet, as Keras' maximum and minimum do. */
export function foldUnmasked(
  inputs: readonly Tensor[],
  masks: readonly (Tensor | null)[],
  f: (a: Tensor, b: Tensor) => Tensor,
): Tensor {
  let output = inputs[0]!;
  let known = masks[0] ? wide(masks[0], output.rank) : null;
  inputs.slice(1).forEach((input, i) => {
    let x = input;
    const given = masks[i + 1];
    const mask = given ? wide(given, x.rank) : null;
    if (mask) x = mask.select(x, output);
    if (known) output = known.select(output, x);
    known = mask && known ? known.logicalOr(mask) : null;
    output = f(output, x);
  });
  return output;
}

/** A mask of leading axes with axes of size 1 for those that it lacks. */
export function wide(mask: Tensor, rank: number): Tensor {
  return mask.reshape([...mask.shape, ...Array<number>(Math.max(0, rank - mask.rank)).fill(1)]);
}

/** A tensor with so many axes of size 1 after the batch axis. */
function aligned(x: Tensor, count: number): Tensor {
  return count === 0 ? x : x.reshape([x.shape[0]!, ...Array<number>(count).fill(1), ...x.shape.slice(1)]);
}

function isFloat({ dtype }: Spec): boolean {
  return toFloating(dtype) === dtype;
}

/** `[null, 3] and [null, 4]` */
export function listed(shapes: readonly PartialShape[]): string {
  return shapes.map(formatPartial).join(' and ');
}
