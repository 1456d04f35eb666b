import type { Tensor, TensorLike } from '@recurra/tensor';
import { EPSILON } from '@recurra/tensor/extend';
import { alignTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';

/** sum(y log(y / p)) over the last axis; both clipped to [1e-7, 1]. Throws `ShapeError` where the shapes differ. */
export function klDivergence(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'klDivergence');
  const target = t.clip(EPSILON, 1);
  return target.mul(target.div(p.clip(EPSILON, 1)).log()).sum(-1);
}

/** mean(p - y log(p + 1e-7)) over the last axis. Throws `ShapeError` where the shapes differ. */
export function poisson(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'poisson');
  return p.sub(t.mul(p.add(EPSILON).log())).mean(-1);
}

/** Keras `KLDivergence`: {@link klDivergence}, reduced. */
export class KLDivergence extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('KLDivergence', klDivergence, options);
  }
}

/** Keras `Poisson`: {@link poisson}, reduced. */
export class Poisson extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('Poisson', poisson, options);
  }
}
