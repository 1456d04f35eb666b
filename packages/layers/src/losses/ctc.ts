import { scan } from '@recurra/compiler';
import { guard } from '@recurra/compiler/extend';
import {
  concat,
  full,
  logSoftmax,
  ShapeError,
  stack,
  stopGradient,
  type Tensor,
  type TensorLike,
  takeAlongAxis,
  ValueError,
  where,
} from '@recurra/tensor';
import { checkValue, formatShape } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';
import { asPredictions, asTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { WEIGHING } from './options.js';

/** The class that stands for "no label here" (Keras). */
const BLANK = 0;

/** Stands for the logarithm of 0: far below every path, and still a number where two of them are added. */
const NEVER = -1e30;

/** Throws `ValueError` for labels that are none, for padding between labels, and for more labels than `steps` can say. */
function checkSequences({ data, shape }: Tensor, steps: number, classes: number): void {
  const width = shape[1]!;
  for (let sample = 0; sample < shape[0]!; sample++) {
    let length = 0;
    let needed = 0;
    for (let i = 0; i < width; i++) {
      const label = data[sample * width + i]!;
      if (!(Number.isInteger(label) && label >= 0 && label < classes))
        throw new ValueError(
          `ctc: expected labels 1..${classes - 1} and ${BLANK} as padding, received ${label} in sample ${sample}. The last layer needs one unit a class and one for the blank.`,
        );
      if (label === BLANK) continue;
      if (length < i)
        throw new ValueError(
          `ctc: expected padding (${BLANK}) after the labels, received it before label ${label} of sample ${sample}. Class ${BLANK} is the blank: let labels begin at 1.`,
        );
      length++;
      needed += i > 0 && data[sample * width + i - 1] === label ? 2 : 1;
    }
    if (needed > steps)
      throw new ValueError(
        `ctc: expected at least ${needed} steps for the ${length} labels of sample ${sample} (equal neighbours need a blank between them), received ${steps}`,
      );
  }
}

/**
 * Connectionist temporal classification: minus the log of the probability that the scores of all steps spell the labels, over all ways of
 * placing them in time. Graves et al. 2006, by the forward algorithm in the log domain.
 *
 * @param yTrue class indices [n, labels] from 1; 0 is the blank, and padding after the labels
 * @param yPred scores before softmax, [n, time, classes]
 * @param mask steps that count [n, time]; the others are left out
 * @returns one loss a sample, [n]; Infinity where masked steps leave too little room for the labels
 *
 * Throws `ShapeError` for other ranks, `ValueError` for labels that are none and for fewer steps than labels.
 */
export function ctc(yTrue: TensorLike, yPred: TensorLike, mask: Tensor | null = null): Tensor {
  checkValue('ctc', 'mask', mask, WEIGHING.mask);
  const scores = floating(asPredictions(yPred, 'ctc'));
  const labels = asTargets(yTrue, 'ctc');
  if (scores.rank !== 3 || labels.rank !== 2 || labels.shape[0] !== scores.shape[0])
    throw new ShapeError(
      `ctc: expected labels [n, labels] and scores [n, time, classes], received ${formatShape(labels.shape)} and ${formatShape(scores.shape)}`,
    );
  const [samples, steps, classes] = scores.shape as [number, number, number];
  const width = labels.shape[1]!;
  guard(labels, (_, given) => checkSequences(given, steps, classes));
  const { dtype } = scores;
  const index = labels.cast('int32');
  const lengths = index.notEqual(BLANK).cast('int32').sum(-1).expandDims(-1);

  // The labels with blanks around each: blank, l1, blank, l2, ..., blank.
  const blanks = index.zerosLike();
  const blank = lengths.zerosLike();
  const path = concat([stack([blanks, index], -1).reshape([samples, 2 * width]), blank], 1);
  const places = 2 * width + 1;
  // A label may follow another one without a blank between them, unless they are equal.
  const before = concat([blank, blank, path], 1).narrow(1, 0, places);
  const skips = path.notEqual(BLANK).logicalAnd(path.notEqual(before));

  // log p of the label at each place, [time, n, places]
  const logs = logSoftmax(scores, -1);
  const at = path.expandDims(1).broadcastTo([samples, steps, places]);
  const emitted = takeAlongAxis(logs, at, -1).maximum(NEVER).moveaxis(1, 0);

  const never = full([samples, 1], NEVER, dtype);
  const start = concat([never.zerosLike(), full([samples, places - 1], NEVER, dtype)], 1);
  const { carry } = scan(
    (alpha: Tensor, { emit }: { emit: Tensor }) => {
      const behind = (by: number): Tensor =>
        concat([...new Array<Tensor>(by).fill(never), alpha], 1).narrow(1, 0, places);
      return { carry: logSum([alpha, behind(1), where(skips, behind(2), NEVER)]).add(emit), y: [] };
    },
    start,
    { emit: emitted },
    { mask: mask ? mask.cast('bool').transpose() : null },
  );

  // Done are the paths that stand on the last label, or on the blank after it.
  const onBlank = lengths.mul(2);
  const onLabel = onBlank.sub(1).maximum(0);
  const last = takeAlongAxis(carry, onBlank, -1);
  const label = where(lengths.greater(0), takeAlongAxis(carry, onLabel, -1), NEVER);
  const total = logSum([last, label]).squeeze(-1);
  return where(total.greater(NEVER / 10), total.neg(), Infinity);
}

/** log(sum(exp(terms))), element by element. */
function logSum(terms: readonly Tensor[]): Tensor {
  const largest = stopGradient(terms.reduce((a, b) => a.maximum(b)));
  return terms
    .map((term) => term.sub(largest).exp())
    .reduce((a, b) => a.add(b))
    .log()
    .add(largest);
}

/**
 * Keras `CTC`: {@link ctc}, reduced. A mask of the predictions [n, time] tells which steps count (Keras reads all of them).
 */
export class CTC extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('CTC', (t, p) => ctc(t, p), options);
  }

  protected override values(yTrue: Tensor, yPred: Tensor, mask: Tensor | null): Tensor {
    return ctc(yTrue, yPred, mask);
  }

  /** The steps are in the losses already. */
  protected override lossMask(): null {
    return null;
  }
}
