import { promoteTypes } from '../dtype.js';
import { ShapeError, ValueError } from '../errors.js';
import { describeValue } from '../names.js';
import { checkIntegers, checkValue, countOrZero, text as textRule } from '../rules.js';
import { formatShape, normalizeAxis, sizeOf } from '../shape.js';
import { asTensor, promote, type Tensor, type TensorLike } from '../tensor.js';
import { diagonal } from './shape.js';

/** Matrix product with NumPy's rules for stacks and vectors; see `Tensor.matmul`. */
export function matmul(a: TensorLike, b: TensorLike): Tensor {
  return asTensor(a).matmul(b);
}

/** a[i] b[j] for all pairs of elements of two (flattened) tensors. */
export function outer(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  return x.flatten().expandDims(1).mul(y.flatten().expandDims(0));
}

/** Sum over the last axis of a and the second to last (or only) axis of b; multiplication where one is a scalar. */
export function dot(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  if (x.rank === 0 || y.rank === 0) return x.mul(y);
  return y.rank === 1 ? x.matmul(y) : tensordot(x, y, [[x.rank - 1], [y.rank - 2]]);
}

/** Sum over pairs of axes: the last n of a with the first n of b, or the given lists. */
export function tensordot(
  a: TensorLike,
  b: TensorLike,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  const [x, y] = promote(a, b);
  if (typeof axes === 'number') checkValue('tensordot', 'the number of axes', axes, countOrZero);
  else for (const list of pairOf(axes)) checkIntegers('tensordot', 'the axes', list);
  const n = typeof axes === 'number' ? axes : axes[0].length;
  if (n > Math.min(x.rank, y.rank))
    throw new ShapeError(
      `tensordot: expected at most ${Math.min(x.rank, y.rank)} axes for ${formatShape(x.shape)} and ${formatShape(y.shape)}, received ${n}`,
    );
  const inX =
    typeof axes === 'number'
      ? Array.from({ length: n }, (_, i) => x.rank - n + i)
      : axes[0].map((v) => normalizeAxis(v, x.rank, 'tensordot'));
  const inY =
    typeof axes === 'number'
      ? Array.from({ length: n }, (_, i) => i)
      : axes[1].map((v) => normalizeAxis(v, y.rank, 'tensordot'));
  if (inX.length !== inY.length || inX.some((axis, i) => x.shape[axis] !== y.shape[inY[i]!]))
    throw new ShapeError(
      `tensordot: expected summed axes of equal sizes, received ${formatShape(x.shape)} and ${formatShape(y.shape)} over ${JSON.stringify(axes)}`,
    );
  const freeX = x.shape.map((_, i) => i).filter((i) => !inX.includes(i));
  const freeY = y.shape.map((_, i) => i).filter((i) => !inY.includes(i));
  const k = sizeOf(inX.map((i) => x.shape[i]!));
  const left = x.transpose([...freeX, ...inX]).reshape([sizeOf(freeX.map((i) => x.shape[i]!)), k]);
  const right = y.transpose([...inY, ...freeY]).reshape([k, sizeOf(freeY.map((i) => y.shape[i]!))]);
  return left.matmul(right).reshape([...freeX.map((i) => x.shape[i]!), ...freeY.map((i) => y.shape[i]!)]);
}

function pairOf(axes: unknown): readonly [never, never] {
  if (!Array.isArray(axes) || axes.length !== 2)
    throw new ValueError(
      `tensordot: expected the axes to be their number or two lists, received ${describeValue(axes)}`,
    );
  return axes as unknown as readonly [never, never];
}

interface Term {
  readonly tensor: Tensor;
  readonly labels: string[];
}

/** Sums out the labels that neither `keep` nor another term has; takes diagonals of repeated labels. */
function tidy({ tensor, labels }: Term, keep: ReadonlySet<string>): Term {
  let t = tensor;
  let names = [...labels];
  for (const label of new Set(labels)) {
    while (names.filter((l) => l === label).length > 1) {
      const i = names.indexOf(label);
      const j = names.indexOf(label, i + 1);
      const rest = names.map((_, k) => k).filter((k) => k !== i && k !== j);
      t = diagonal(t.transpose([...rest, i, j]));
      names = [...rest.map((k) => names[k]!), label];
    }
  }
  const gone = names.flatMap((l, i) => (keep.has(l) ? [] : [i]));
  return gone.length === 0
    ? { tensor: t, labels: names }
    : { tensor: t.sum(gone), labels: names.filter((l) => keep.has(l)) };
}

