import type { ConstraintIdentifier, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import type { VariableSpec } from '../../base/layer.js';
import type { Defaults, LayerOptions, Settled } from '../../base/options.js';

/** Options of what follows a normalization: the factor gamma and the offset beta, which are learned. */
export interface ScaleOffsetOptions extends LayerOptions {
  /** Add beta? true */
  readonly center?: boolean;
  /** Multiply by gamma? true */
  readonly scale?: boolean;
  /** 'zeros' */
  readonly betaInitializer?: InitializerIdentifier;
  /** 'ones' */
  readonly gammaInitializer?: InitializerIdentifier;
  readonly betaRegularizer?: RegularizerIdentifier | null;
  readonly gammaRegularizer?: RegularizerIdentifier | null;
  readonly betaConstraint?: ConstraintIdentifier | null;
  readonly gammaConstraint?: ConstraintIdentifier | null;
}

/** Defaults of {@link ScaleOffsetOptions}. */
export const SCALE_OFFSET: Defaults<ScaleOffsetOptions> = {
  center: true,
  scale: true,
  betaInitializer: 'zeros',
  gammaInitializer: 'ones',
  betaRegularizer: null,
  gammaRegularizer: null,
  betaConstraint: null,
  gammaConstraint: null,
};

/** How the factor is made, for a layer's `variable`. */
export function gammaSpec(s: Settled<ScaleOffsetOptions>, shape: readonly number[]): VariableSpec {
  return {
    name: 'gamma',
    shape,
    initializer: s.gammaInitializer,
    regularizer: s.gammaRegularizer,
    constraint: s.gammaConstraint,
  };
}

/** How the offset is made, for a layer's `variable`. */
export function betaSpec(s: Settled<ScaleOffsetOptions>, shape: readonly number[]): VariableSpec {
  return {
    name: 'beta',
    shape,
    initializer: s.betaInitializer,
    regularizer: s.betaRegularizer,
    constraint: s.betaConstraint,
  };
}
