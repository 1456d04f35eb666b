import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { correction, moments } from './adam-family.js';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Muon}; `learningRate` 0.001, `weightDecay` 0.004. */
export interface MuonOptions extends OptimizerOptions {
  /** Share of the last direction that is repeated; 0.95. */
  readonly momentum?: number;
  /** Look ahead along the momentum; true. */
  readonly nesterov?: boolean;
  /** Newton-Schulz steps; 5. */
  readonly nsSteps?: number;
  /** Root mean square that steps are scaled to, per sqrt of the larger side; 0.2, `null` for none. */
  readonly rmsRate?: number | null;
  /** Parameters whose paths match one of these expressions take AdamW's step, e.g. `['output_dense']`; none. */
  readonly excludeLayers?: readonly string[];
  /** So do those with "embedding" in their paths; true. */
  readonly excludeEmbeddings?: boolean;
  /** Coefficients of the iteration a x + b x^3 + c x^5; 3.4445, -4.775, 2.0315. */
  readonly muonA?: number;
  readonly muonB?: number;
  readonly muonC?: number;
  /** Of AdamW's step: decays 0.9 and 0.999, rate as a share of the learning rate (1), weight decay 0.004, epsilon 1e-7. */
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
  excludeLayers: {
    expected: 'an array of regular expressions as texts',
    accepts: (v) => Array.isArray(v) && v.every((pattern) => typeof pattern === 'string' && isExpression(pattern)),
  },
  excludeEmbeddings: rules.flag,
  muonA: rules.anyNumber,
  muonB: rules.anyNumber,
  muonC: rules.anyNumber,
} satisfies Rules<MuonOptions>;

function isExpression(pattern: string): boolean {
  try {
    return Boolean(new RegExp(pattern));
  } catch {
    return false;
  }
}

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<MuonOptions> = {
  learningRate: 0.001,
  weightDecay: 0.004,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  epsilon: 1e-7,
  excludeLayers: [],
  muonA: 3.4445,
  muonB: -4.775,
  muonC: 2.0315,
  adamLrRatio: 1,
  momentum: 0.95,
  nsSteps: 5,
  nesterov: true,
  excludeEmbeddings: true,
  adamWeightDecay: 0.004,
  rmsRate: 0.2,
};

/**
 * Momentum orthogonalised by Newton-Schulz iterations, for matrices (Jordan et al. 2024); other parameters take AdamW's
 * step.
 */
export class Muon extends Optimizer {
  readonly name = 'Muon';
  private readonly own: Required<MuonOptions>;
  private readonly patterns: readonly RegExp[];

  constructor(options: MuonOptions = {}) {
    super(options, DEFAULTS, RULES);
    this.own = this.options as Required<MuonOptions>;
    this.patterns = this.own.excludeLayers.map((pattern) => new RegExp(pattern));
  }

  /** Is it stepped by its momentum's directions? Matrices are, but for embeddings and what is excluded. */
  private isMatrix(parameter: Tensor, path: string): boolean {
    if (parameter.rank !== 2 || (this.own.excludeEmbeddings && /embedding/i.test(path))) return false;
    return !this.patterns.some((pattern) => pattern.test(path));
  }

  protected override weightDecayOf(parameter: Tensor, path: string): number | null {
    return this.isMatrix(parameter, path) ? this.own.weightDecay : this.own.adamWeightDecay;
  }

  protected createSlots(parameter: Tensor, path: string): Slots {
    const zero = parameter.zerosLike();
    return this.isMatrix(parameter, path) ? { momentum: zero } : { momentum: zero, velocity: zero };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const { momentum, nesterov, rmsRate, adamBeta1, adamBeta2, adamLrRatio, epsilon } = this.own;
    if (slots['velocity']) {
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
    const { muonA: a, muonB: b, muonC: c } = this.own;
    const tall = matrix.shape[0]! > matrix.shape[1]!;
    let x = tall ? matrix.transpose() : matrix;
    x = x.div(x.square().sum().sqrt().add(1e-7));
    for (let i = 0; i < this.own.nsSteps; i++) {
      const gram = x.matmul(x.transpose());
      const mix = gram.mul(b).add(gram.mul(c).matmul(gram));
      x = x.mul(a).add(mix.matmul(x));
    }
    return tall ? x.transpose() : x;
  }
}
