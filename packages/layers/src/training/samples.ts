import { batchIndices } from '@recurra/preprocessing/extend';
import { ShapeError, Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, denseData, describeValue, formatShape, isFloating } from '@recurra/tensor/extend';
import { describeTree, isRecord, mapTree } from '../base/tree.js';

/** Samples with their targets and weights: trees of tensors that all have one length. */
export interface Samples {
  readonly x: unknown;
  readonly y: unknown;
  readonly weight: unknown;
  readonly count: number;
}

/** How a model takes its inputs: a tree of tensors of the structure that its `call` expects. Throws where the data has another. */
export type InputsOf = (x: unknown, what: string) => unknown;

/** Is it one tensor's worth of numbers: a tensor, a typed array, nested lists of numbers and booleans? */
function isTensorLike(value: unknown): boolean {
  if (value instanceof Tensor || ArrayBuffer.isView(value)) return true;
  if (typeof value === 'number' || typeof value === 'boolean') return true;
  if (!Array.isArray(value) || value.length === 0) return false;
  return isTensorLike(value[0]) && !(value[0] instanceof Tensor) && !ArrayBuffer.isView(value[0]);
}

/** Data as a tree of tensors; `what` and `name` say in messages whose. Throws `ValueError` for texts and other things that are no numbers. */
export function toTensors(data: unknown, name: string, what: string, path = ''): unknown {
  const text = (value: unknown): boolean =>
    typeof value === 'string' || (Array.isArray(value) && value.length > 0 && text(value[0]));
  if (text(data))
    throw new ValueError(
      `${what}: expected ${name} that are numbers, received texts. ${name === 'targets' ? 'LabelEncoder turns labels into class indices.' : 'Tokenizer or TextVectorization turn texts into ids.'}`,
    );
  if (isTensorLike(data)) return asTensor(data as TensorLike);
  if (Array.isArray(data) && data.length > 0)
    return data.map((child, i) => toTensors(child, name, what, path === '' ? `${i}` : `${path}.${i}`));
  if (isRecord(data) && Object.keys(data).length > 0)
    return Object.fromEntries(
      Object.entries(data).map(([k, child]) => [k, toTensors(child, `${name} "${k}"`, what, path)]),
    );
  const missing = data === null || data === undefined;
  throw new ValueError(
    `${what}: expected ${name}${path === '' ? '' : ` (part ${path})`} as tensors, typed arrays or nested lists of numbers, received ${Array.isArray(data) ? 'an empty list' : describeTree(data)}${missing && path !== '' ? '. Replace missing values, or leave their samples out.' : ''}`,
  );
}

/**
 * Inputs, targets and weights as {@link Samples}; `what` names the caller in messages. Throws `ShapeError` unless their numbers agree, and `ValueError`
 * where a number is NaN or infinite.
 */
export function toSamples(x: unknown, y: unknown, weight: unknown, what: string, inputsOf: InputsOf): Samples {
  if (x === undefined || x === null) throw new ValueError(`${what}: expected inputs, received ${describeValue(x)}`);
  const inputs = inputsOf(x, what);
  let count: number | undefined;
  const check = (tree: unknown, name: string): unknown =>
    mapTree(tree, (leaf, path) => {
      if (leaf === null || leaf === undefined) return null;
      const t = leaf as Tensor;
      const label = path === '' ? name : `${name} "${path}"`;
      count ??= t.shape[0];
      if (count === undefined || count === 0)
        throw new ShapeError(
          `${what}: expected at least one sample, received ${label} of shape ${formatShape(t.shape)}`,
        );
      if (t.shape[0] !== count)
        throw new ShapeError(`${what}: expected ${label} for ${count} samples, received shape ${formatShape(t.shape)}`);
      expectFinite(t, label, what);
      return t;
    });
  const own = check(inputs, 'inputs');
  const targets = y === null || y === undefined ? null : check(targetsOf(y, what), 'targets');
  const weights =
    weight === null || weight === undefined ? null : check(toTensors(weight, 'sample weights', what), 'sample weights');
  return {
    x: own,
    y: targets,
    weight: mapTree(weights, (w) => (w as Tensor | null)?.cast('float32') ?? null),
    count: count!,
  };
}

/** Targets: a tensor, or a tree that may have `null` for outputs without one. */
function targetsOf(y: unknown, what: string): unknown {
  if (isRecord(y))
    return Object.fromEntries(Object.entries(y).map(([k, v]) => [k, v === null ? null : targetsOf(v, what)]));
  if (Array.isArray(y) && y.length > 0 && !isTensorLike(y) && y.some((v) => v === null))
    return y.map((v) => (v === null ? null : targetsOf(v, what)));
  return toTensors(y, 'targets', what);
}

/** Throws `ValueError`, naming the sample, where a number is NaN or infinite: it would become the loss. */
function expectFinite(t: Tensor, name: string, what: string): void {
  if (!isFloating(t.dtype)) return;
  const data = denseData(t.concrete(what));
  let at = 0;
  // A loop, since this is done for every single `predictOnBatch`: as operations of tensors it would take as long as a small model.
  while (at < data.length && Number.isFinite(data[at])) at++;
  if (at === data.length) return;
  const sample = Math.floor(at / (t.size / t.shape[0]!));
  throw new ValueError(
    `${what}: expected finite ${name}, received ${data[at]} in sample ${sample}. Remove or replace such values first (nanToNum).`,
  );
}

/** Applies `f` to every tensor of samples. */
function mapSamples({ x, y, weight }: Samples, count: number, f: (t: Tensor) => Tensor): Samples {
  const each = (tree: unknown): unknown => mapTree(tree, (leaf) => (leaf instanceof Tensor ? f(leaf) : leaf));
  return { x: each(x), y: each(y), weight: each(weight), count };
}

/** The samples in batches, in the order that `key` shuffles them into, or as they are; the first `skip` batches are left out. */
export function* batchesOf(data: Samples, batchSize: number, key: Tensor | null, skip = 0): Generator<Samples> {
  let batch = 0;
  for (const index of batchIndices(data.count, { batchSize, shuffle: key })) {
    if (batch++ < skip) continue;
    const start = index[0]!;
    yield mapSamples(data, index.length, (t) => (key ? t.gather(index, 0) : t.narrow(0, start, index.length)));
  }
}

/** The first samples, and the last `share` of them. Throws `ValueError` if a side would be empty. */
export function holdOut(data: Samples, share: number): { rest: Samples; held: Samples } {
  const kept = Math.floor(data.count * (1 - share));
  if (!(kept > 0 && kept < data.count))
    throw new ValueError(
      `fit: expected validationSplit to leave samples on both sides, received ${share} of ${data.count}`,
    );
  const part = (from: number, size: number): Samples => mapSamples(data, size, (t) => t.narrow(0, from, size));
  return { rest: part(0, kept), held: part(kept, data.count - kept) };
}
