import type { InitializerIdentifier } from '@recurra/cells';
import { ShapeError, type Tensor } from '@recurra/tensor';
import { type Context, Layer } from '../../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../../base/options.js';
import { differ, formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { checkPositionArguments, type PositionArguments } from './positions.js';

/** Options of {@link PositionEmbedding}. */
export interface PositionEmbeddingOptions extends LayerOptions {
  /** 'glorotUniform' */
  readonly initializer?: InitializerIdentifier;
}

/**
 * Learned vectors of the places in a sequence: inputs [..., time, features] -> the vectors `embeddings[startIndex .. startIndex + time]`, the same for
 * all samples, in the shape of the inputs, to be added to them. `embeddings` [sequenceLength, features], glorotUniform; sequences may be
 * shorter. A mask passes through. Throws `ShapeError` for longer ones. Devlin et al. 2018. KerasHub `PositionEmbedding`.
 */
export class PositionEmbedding extends Layer<Tensor, Tensor, PositionArguments> {
  static override readonly positional: readonly string[] = ['sequenceLength'];
  readonly sequenceLength: number;
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<PositionEmbeddingOptions>;
  private embeddings!: Variable;

  constructor(sequenceLength: number, options: PositionEmbeddingOptions = {}) {
    super(options);
    this.sequenceLength = expectInteger('PositionEmbedding', 'sequenceLength', sequenceLength);
    this.settled = settle<PositionEmbeddingOptions>('PositionEmbedding', options, { initializer: 'glorotUniform' });
  }

  override get className(): string {
    return 'PositionEmbedding';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    const [time, features] = shape.slice(-2);
    const known = this.built ? this.embeddings.shape[1]! : null;
    if (shape.length < 3 || differ(known, features))
      throw new ShapeError(
        `${this.label}: expected inputs [batch, ..., time, ${known ?? 'features'}], received ${formatPartial(shape)}`,
      );
    if (time !== null && time! > this.sequenceLength)
      throw new ShapeError(
        `${this.label}: expected at most ${this.sequenceLength} steps, received ${formatPartial(shape)}. Make it with a longer sequenceLength.`,
      );
  }

  override build(inputShape: PartialShape): void {
    this.checkInputs(inputShape);
    const features = inputShape[inputShape.length - 1];
    if (features === null || features === undefined)
      throw new ShapeError(
        `${this.label}: expected a known number of features, received ${formatPartial(inputShape)}. Give the last size to Input.`,
      );
    this.embeddings = this.variable({
      name: 'embeddings',
      shape: [this.sequenceLength, features],
      initializer: this.settled.initializer,
    });
  }

  call(x: Tensor, context: Context & PositionArguments): Tensor {
    const start = checkPositionArguments(this.label, context);
    const time = x.shape[x.rank - 2]!;
    if (start + time > this.sequenceLength)
      throw new ShapeError(
        `${this.label}: expected at most ${this.sequenceLength} steps, received ${time} from startIndex ${start}`,
      );
    return this.embeddings.value.narrow(0, start, time).broadcastTo(x.shape);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    return { sequenceLength: this.sequenceLength, ...super.fields() };
  }
}
