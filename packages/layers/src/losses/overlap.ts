import type { Tensor, TensorLike } from '@recurra/tensor';
import { checkRules, EPSILON } from '@recurra/tensor/extend';
import { alignTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { rulesOf, SUMMED } from './options.js';

/** Options of the overlap losses. */
export interface OverlapOptions {
  /** Axes that are summed over; `null`: all, so that the whole batch has one loss. */
  readonly axis?: number | readonly number[] | null;
}

/** Options of {@link tversky}. */
export interface TverskyOptions extends OverlapOptions {
  /** The weight of targets that are missed; 0.5. */
  readonly alpha?: number;
  /** The weight of what is predicted beside the targets; 0.5. */
  readonly beta?: number;
}

const TVERSKY = { ...rulesOf('alpha', 'beta'), axis: SUMMED };

/** 1 - 2 sum(y p) / (sum(y) + sum(p) + 1e-7) over `axis` (all): 0 where both overlap. Throws `ShapeError` where the shapes differ. */
export function dice(yTrue: TensorLike, yPred: TensorLike, options: OverlapOptions = {}): Tensor {
  checkRules('dice', options, { axis: SUMMED });
  const { axis = null } = options;
  const [t, p] = alignTargets(yTrue, yPred, 'dice');
  const both = t.mul(p).sum(axis);
  return both
    .mul(2)
    .div(t.sum(axis).add(p.sum(axis)).add(EPSILON))
    .neg()
    .add(1);
}

/**
 * 1 - sum(y p) / (sum(y p) + alpha sum(y (1 - p)) + beta sum((1 - y) p) + 1e-7) over `axis` (all); {@link dice} where both weights are 0.5.
 * Salehi et al. 2017. Throws `ShapeError` where the shapes differ.
 */
export function tversky(yTrue: TensorLike, yPred: TensorLike, options: TverskyOptions = {}): Tensor {
  checkRules('tversky', options, TVERSKY);
  const { axis = null, alpha = 0.5, beta = 0.5 } = options;
  const [t, p] = alignTargets(yTrue, yPred, 'tversky');
  const both = t.mul(p).sum(axis);
  const missed = t.mul(p.neg().add(1)).sum(axis);
  const beside = t.neg().add(1).mul(p).sum(axis);
  return both
    .div(both.add(missed.mul(alpha)).add(beside.mul(beta)).add(EPSILON))
    .neg()
    .add(1);
}

/** Keras `Dice`: {@link dice}, reduced. */
export class Dice extends FunctionLoss {
  protected override readonly folded: number | readonly number[] | null;

  constructor(options: LossOptions & OverlapOptions = {}) {
    super('Dice', dice, options, { axis: null }, 'dice', { axis: SUMMED });
    this.folded = options.axis ?? null;
  }
}

/** Keras `Tversky`: {@link tversky}, reduced. */
export class Tversky extends FunctionLoss {
  protected override readonly folded: number | readonly number[] | null;

  constructor(options: LossOptions & TverskyOptions = {}) {
    super('Tversky', tversky, options, { alpha: 0.5, beta: 0.5, axis: null }, 'tversky', { axis: SUMMED });
    this.folded = options.axis ?? null;
  }
}
