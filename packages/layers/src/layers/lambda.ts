import { FormatError, Tensor, ValueError } from '@recurra/tensor';
import { describeValue, type Rule, rules } from '@recurra/tensor/extend';
import { type Context, Layer, type LayerConfig, toSpecs } from '../base/layer.js';
import { SpecOf } from '../base/operation.js';
import { type LayerOptions, SIZES, settle } from '../base/options.js';
import type { Masks, PartialShape, Shapes, Spec, Specs } from '../base/symbolic.js';
import { isRecord, leavesOf, mapTree } from '../base/tree.js';

const RECORD: Rule = { expected: 'an object of arguments', accepts: isRecord };

/** Options of {@link Lambda}. */
export interface LambdaOptions<In = Tensor, Out = Tensor> extends LayerOptions {
  /** The shape of the output without the batch axis, or a function of the inputs' shapes (batch first); by default what the function gives. */
  readonly outputShape?: PartialShape | ((inputShape: Shapes<In>) => Shapes<Out>) | null;
  /** The output's mask, or a function of the inputs and their masks; none. */
  readonly mask?: Tensor | ((inputs: In, masks: Masks<In>) => Masks<Out>) | null;
  /** Further arguments of the function, beside `training` and `mask`. */
  readonly arguments?: Readonly<Record<string, unknown>> | null;
}

/**
 * A function of tensors as a layer: `new Lambda((x) => x.square())`. The function takes the inputs, and `{ training, mask, ...arguments }`. Variables that it
 * uses are not the layer's: they are neither trained nor saved with it; for those, write a class that extends `Layer`.
 *
 * A function is not data: `getConfig` throws `ValueError`, `fromConfig` `FormatError`. Keras `Lambda`.
 */
export class Lambda<In = Tensor, Out = Tensor> extends Layer<In, Out> {
  private readonly f: (inputs: In, context: Context<In> & Readonly<Record<string, unknown>>) => Out;
  protected override readonly supportsMasking: boolean;
  protected override readonly callArguments: readonly string[] = [];
  private readonly given: LambdaOptions<In, Out>;

  constructor(
    f: (inputs: In, context: Context<In> & Readonly<Record<string, unknown>>) => Out,
    options: LambdaOptions<In, Out> = {},
  ) {
    super(options);
    settle<LambdaOptions<In, Out>>(
      'Lambda',
      options,
      { outputShape: null, mask: null, arguments: null },
      {
        outputShape: rules.orNull(rules.either(rules.callable, SIZES)),
        mask: rules.orNull(rules.either(rules.callable, rules.instanceOf(Tensor, 'a tensor'))),
        arguments: rules.orNull(RECORD),
      },
    );
    if (typeof f !== 'function')
      throw new ValueError(`Lambda: expected a function of tensors, received ${describeValue(f)}`);
    this.f = f;
    this.given = { ...options };
    this.supportsMasking = (options.mask ?? null) !== null;
  }

  override get className(): string {
    return 'Lambda';
  }

  call(inputs: In, context: Context<In>): Out {
    const outputs = this.f(inputs, { ...context, ...this.given.arguments });
    const leaves = leavesOf(outputs);
    if (leaves.length === 0 || !leaves.every((leaf) => leaf instanceof Tensor))
      throw new ValueError(
        `${this.label}: expected the function to give a tensor or a tree of tensors, received ${describeValue(outputs)}`,
      );
    return outputs;
  }

  override computeMask(inputs: In, masks: Masks<In>, outputs?: Out): Masks<Out> {
    const { mask } = this.given;
    if (typeof mask === 'function') return mask(inputs, masks);
    if (mask) return mask as unknown as Masks<Out>;
    return super.computeMask(inputs, masks, outputs);
  }

  override spec(inputs: Specs<In>, options: Readonly<Record<string, unknown>> = {}): Specs<Out> {
    const { outputShape } = this.given;
    if (!outputShape) return super.spec(inputs, options);
    const specs = leavesOf(inputs).filter((leaf) => leaf instanceof SpecOf);
    if (typeof outputShape !== 'function')
      return new SpecOf([specs[0]?.shape[0] ?? null, ...outputShape], this.dtype) as unknown as Specs<Out>;
    const shapes = mapTree(inputs, (leaf) => (leaf as Spec).shape) as Shapes<In>;
    return toSpecs(outputShape(shapes), this.dtype) as Specs<Out>;
  }

  override getConfig(): LayerConfig {
    throw new ValueError(
      `${this.label}: expected layers that are plain data, received one of a function, which cannot be saved. Write a class that extends Layer, and pass it as customObjects when loading.`,
    );
  }

  static override fromConfig(): never {
    throw new FormatError(
      'Lambda.fromConfig: expected a layer that is plain data, received one of a function, which is code. Pass what makes it: customObjects: { Lambda: { fromConfig: () => new Lambda(f) } }.',
    );
  }
}