/** One product of two terms as a stack of matrix products: shared labels that stay are the stack, the others are summed. */
function contract(a: Term, b: Term, keep: ReadonlySet<string>): Term {
  const sizes = new Map<string, number>();
  for (const term of [a, b])
    term.labels.forEach((l, i) => {
      const d = term.tensor.shape[i]!;
      const known = sizes.get(l);
      if (known !== undefined && known !== d && known !== 1 && d !== 1)
        throw new ShapeError(`einsum: expected one size for label "${l}", received ${known} and ${d}`);
      sizes.set(l, known === undefined || known === 1 ? d : known);
    });
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const batch = shared.filter((l) => keep.has(l));
  const summed = shared.filter((l) => !keep.has(l));
  const left = a.labels.filter((l) => !shared.includes(l));
  const right = b.labels.filter((l) => !shared.includes(l));
  const size = (labels: string[]): number => sizeOf(labels.map((l) => sizes.get(l)!));
  const arrange = (term: Term, order: string[], shape: number[]): Tensor =>
    term.tensor
      .transpose(order.map((l) => term.labels.indexOf(l)))
      .broadcastTo(order.map((l) => sizes.get(l)!))
      .reshape(shape);
  const x = arrange(a, [...batch, ...left, ...summed], [size(batch), size(left), size(summed)]);
  const y = arrange(b, [...batch, ...summed, ...right], [size(batch), size(summed), size(right)]);
  const labels = [...batch, ...left, ...right];
  return { tensor: x.matmul(y).reshape(labels.map((l) => sizes.get(l)!)), labels };
}

/**
 * Einstein summation, e.g. `einsum('bij,bjk->bik', a, b)`: one letter per axis; labels that the output lacks are summed.
 * `...` stands for leading axes that broadcast; without `->` the output has the labels that occur once, in order.
 * Throws `ValueError` for a malformed expression, `ShapeError` for sizes or ranks that do not fit.
 */
export function einsum(expression: string, ...operands: TensorLike[]): Tensor {
  checkValue('einsum', 'the expression', expression, textRule);
  const text = expression.replace(/\s+/g, '');
  const [left, explicit, more] = text.split('->');
  const subscripts = left!.split(',');
  if (more !== undefined || !/^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(text) || subscripts.length !== operands.length)
    throw new ValueError(
      `einsum: expected an expression with one term for each of ${operands.length} operands, received "${expression}"`,
    );
  const tensors = operands.map((o) => asTensor(o));
  const dtype = tensors.map((t) => t.dtype).reduce(promoteTypes);
  let extra = 0;
  const terms: Term[] = subscripts.map((subscript, i) => {
    const tensor = tensors[i]!.cast(dtype);
    const [before, after] = subscript.split('...') as [string, string | undefined];
    const wild = after === undefined ? 0 : tensor.rank - before.length - after.length;
    if (wild < 0 || (after === undefined && before.length !== tensor.rank))
      throw new ShapeError(
        `einsum: expected a tensor of rank ${before.length + (after?.length ?? 0)} for "${subscript}", received shape ${formatShape(tensor.shape)}`,
      );
    extra = Math.max(extra, wild);
    // Axes of the ellipsis are named 0, 1, ... counted from the right, so that they align as in broadcasting.
    const middle = Array.from({ length: wild }, (_, k) => String(wild - 1 - k));
    return { tensor, labels: [...before, ...middle, ...(after ?? '')] };
  });
  const wildcard = Array.from({ length: extra }, (_, k) => String(extra - 1 - k));
  const letters = terms.flatMap((t) => t.labels).filter((l) => /[A-Za-z]/.test(l));
  const output =
    explicit === undefined
      ? [...wildcard, ...[...new Set(letters)].filter((l) => letters.filter((m) => m === l).length === 1).sort()]
      : explicit.includes('...')
        ? [...explicit.split('...')[0]!, ...wildcard, ...explicit.split('...')[1]!]
        : [...explicit];
  for (const l of output)
    if (!terms.some((t) => t.labels.includes(l)))
      throw new ValueError(`einsum: expected output labels that occur in a term, received "${l}" in "${expression}"`);
  while (terms.length > 1) {
    const a = terms.shift()!;
    const b = terms.shift()!;
    const later = new Set([...output, ...terms.flatMap((t) => t.labels)]);
    const x = tidy(a, new Set([...later, ...b.labels]));
    const y = tidy(b, new Set([...later, ...a.labels]));
    terms.unshift(contract(x, y, later));
  }
  const last = tidy(terms[0]!, new Set(output));
  return last.tensor.transpose(output.map((l) => last.labels.indexOf(l)));
}
