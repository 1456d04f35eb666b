import {
  type CellParams,
  type DropoutMasks,
  type InitializeOptions,
  LSTMCell,
  type LSTMCellOptions,
  type LSTMState,
} from '@recurra/cells';
import { computeDType, dropoutMask, LSTM_CELL_OPTIONS } from '@recurra/cells/extend';
import {
  concat,
  conv1d,
  type DType,
  type Shape,
  split,
  splitKey,
  type Tensor,
  ValueError,
  zeros,
} from '@recurra/tensor';
import { nextKey, type OptionTable, sizeOf } from '@recurra/tensor/extend';
import { expectInteger } from '../../base/options.js';
import { settleWindows, type Windows } from './convolution.js';
import { type DataFormat, type OneInteger, oneInteger, TimeAxis, windowCount } from './time-axis.js';

/** Options of {@link ConvLSTM1DCell}. */
export interface ConvLSTM1DCellOptions extends LSTMCellOptions {
  /** Rows from one window over the inputs to the next; 1. */
  readonly strides?: OneInteger;
  /** Windows over the inputs. 'valid': those that lie inside of the rows; 'same': zeros around, for as many rows as there are strides. 'valid'. */
  readonly padding?: 'valid' | 'same';
  /** 'channelsLast': each step is [rows, channels]; 'channelsFirst': [channels, rows]. */
  readonly dataFormat?: DataFormat | null;
  /** Rows from one element of a window over the inputs to the next; 1. */
  readonly dilationRate?: OneInteger;
}

/** Names of {@link ConvLSTM1DCellOptions}. */
export const CONV_LSTM_CELL_OPTIONS: OptionTable<ConvLSTM1DCellOptions> = {
  ...LSTM_CELL_OPTIONS,
  ...{ strides: true, padding: true, dataFormat: true, dilationRate: true },
};

const LABEL = 'ConvLSTM1D';

/**
 * An LSTM whose states are rows of filters, and whose products are convolutions over the rows (Shi et al. 2015, without their peepholes):
 *
 *     [i, f, g, o] = x_t * W + h_{t-1} * U + b
 *     c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
 *     h_t = sigmoid(o) tanh(c_t)
 *
 * x_t [batch, rows, channels], h_t and c_t [batch, windows, filters]; W (`kernel`) [kernelSize, channels, 4 filters], U (`recurrentKernel`)
 * [kernelSize, filters, 4 filters], b (`bias`) [4 filters]. Strides, padding and dilation are those of W; U has stride 1 and zeros around. Dropout draws
 * masks for each gate. Keras `ConvLSTMCell` of rank 1.
 */
export class ConvLSTM1DCell extends LSTMCell {
  override readonly className = 'ConvLSTMCell';
  readonly stepAxes: readonly string[];
  protected override readonly gateAxis: number;
  protected override readonly window: Shape;
  private readonly axis: TimeAxis;
  private readonly windows: Windows<'valid' | 'same'>;

  constructor(filters: number, kernelSize: OneInteger, options: ConvLSTM1DCellOptions = {}) {
    const { strides = 1, padding = 'valid', dataFormat = null, dilationRate = 1, ...own } = options;
    super(expectInteger(LABEL, 'filters', filters), own);
    this.window = [oneInteger(LABEL, 'kernelSize', kernelSize)];
    this.windows = settleWindows(LABEL, { strides, padding, dataFormat, dilationRate }, ['valid', 'same']);
    this.axis = new TimeAxis(this.windows.dataFormat);
    const last = this.axis.channels === 2;
    this.stepAxes = last ? ['rows', 'channels'] : ['channels', 'rows'];
    this.gateAxis = last ? -1 : -2;
  }

  /** A loop walks it: the kernels for sequences multiply matrices. */
  override get sequenceKernel(): null {
    return null;
  }

  override getConfig(): Readonly<Record<string, unknown>> {
    const { units, ...rest } = super.getConfig();
    return { filters: units, kernelSize: this.window, ...this.windows, ...rest };
  }

  outputShape(step: Shape): Shape {
    const { strides, padding, dilationRate } = this.windows;
    const span = (this.window[0]! - 1) * dilationRate[0] + 1;
    const rows = windowCount(LABEL, step[this.axis.time - 1]!, span, strides[0], padding, 'rows')!;
    return this.axis.shape(null, rows, this.units).slice(1) as Shape;
  }

  override init(inputSize: number, options: InitializeOptions = {}, step?: Shape): CellParams {
    return super.init(step ? step[this.axis.channels - 1]! : inputSize, options);
  }

  override initialState(batch: number, dtype: DType = 'float32', step?: Shape): LSTMState {
    const zero = zeros([batch, ...this.outputShape(this.known(step))], dtype);
    return { h: zero, c: zero };
  }

  override drawMasks(
    batch: number,
    _inputSize: number,
    options: InitializeOptions = {},
    step?: Shape,
  ): DropoutMasks | null {
    if (this.dropout === 0 && this.recurrentDropout === 0) return null;
    const shape = this.known(step);
    const [a, b] = splitKey(options.key ?? nextKey());
    const draw = (rate: number, of: Shape, key: Tensor): Tensor =>
      dropoutMask(rate, [this.gates, batch, ...of], key, options.dtype ?? 'float32');
    return {
      ...(this.dropout > 0 ? { input: draw(this.dropout, shape, a!) } : {}),
      ...(this.recurrentDropout > 0 ? { recurrent: draw(this.recurrentDropout, this.outputShape(shape), b!) } : {}),
    };
  }

  private known(step: Shape | undefined): Shape {
    if (!step)
      throw new ValueError(`${LABEL}: expected the shape of a step [${this.stepAxes.join(', ')}], received none`);
    return step;
  }

  override project(params: CellParams, inputs: Tensor, masks?: DropoutMasks): Tensor {
    const { strides, padding, dilationRate } = this.windows;
    const cast = inputs.cast(computeDType(params, inputs));
    const product = this.convolve(cast, params.kernel, masks?.input, {
      ...{ strides: strides[0], padding, dilationRate: dilationRate[0] },
    });
    const { bias } = params;
    return bias ? product.add(this.axis.channels === 2 ? bias : bias.expandDims(-1)) : product;
  }

  protected override recurrentProduct(params: CellParams, state: Tensor, masks: DropoutMasks | undefined): Tensor {
    return this.convolve(state, params.recurrentKernel, masks?.recurrent, { padding: 'same' });
  }

  /** The convolution of the last two axes, the gates along that of the channels; each of inputs that its mask drops, where there are masks. */
  private convolve(
    x: Tensor,
    kernel: Tensor,
    masks: Tensor | undefined,
    options: Parameters<typeof conv1d>[2],
  ): Tensor {
    const one = (of: Tensor, by: Tensor): Tensor => {
      const leading = of.shape.slice(0, -2);
      const flat = of.reshape([sizeOf(leading), ...of.shape.slice(-2)]);
      const y = this.axis.swap(conv1d(this.axis.swap(flat), by, options));
      return y.reshape([...leading, ...y.shape.slice(1)]);
    };
    if (!masks) return one(x, kernel);
    const dropped = x.mul(masks);
    return concat(
      split(kernel, this.gates, -1).map((part, gate) => one(dropped.at(gate), part)),
      this.gateAxis,
    );
  }
}
