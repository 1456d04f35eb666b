import type { Tensor } from '@recurra/tensor';
import { type Rules, rules, withDefaults } from '@recurra/tensor/extend';
import { correction, moments } from './adam.js';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Muon}; `learningRate` 0.001, `weightDecay` 0.004. */
export interface MuonOptions extends OptimizerOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Newton-Schulz steps; 5. */
  readonly nsSteps?: number;
  /** Root mean square that steps are scaled to, per sqrt of the larger side; 0.2, `null` for none. */
  readonly rmsRate?: number | null;
  readonly adamBeta1?: number;
  readonly adamBeta2?: number;
  readonly adamLrRatio?: number;
  readonly adamWeightDecay?: number | null;
  readonly epsilon?: number;
}

const RULES = {
  ...OPTIMIZER_RULES,
  momentum: rules.share,
  nesterov: rules.flag,
  nsSteps: rules.count,
  rmsRate: rules.orNull(rules.positive),
  adamBeta1: rules.decay,
  adamBeta2: rules.decay,
  adamLrRatio: rules.notNegative,
  adamWeightDecay: rules.orNull(rules.notNegative),
  epsilon: rules.notNegative,
} satisfies Rules<MuonOptions>;

/**
 * Momentum orthogonalised by Newton-Schulz iterations, for matrices (Jordan et al. 2024); other parameters take AdamW's
 * step.
 */
export class Muon extends Optimizer {
  readonly name = 'Muon';
  private readonly muon: Required<Omit<MuonOptions, keyof OptimizerOptions>>;

  constructor(options: MuonOptions = {}) {
    super(withDefaults<MuonOptions>('Muon', options, { weightDecay: 0.004 }, RULES), 0.001, RULES);
    this.muon = {
      momentum: options.momentum ?? 0.95,
      nesterov: options.nesterov ?? true,
      nsSteps: options.nsSteps ?? 5,
      rmsRate: options.rmsRate === undefined ? 0.2 : options.rmsRate,
      adamBeta1: options.adamBeta1 ?? 0.9,
      adamBeta2: options.adamBeta2 ?? 0.999,
      adamLrRatio: options.adamLrRatio ?? 1,
      adamWeightDecay: options.adamWeightDecay === undefined ? 0.004 : options.adamWeightDecay,
      epsilon: options.epsilon ?? 1e-7,
    };
  }

  private isMatrix(parameter: Tensor): boolean {
    return parameter.rank === 2;
  }

  protected override weightDecayOf(parameter: Tensor): number | null {
    return this.isMatrix(parameter) ? (this.options.weightDecay ?? null) : this.muon.adamWeightDecay;
  }

  protected createSlots(parameter: Tensor): Slots {
    const zero = parameter.zerosLike();
    return this.isMatrix(parameter) ? { momentum: zero } : { momentum: zero, velocity: zero };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const { momentum, nesterov, rmsRate, adamBeta1, adamBeta2, adamLrRatio, epsilon } = this.muon;
    if (!this.isMatrix(parameter)) {
      const { m, v } = moments(slots, gradient, adamBeta1, adamBeta2);
      const rate = learningRate
        .mul(adamLrRatio)
        .mul(correction(adamBeta2, step).sqrt())
        .div(correction(adamBeta1, step));
      return { parameter: parameter.sub(m.mul(rate).div(v.sqrt().add(epsilon))), slots: { momentum: m, velocity: v } };
    }
    const m = slots['momentum']!.mul(momentum).add(gradient);
    const direction = this.orthogonalize(nesterov ? gradient.add(m.mul(momentum)) : m);
    const scale = rmsRate === null ? 1 : Math.sqrt(Math.max(...parameter.shape)) * rmsRate;
    return { parameter: parameter.sub(direction.mul(learningRate).mul(scale)), slots: { momentum: m } };
  }

  /** Pushes the singular values of a matrix towards 1 with the quintic a x + b x^3 + c x^5. */
  private orthogonalize(matrix: Tensor): Tensor {
    const [a, b, c] = [3.4445, -4.775, 2.0315];
    const tall = matrix.shape[0]! > matrix.shape[1]!;
    let x = tall ? matrix.transpose() : matrix;
    x = x.div(x.square().sum().sqrt().add(1e-7));
    for (let i = 0; i < this.muon.nsSteps; i++) {
      const gram = x.matmul(x.transpose());
      const mix = gram.mul(b).add(gram.mul(c).matmul(gram));
      x = x.mul(a).add(mix.matmul(x));
    }
    return tall ? x.transpose() : x;
  }
}
