import { batchIndices } from '@recurra/preprocessing';
import {
  asTensor,
  formatShape,
  isFloating,
  isfinite,
  nextKey,
  ShapeError,
  type Tensor,
  type TensorLike,
  ValueError,
} from '@recurra/tensor';

/** Samples with their targets and weights, all of one length. */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor | null;
  readonly weight: Tensor | null;
  readonly count: number;
}

/** Inputs, targets and weights as {@link Samples}; `what` names the caller in messages. Throws `ShapeError` unless their numbers agree. */
export function toSamples(x: TensorLike, y: TensorLike | null, weight: TensorLike | null, what: string): Samples {
  const inputs = asTensor(x);
  const count = inputs.shape[0];
  if (count === undefined || count === 0)
    throw new ShapeError(
      `${what}: expected at least one sample, received inputs of shape ${formatShape(inputs.shape)}`,
    );
  expectFinite(inputs, 'inputs', what);
  const beside = (value: TensorLike | null, name: string): Tensor | null => {
    if (value === null) return null;
    const t = asTensor(value);
    if (t.shape[0] !== count)
      throw new ShapeError(`${what}: expected ${name} for ${count} samples, received shape ${formatShape(t.shape)}`);
    expectFinite(t, name, what);
    return t;
  };
  const own = beside(weight, 'sample weights');
  return { x: inputs, y: beside(y, 'targets'), weight: own?.cast('float32') ?? null, count };
}

/** Throws `ValueError`, naming the sample, where a number is NaN or infinite: it would become the loss. */
function expectFinite(t: Tensor, name: string, what: string): void {
  if (!isFloating(t.dtype) || isfinite(t).all().item() === 1) return;
  const perSample = t.size / t.shape[0]!;
  const at = t.data.findIndex((v: number) => !Number.isFinite(v));
  throw new ValueError(
    `${what}: expected finite ${name}, received ${t.data[at]} in sample ${Math.floor(at / perSample)}. Remove or replace such values first (nanToNum).`,
  );
}

/** The samples in batches, shuffled by the next key of the global generator or in order. */
export function* batchesOf(data: Samples, batchSize: number, shuffle: boolean): Generator<Samples> {
  for (const index of batchIndices(data.count, { batchSize, shuffle: shuffle ? nextKey() : null })) {
    const start = index[0]!;
    const pick = (t: Tensor): Tensor => (shuffle ? t.gather(index, 0) : t.narrow(0, start, index.length));
    yield {
      x: pick(data.x),
      y: data.y && pick(data.y),
      weight: data.weight && pick(data.weight),
      count: index.length,
    };
  }
}

/** The first samples, and the last `share` of them. Throws `ValueError` if a side would be empty. */
export function holdOut(data: Samples, share: number): { rest: Samples; held: Samples } {
  const kept = Math.floor(data.count * (1 - share));
  if (kept === 0 || kept === data.count)
    throw new ValueError(
      `fit: expected validationSplit to leave samples on both sides, received ${share} of ${data.count}`,
    );
  const part = (from: number, size: number): Samples => ({
    x: data.x.narrow(0, from, size),
    y: data.y?.narrow(0, from, size) ?? null,
    weight: data.weight?.narrow(0, from, size) ?? null,
    count: size,
  });
  return { rest: part(0, kept), held: part(kept, data.count - kept) };
}

/** The weight of every sample from its class: indices, or the largest element of a one-hot row. */
export function classWeights(y: Tensor, weights: Readonly<Record<number, number>>): Tensor {
  const last = y.shape[y.rank - 1]!;
  const classes = y.rank > 1 && last > 1 ? y.argmax(-1) : y.cast('int32').flatten();
  if (classes.rank !== 1)
    throw new ShapeError(
      `fit: expected targets [samples] or [samples, classes] with classWeight, received ${formatShape(y.shape)}`,
    );
  for (const [name, weight] of Object.entries(weights))
    if (!Number.isInteger(Number(name)) || !(weight >= 0))
      throw new ValueError(`fit: expected classWeight from class indices to weights >= 0, received ${name}: ${weight}`);
  return asTensor(Float32Array.from(classes.data as Int32Array, (c) => weights[c] ?? 1));
}
