import { scan } from '@recurra/compiler';
import { guard } from '@recurra/compiler/extend';
import {
  arange,
  logsumexp,
  oneHot,
  ShapeError,
  type Tensor,
  takeAlongAxis,
  ValueError,
  where,
  zeros,
} from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';

/** What a linear chain of tags scores beside the potentials of single steps. */
export interface Chain {
  /** [tags, tags]: from the row's tag to the column's. */
  readonly transitions: Tensor;
  /** [tags]: of the first tag, and of the last. */
  readonly start: Tensor;
  readonly end: Tensor;
}

/** Throws `ShapeError` unless potentials are [n, time, tags] and the mask [n, time]. */
export function expectPotentials(label: string, potentials: Tensor, mask: Tensor | null, tags: number): void {
  const { shape } = potentials;
  if (shape.length !== 3 || shape[2] !== tags || shape[1] === 0)
    throw new ShapeError(
      `${label}: expected potentials [n, time, ${tags}] of at least one step, received ${formatShape(shape)}`,
    );
  if (mask && (mask.rank !== 2 || mask.shape[0] !== shape[0] || mask.shape[1] !== shape[1]))
    throw new ShapeError(`${label}: expected a mask [${shape[0]}, ${shape[1]}], received ${formatShape(mask.shape)}`);
}

/**
 * Minus the log of the probability that a linear-chain conditional random field gives to the tags, one number a sample [n]:
 *
 *     score(y) = start[y_1] + sum_t x_t[y_t] + sum_t transitions[y_t-1, y_t] + end[y_T]
 *     loss = log sum_y' exp(score(y')) - score(y)
 *
 * by the forward algorithm in the log domain. Steps that the mask leaves out are not there: the one before is followed by the one after. A sample
 * without steps has the loss 0. Lafferty et al. 2001.
 *
 * @param potentials x [n, time, tags] @param tags class indices, int32 [n, time]; whatever at masked steps @param mask bool [n, time]
 *
 * Throws `ValueError` for a tag that is none.
 */
export function chainLoss(potentials: Tensor, tags: Tensor, chain: Chain, mask: Tensor | null): Tensor {
  const [n, , count] = potentials.shape as readonly [number, number, number];
  const { dtype } = potentials;
  const valid = mask?.cast('bool') ?? null;
  const counted = valid ? where(valid, tags, tags.zerosLike()) : tags;
  guard(counted, (data) => {
    for (const tag of data)
      if (tag < 0 || tag >= count)
        throw new ValueError(`CRF: expected tags in 0..${count - 1} at the steps that count, received ${tag}`);
  });
  const { transitions, start, end } = chain;
  const { carry } = scan(
    (
      { alpha, last, score, seen }: { alpha: Tensor; last: Tensor; score: Tensor; seen: Tensor },
      { x, y }: { x: Tensor; y: Tensor },
    ) => {
      const on = seen.greater(0);
      const through = logsumexp(alpha.expandDims(2).add(transitions), 1);
      const before = where(on, last.matmul(transitions), start.expandDims(0));
      return {
        carry: {
          alpha: where(on, through, start.expandDims(0)).add(x),
          last: y,
          score: score.add(before.add(x).mul(y).sum(1)),
          seen: seen.onesLike(),
        },
        y: {},
      };
    },
    {
      alpha: zeros([n, count], dtype),
      last: zeros([n, count], dtype),
      score: zeros([n], dtype),
      seen: zeros([n, 1], dtype),
    },
    { x: potentials.swapaxes(0, 1), y: oneHot(counted, count).cast(dtype).swapaxes(0, 1) },
    { mask: valid ? valid.transpose() : null },
  );
  const total = logsumexp(carry.alpha.add(end), 1);
  const loss = total.sub(carry.score.add(carry.last.mul(end).sum(1)));
  return where(carry.seen.squeeze(1).greater(0), loss, loss.zerosLike());
}

/**
 * The tags of the highest score, int32 [n, time], by the Viterbi algorithm; 0 at steps that the mask leaves out. Of equal scores, the one with the
 * smaller tags from the end.
 */
export function decodeChain(potentials: Tensor, chain: Chain, mask: Tensor | null): Tensor {
  const [n, time, count] = potentials.shape as readonly [number, number, number];
  const { dtype } = potentials;
  const valid = (mask?.cast('bool') ?? zeros([n, time], 'bool').logicalNot()).transpose().expandDims(2);
  const { transitions, start, end } = chain;
  const own = arange(count).cast('int32').expandDims(0).broadcastTo([n, count]);
  const forward = scan(
    ({ best, seen }: { best: Tensor; seen: Tensor }, { x, on }: { x: Tensor; on: Tensor }) => {
      const going = seen.greater(0);
      const ways = best.expandDims(2).add(transitions);
      const next = where(going, ways.max(1), start.expandDims(0)).add(x);
      // Where there is no step before, or none here, the way back leads to the same tag.
      const back = where(going.logicalAnd(on), ways.argmax(1).cast('int32'), own);
      return { carry: { best: where(on, next, best), seen: where(on, seen.onesLike(), seen) }, y: back };
    },
    { best: zeros([n, count], dtype), seen: zeros([n, 1], dtype) },
    { x: potentials.swapaxes(0, 1), on: valid },
  );
  const last = forward.carry.best.add(end).argmax(1, { keepDims: true }).cast('int32');
  const { ys } = scan(
    (tag: Tensor, { back }: { back: Tensor }) => ({ carry: takeAlongAxis(back, tag, 1), y: tag }),
    last,
    { back: forward.ys },
    { reverse: true },
  );
  const tags = ys.squeeze(2).transpose();
  return where(valid.squeeze(2).transpose(), tags, tags.zerosLike());
}
