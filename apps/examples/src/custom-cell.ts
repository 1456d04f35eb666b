import {
  type CellStep,
  Dense,
  type InitializeOptions,
  Input,
  initializeParams,
  RecurrentCell,
  RNN,
  Sequential,
  type Tensor,
  tensor,
} from 'recurra';

/** A series of numbers. */
export interface SeriesData {
  readonly series: readonly number[];
}

/** Weights of one product with input and state. */
interface Affine {
  readonly kernel: Tensor;
  readonly recurrentKernel: Tensor;
  readonly bias: Tensor;
}

/** The weights of a {@link MinimalGatedCell}. */
export interface MinimalGatedParams {
  readonly gate: Affine;
  readonly candidate: Affine;
}

/** Zhou et al. 2016: one gate f = sigmoid(x W_f + h U_f + b_f), and h' = (1 - f) h + f tanh(x W + (f h) U + b). */
export class MinimalGatedCell extends RecurrentCell<MinimalGatedParams> {
  readonly units: number;
  readonly stateSize: number;

  constructor(units: number) {
    super();
    this.units = units;
    this.stateSize = units;
  }

  init(features: number, options: InitializeOptions): MinimalGatedParams {
    const { units } = this;
    const affine = () => ({
      kernel: { shape: [features, units] },
      recurrentKernel: { shape: [units, units], initializer: 'orthogonal' as const },
      bias: { shape: [units], initializer: 'zeros' as const },
    });
    return { gate: initializeParams(affine(), options), candidate: initializeParams(affine(), options) };
  }

  step({ gate, candidate }: MinimalGatedParams, x: Tensor, h: Tensor): CellStep<Tensor> {
    const affine = (w: Affine, state: Tensor): Tensor =>
      x.matmul(w.kernel).add(state.matmul(w.recurrentKernel)).add(w.bias);
    const f = affine(gate, h).sigmoid();
    const output = h.add(f.mul(affine(candidate, f.mul(h)).tanh().sub(h)));
    return { output, state: output };
  }

  override getConfig(): { readonly units: number } {
    return { units: this.units };
  }
}

const WINDOW = 8;

/** Foretells the next number of a series from the last eight. */
export function build({ series }: SeriesData) {
  const starts = Array.from({ length: series.length - WINDOW }, (_, i) => i);
  const x = tensor(starts.map((i) => series.slice(i, i + WINDOW).map((value) => [value])));
  const y = tensor(starts.map((i) => [series[i + WINDOW]!]));
  const model = new Sequential([Input({ shape: [WINDOW, 1] }), new RNN(new MinimalGatedCell(6)), new Dense(1)]);
  return { model, x, y, loss: 'mse' as const };
}

/** Trains it, and foretells the first values. Resolves to the error (mean of squares). */
export async function run(data: SeriesData, print: (line: string) => void): Promise<number> {
  const { model, x, y, loss } = build(data);
  model.compile({ optimizer: 'adam', loss });
  model.optimizer!.learningRate = 0.02;
  const history = await model.fit(x, y, { epochs: 60, batchSize: 8, verbose: 0 });
  const found = await model.predict(x);
  for (let i = 0; i < 3; i++) print(`${found.at(i).item().toFixed(3)}, was ${y.at(i).item().toFixed(3)}`);
  return history.last('loss');
}
