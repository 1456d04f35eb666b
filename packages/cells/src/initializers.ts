import {
  type DType,
  eye,
  full,
  randomKey,
  randomNormal,
  randomUniform,
  type Shape,
  ShapeError,
  type Tensor,
  tensor,
  truncatedNormal,
} from '@recurra/tensor';
import {
  checkRules,
  checkValue,
  denseData,
  nextKey,
  type Rule,
  rules,
  type Serialized, type SnakeCase,
  sizeOf,
} from '@recurra/tensor/extend';
import { orthonormalize } from './orthonormal.js';
import { resolveSerialized } from './serialized.js';

/** How an initializer draws. */
export interface InitializeOptions {
  /** By default the next key of the global generator (`setSeed`). */
  readonly key?: Tensor;
  /** float32 by default. */
  readonly dtype?: DType;
}

/** Options of initializers that draw. */
export interface SeedOption {
  /** Draws the same values for every weight of a shape; `null`: new ones from the global generator. */
  readonly seed?: number | null;
}

/** Makes the first value of a weight. */
export interface Initializer {
  /** Class name in Keras. */
  readonly name: string;
  /** The arguments, in camelCase. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A tensor of this shape. */
  create(shape: Shape, options?: InitializeOptions): Tensor;
}

/** What Keras writes down for each class beside what was given. */
const KERAS_DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Zeros: {},
  Ones: {},
  Constant: { value: 0 },
  Identity: { gain: 1 },
  RandomNormal: { mean: 0, stddev: 0.05, seed: null },
  RandomUniform: { minval: -0.05, maxval: 0.05, seed: null },
  TruncatedNormal: { mean: 0, stddev: 0.05, seed: null },
  VarianceScaling: {
    scale: 1,
    mode: 'fanIn',
    distribution: 'truncatedNormal',
    seed: null,
    inputAxes: null,
    outputAxes: null,
  },
  Orthogonal: { gain: 1, seed: null },
};
/** Classes that are variance scaling with other defaults. */
const SCALED = { seed: null, inputAxes: null, outputAxes: null };

/** By the names of options, which mean the same in all classes. */
const RULES: Readonly<Record<string, Rule>> = {
  value: rules.isNumber,
  gain: rules.anyNumber,
  mean: rules.anyNumber,
  stddev: rules.notNegative,
  minval: rules.anyNumber,
  maxval: rules.anyNumber,
  scale: rules.positive,
  mode: rules.oneOf('fanIn', 'fanOut', 'fanAvg'),
  distribution: rules.oneOf('truncatedNormal', 'untruncatedNormal', 'uniform'),
  seed: rules.orNull(rules.countOrZero),
  inputAxes: rules.oneOf(null),
  outputAxes: rules.oneOf(null),
};

/** Options that a class knows, in their ranges. Throws `ValueError` for any other. */
function checked<T extends object>(name: string, options: T): T {
  const names = Object.keys(KERAS_DEFAULTS[name] ?? SCALED);
  checkRules(name, options, Object.fromEntries(names.map((key) => [key, RULES[key]])) as never);
  return options;
}

function define(name: string, given: object, create: (shape: Shape, key: Tensor, dtype: DType) => Tensor): Initializer {
  const config: Readonly<Record<string, unknown>> = { ...(KERAS_DEFAULTS[name] ?? SCALED), ...given };
  const seed = (config['seed'] ?? null) as number | null;
  return {
    name,
    config,
    create: (shape, options = {}) =>
      create(shape, seed === null ? (options.key ?? nextKey()) : randomKey(seed), options.dtype ?? 'float32'),
  };
}

/** 0 everywhere. */
export function zeros(): Initializer {
  return define('Zeros', {}, (shape, _key, dtype) => full(shape, 0, dtype));
}

/** 1 everywhere. */
export function ones(): Initializer {
  return define('Ones', {}, (shape, _key, dtype) => full(shape, 1, dtype));
}

