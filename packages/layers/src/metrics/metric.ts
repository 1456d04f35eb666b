import { asTensor, scalar, type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { alignRanks, floatingOrNull, maskedWeights } from '../losses.js';
import { Variable } from '../variable.js';

/** What goes with an update: weights of the samples (or of their steps), and which steps count. */
export interface UpdateOptions {
  readonly sampleWeight?: TensorLike | null;
  readonly mask?: Tensor | null;
}

/** A number (or several) kept over batches: `updateState` with each, `result` at any time, `resetState` to start again. */
export abstract class Metric {
  readonly name: string;
  private readonly own: Variable[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The accumulators. */
  get variables(): readonly Variable[] {
    return this.own;
  }

  /** Takes one batch in. */
  abstract updateState(yTrue: TensorLike, yPred: TensorLike, options?: UpdateOptions): void;

  /** The value over all batches since the last reset. */
  abstract result(): Tensor;

  /** Forgets all batches. */
  resetState(): void {
    for (const v of this.own) v.assign(v.value.zerosLike());
  }

  protected addVariable(name: string, value: Tensor): Variable {
    const variable = new Variable(value, `${this.name}/${name}`, { trainable: false });
    this.own.push(variable);
    return variable;
  }
}

/** Values brought down to one per sample, times their weights (Keras' rule for weights of lower rank). */
function samplewise(
  values: Tensor,
  weights: Tensor | null,
  fold: (x: Tensor, axes: number[]) => Tensor,
): { values: Tensor; weights: Tensor | null } {
  const axes = (from: number, to: number): number[] =>
    Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  let v = values;
  let w = weights;
  if (w) {
    [v, w] = alignRanks(v, w);
    if (v.rank > w.rank) v = fold(v, axes(w.rank, v.rank));
    w = w.broadcastTo(v.shape);
    v = v.mul(w);
    if (w.rank > 1) w = fold(w, axes(1, w.rank));
  }
  if (v.rank > 1) v = fold(v, axes(1, v.rank));
  return { values: v, weights: w };
}

/** The weighted mean of all values: sum(w v) / sum(w), 0 before the first. */
export class Mean extends Metric {
  protected readonly total: Variable;
  protected readonly count: Variable;

  constructor(options: { readonly name?: string } = {}) {
    super(options.name ?? 'mean');
    this.total = this.addVariable('total', scalar(0));
    this.count = this.addVariable('count', scalar(0));
  }

  /** Takes values in (a second argument is ignored, so that all metrics are updated alike). */
  updateState(values: TensorLike, _unused?: TensorLike, options: UpdateOptions = {}): void {
    this.add(asTensor(values).cast('float32'), floatingOrNull(options.sampleWeight));
  }

  protected add(values: Tensor, weights: Tensor | null): void {
    const s = samplewise(values, weights, (x, axes) => x.mean(axes));
    this.total.assign(this.total.value.add(s.values.sum()));
    this.count.assign(this.count.value.add(s.weights ? s.weights.sum() : (s.values.shape[0] ?? 1)));
  }

  result(): Tensor {
    return this.total.value.divideNoNan(this.count.value);
  }
}

/** The weighted sum of all values. */
export class Sum extends Metric {
  private readonly total: Variable;

  constructor(options: { readonly name?: string } = {}) {
    super(options.name ?? 'sum');
    this.total = this.addVariable('total', scalar(0));
  }

  updateState(values: TensorLike, _unused?: TensorLike, options: UpdateOptions = {}): void {
    const s = samplewise(asTensor(values).cast('float32'), floatingOrNull(options.sampleWeight), (x, axes) =>
      x.sum(axes),
    );
    this.total.assign(this.total.value.add(s.values.sum()));
  }

  result(): Tensor {
    return this.total.value;
  }
}

/** The mean of a function of targets and predictions. */
export class MeanMetricWrapper extends Mean {
  private readonly f: (yTrue: Tensor, yPred: Tensor) => Tensor;

  constructor(f: (yTrue: Tensor, yPred: Tensor) => Tensor, options: { readonly name?: string } = {}) {
    super({ name: options.name ?? f.name });
    this.f = f;
  }

  override updateState(yTrue: TensorLike, yPred?: TensorLike, options: UpdateOptions = {}): void {
    if (yPred === undefined)
      throw new ValueError(`${this.name}: expected targets and predictions, received one argument`);
    const values = this.f(asTensor(yTrue), asTensor(yPred));
    this.add(values.cast('float32'), maskedWeights(floatingOrNull(options.sampleWeight), options.mask ?? null, 'sum'));
  }
}
