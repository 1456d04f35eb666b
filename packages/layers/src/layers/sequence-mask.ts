import { arange, ShapeError, type Tensor } from '@recurra/tensor';
import { Layer } from '../base/layer.js';
import { type LayerOptions, settle } from '../base/options.js';
import { formatPartial, type PartialShape } from '../base/symbolic.js';

/**
 * Which steps of sequences count, by their lengths: inputs [sequences [batch, time, ...], lengths [batch] or [batch, 1]] -> bool [batch, time], true at
 * the first `lengths` steps. A layer takes it as `mask`: `new LSTM(8).apply(x, { mask })`, and its output carries no mask of it.
 *
 * It has no weights. Lengths beyond the last step count all steps. TensorFlow's `tf.sequence_mask`; `sequence_lens` of ONNX. Keras has none.
 */
export class SequenceMask extends Layer<readonly [Tensor, Tensor], Tensor> {
  protected override readonly settled = {};

  constructor(options: LayerOptions = {}) {
    super(options);
    this.settled = settle<LayerOptions>('SequenceMask', options, {});
  }

  override get className(): string {
    return 'SequenceMask';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shapes: readonly [PartialShape, PartialShape]): void {
    const [x, lengths] = shapes;
    if (!Array.isArray(shapes) || shapes.length !== 2 || !Array.isArray(x) || !Array.isArray(lengths))
      throw new ShapeError(`${this.label}: expected sequences and their lengths, as a list of two`);
    if (x.length < 2)
      throw new ShapeError(`${this.label}: expected sequences [batch, time, ...], received ${formatPartial(x)}`);
    const isFlat = lengths.length === 1 || (lengths.length === 2 && lengths[1] === 1);
    if (!isFlat || (x[0] !== null && lengths[0] !== null && x[0] !== lengths[0]))
      throw new ShapeError(
        `${this.label}: expected a length for each of ${x[0] ?? 'the'} sequences [batch], received ${formatPartial(lengths)}`,
      );
  }

  override build(shapes: readonly [PartialShape, PartialShape]): void {
    this.checkInputs(shapes);
  }

  call([x, lengths]: readonly [Tensor, Tensor]): Tensor {
    const [batch, time] = x.shape as readonly [number, number];
    return arange(time)
      .cast(lengths.dtype)
      .expandDims(0)
      .less(lengths.reshape([batch, 1]));
  }
}