/** One value everywhere. */
export function constant(options: { readonly value?: number } = {}): Initializer {
  const { value = 0 } = checked('Constant', options);
  return define('Constant', options, (shape, _key, dtype) => full(shape, value, dtype));
}

/** `gain` on the diagonal of a matrix. Throws `ShapeError` unless the shape has two dimensions. */
export function identity(options: { readonly gain?: number } = {}): Initializer {
  const { gain = 1 } = checked('Identity', options);
  return define('Identity', options, (shape, _key, dtype) => {
    if (shape.length !== 2)
      throw new ShapeError(`Identity: expected a shape of two dimensions, received rank ${shape.length}`);
    return eye(shape[0]!, shape[1]!, 0, dtype).mul(gain);
  });
}

/** Normal: mean 0, stddev 0.05. */
export function randomNormalInitializer(
  options: SeedOption & { readonly mean?: number; readonly stddev?: number } = {},
): Initializer {
  const { mean = 0, stddev = 0.05 } = checked('RandomNormal', options);
  return define('RandomNormal', options, (shape, key, dtype) => randomNormal(shape, { key, dtype, mean, std: stddev }));
}

/** Uniform between minval -0.05 and maxval 0.05. */
export function randomUniformInitializer(
  options: SeedOption & { readonly minval?: number; readonly maxval?: number } = {},
): Initializer {
  const { minval = -0.05, maxval = 0.05 } = checked('RandomUniform', options);
  return define('RandomUniform', options, (shape, key, dtype) =>
    randomUniform(shape, { key, dtype, low: minval, high: maxval }),
  );
}

/** Normal (mean 0, stddev 0.05) without values beyond two standard deviations. */
export function truncatedNormalInitializer(
  options: SeedOption & { readonly mean?: number; readonly stddev?: number } = {},
): Initializer {
  const { mean = 0, stddev = 0.05 } = checked('TruncatedNormal', options);
  return define('TruncatedNormal', options, (shape, key, dtype) =>
    truncatedNormal(shape, { key, dtype, mean, std: stddev }),
  );
}

const SHAPE: Rule = {
  expected: 'a shape such as [2, 3]',
  accepts: (v) => Array.isArray(v) && v.every((size) => rules.countOrZero.accepts(size)),
};

/** Numbers of inputs and outputs of a weight: the last two sizes, times the others (a convolution's window). */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  checkValue('fans', 'the shape', shape, SHAPE);
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0]!, fanOut: shape[0]! };
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: shape[shape.length - 2]! * window, fanOut: shape[shape.length - 1]! * window };
}

/** The standard deviation of a unit normal that is cut at two standard deviations. */
const TRUNCATED_STD = 0.8796256610342398;

/** Options of {@link varianceScaling}. */
export interface VarianceScalingOptions extends SeedOption {
  readonly scale?: number;
  readonly mode?: 'fanIn' | 'fanOut' | 'fanAvg';
  readonly distribution?: 'truncatedNormal' | 'untruncatedNormal' | 'uniform';
}

