import { CellLayer, type Only, type RecurrentOptions, type Rest } from '../rnn.js';
import { CONV_LSTM_CELL_OPTIONS, ConvLSTM1DCell, type ConvLSTM1DCellOptions } from './conv-lstm1d-cell.js';
import type { OneInteger } from './time-axis.js';

/** Options of {@link ConvLSTM1D}. */
export type ConvLSTM1DOptions = RecurrentOptions & ConvLSTM1DCellOptions;

/**
 * An LSTM over sequences whose steps are rows of channels (a frame of sensors, a line of an image), with convolutions over the rows for products:
 *
 *     [i, f, g, o] = x_t * W + h_{t-1} * U + b,  c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g),  h_t = sigmoid(o) tanh(c_t)
 *
 * [batch, time, rows, channels] -> [batch, windows, filters], or [batch, time, windows, filters] with `returnSequences`; with `returnState` also h and c,
 * [batch, windows, filters]. `dataFormat: 'channelsFirst'` exchanges the last two axes of all of them. W (`kernel`) [kernelSize, channels, 4 filters],
 * U (`recurrentKernel`) [kernelSize, filters, 4 filters], b (`bias`) [4 filters], gates in the order of `LSTM`. Strides, padding and dilation are those of W;
 * U has stride 1 and zeros around. A mask is one of steps [batch, time].
 *
 * Throws `ShapeError` for inputs of another rank, for rows or channels that are not known or change, and for fewer rows than a window spans; `ValueError`
 * for options that cannot be. Shi et al. 2015, without peepholes. Keras `ConvLSTM1D`.
 */
export class ConvLSTM1D<const A extends Rest<ConvLSTM1DOptions> = Rest<ConvLSTM1DOptions>> extends CellLayer<A> {
  static override readonly positional: readonly string[] = ['filters', 'kernelSize'];

  /** @param filters width of the output and of the states @param kernelSize rows in a window @param rest see {@link ConvLSTM1DOptions} */
  constructor(filters: number, kernelSize: OneInteger, ...rest: A & Only<A, ConvLSTM1DOptions>) {
    super('ConvLSTM1D', [filters, kernelSize], rest[0], ConvLSTM1DCell, CONV_LSTM_CELL_OPTIONS);
  }

  override get className(): string {
    return 'ConvLSTM1D';
  }

  protected override get independentSamples(): boolean {
    return this.ownStepsApart;
  }
}