/** Mean 0 and variance scale / fan, so that signals keep their size through layers. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  return scaled('VarianceScaling', checked('VarianceScaling', options), options);
}

function scaled(name: string, options: VarianceScalingOptions, given: object): Initializer {
  const { scale = 1, mode = 'fanIn', distribution = 'truncatedNormal' } = options;
  checked(name, given);
  return define(name, given, (shape, key, dtype) => {
    const { fanIn, fanOut } = fans(shape);
    const fan = mode === 'fanIn' ? fanIn : mode === 'fanOut' ? fanOut : (fanIn + fanOut) / 2;
    const variance = scale / Math.max(1, fan);
    if (distribution === 'uniform') {
      const limit = Math.sqrt(3 * variance);
      return randomUniform(shape, { key, dtype, low: -limit, high: limit });
    }
    if (distribution === 'untruncatedNormal') return randomNormal(shape, { key, dtype, std: Math.sqrt(variance) });
    return truncatedNormal(shape, { key, dtype, std: Math.sqrt(variance) / TRUNCATED_STD });
  });
}

/** Uniform with variance 2 / (fanIn + fanOut) (Glorot & Bengio 2010): the default of kernels. */
export function glorotUniform(options: SeedOption = {}): Initializer {
  return scaled('GlorotUniform', { scale: 1, mode: 'fanAvg', distribution: 'uniform' }, options);
}
/** Truncated normal with variance 2 / (fanIn + fanOut). */
export function glorotNormal(options: SeedOption = {}): Initializer {
  return scaled('GlorotNormal', { scale: 1, mode: 'fanAvg' }, options);
}
/** Uniform with variance 2 / fanIn (He et al. 2015), for ReLU. */
export function heUniform(options: SeedOption = {}): Initializer {
  return scaled('HeUniform', { scale: 2, mode: 'fanIn', distribution: 'uniform' }, options);
}
/** Truncated normal with variance 2 / fanIn. */
export function heNormal(options: SeedOption = {}): Initializer {
  return scaled('HeNormal', { scale: 2, mode: 'fanIn' }, options);
}
/** Uniform with variance 1 / fanIn (LeCun et al. 1998). */
export function lecunUniform(options: SeedOption = {}): Initializer {
  return scaled('LecunUniform', { scale: 1, mode: 'fanIn', distribution: 'uniform' }, options);
}
/** Truncated normal with variance 1 / fanIn. */
export function lecunNormal(options: SeedOption = {}): Initializer {
  return scaled('LecunNormal', { scale: 1, mode: 'fanIn' }, options);
}

/**
 * `gain` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014): the default of
 * recurrent kernels. A normal matrix is orthonormalised in float64.
 */
export function orthogonal(options: SeedOption & { readonly gain?: number } = {}): Initializer {
  const { gain = 1 } = checked('Orthogonal', options);
  return define('Orthogonal', options, (shape, key, dtype) => {
    if (shape.length < 2)
      throw new ShapeError(`Orthogonal: expected a shape of at least two dimensions, received rank ${shape.length}`);
    const columns = shape[shape.length - 1]!;
    const rows = sizeOf(shape.slice(0, -1));
    const [count, length] = rows < columns ? [rows, columns] : [columns, rows];
    const vectors = Float64Array.from(
      denseData(randomNormal([count, length], { key, dtype: 'float64' }).concrete('Orthogonal')),
    );
    orthonormalize(vectors, count, length);
    const matrix = tensor(vectors, { shape: [count, length] });
    return (rows < columns ? matrix : matrix.transpose()).mul(gain).cast(dtype).reshape(shape);
  });
}

/** Names of initializers. */
export type InitializerName =
  | 'zeros'
  | 'ones'
  | 'constant'
  | 'identity'
  | 'randomNormal'
  | 'randomUniform'
  | 'truncatedNormal'
  | 'varianceScaling'
  | 'glorotUniform'
  | 'glorotNormal'
  | 'heUniform'
  | 'heNormal'
  | 'lecunUniform'
  | 'lecunNormal'
  | 'orthogonal'
  | 'uniform'
  | 'normal';

/** An initializer by name (camelCase or Keras' snake_case), one with options, or as Keras writes it down. */
export type InitializerIdentifier = InitializerName | SnakeCase<InitializerName> | Initializer | Serialized;

/** The initializers by name; each takes its options. */
export const initializers: Record<InitializerName, (options?: never) => Initializer> = {
  zeros,
  ones,
  constant,
  identity,
  randomNormal: randomNormalInitializer,
  randomUniform: randomUniformInitializer,
  truncatedNormal: truncatedNormalInitializer,
  varianceScaling,
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  lecunUniform,
  lecunNormal,
  orthogonal,
  uniform: randomUniformInitializer,
  normal: randomNormalInitializer,
};

/** The initializer that an identifier names, with its default options. Throws `ValueError` with the known names. */
export function resolveInitializer(identifier: InitializerIdentifier): Initializer {
  return resolveSerialized('initializer', initializers, identifier, 'create');
}
