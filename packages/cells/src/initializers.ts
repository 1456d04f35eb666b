import {
  type DType,
  eye,
  full,
  randomKey,
  randomNormal,
  randomUniform,
  type Shape,
  ShapeError,
  Tensor,
  tensor,
  truncatedNormal,
} from '@recurra/tensor';
import {
  checkValue,
  denseData,
  ndarray,
  nextKey,
  type Rule,
  type Rules,
  rules,
  type Serialized,
  type SnakeCase,
  sizeOf,
  withDefaults,
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

/** The options of a class: what Keras writes down for each that was not given, and its rule. */
interface Arguments<T> {
  readonly defaults: Required<T>;
  readonly rules: Rules<T>;
}

function argumentsOf<T extends object>(defaults: Required<T>): Arguments<T> {
  return { defaults, rules: Object.fromEntries(Object.keys(defaults).map((key) => [key, RULES[key]])) as Rules<T> };
}

/** Options of normal initializers. */
interface NormalOptions extends SeedOption {
  readonly mean?: number;
  readonly stddev?: number;
}

/** Options of {@link randomUniformInitializer}. */
interface UniformOptions extends SeedOption {
  readonly minval?: number;
  readonly maxval?: number;
}

/** Options of {@link varianceScaling}. */
export interface VarianceScalingOptions extends SeedOption {
  readonly scale?: number;
  readonly mode?: 'fanIn' | 'fanOut' | 'fanAvg';
  readonly distribution?: 'truncatedNormal' | 'untruncatedNormal' | 'uniform';
}

/** Keras writes them down, and allows only `null` for these. */
const AXES = { inputAxes: null, outputAxes: null };
const NOTHING = argumentsOf<object>({});
const CONSTANT = argumentsOf<{ readonly value?: number }>({ value: 0 });
const IDENTITY = argumentsOf<{ readonly gain?: number }>({ gain: 1 });
const NORMAL = argumentsOf<NormalOptions>({ mean: 0, stddev: 0.05, seed: null });
const UNIFORM = argumentsOf<UniformOptions>({ minval: -0.05, maxval: 0.05, seed: null });
const SCALING = { scale: 1, mode: 'fanIn', distribution: 'truncatedNormal' } as const;
const VARIANCE_SCALING = argumentsOf<VarianceScalingOptions>({ ...SCALING, seed: null, ...AXES });
/** Of classes that are variance scaling with a scale, mode and distribution of their own. */
const SCALED = argumentsOf<SeedOption>({ seed: null, ...AXES });
const ORTHOGONAL = argumentsOf<SeedOption & { readonly gain?: number }>({ gain: 1, seed: null });

/** What is asked for the elements of weights that are made without values, while there is such. */
let takeBlank: ((elements: number) => void) | null = null;

/**
 * Runs `f`, in which the initializers here make zeros and draw nothing: of weights that a file has, values that are drawn (an orthogonal matrix of 2048 rows takes seconds) would be thrown
 * away at once.
 * @param take called with the number of elements before they are allocated; what it throws is thrown
 */
export function withoutInitialValues<R>(take: (elements: number) => void, f: () => R): R {
  const before = takeBlank;
  takeBlank = take;
  try {
    return f();
  } finally {
    takeBlank = before;
  }
}

/** An initializer, from what `create` makes of a shape, the options with their defaults, and how to draw. Throws `ValueError` for options that do not fit. */
function define<T extends object>(
  name: string,
  { defaults, rules }: Arguments<T>,
  given: T,
  create: (shape: Shape, config: Required<T>, draw: Required<InitializeOptions>) => Tensor,
): Initializer {
  const config = withDefaults(name, given, defaults, rules) as Required<T>;
  const { seed = null } = config as SeedOption;
  return {
    name,
    config: config as Readonly<Record<string, unknown>>,
    create: (shape, options = {}) => {
      const { dtype = 'float32' } = options;
      if (takeBlank && SHAPE.accepts(shape)) {
        takeBlank(sizeOf(shape));
        // One element that stands for all: nothing is allocated.
        return new Tensor(shape, dtype, { ...ndarray(dtype, []), shape, strides: shape.map(() => 0) });
      }
      return create(shape, config, { key: seed === null ? (options.key ?? nextKey()) : randomKey(seed), dtype });
    },
  };
}

/** 0 everywhere. */
export function zeros(): Initializer {
  return define('Zeros', NOTHING, {}, (shape, _config, { dtype }) => full(shape, 0, dtype));
}

/** 1 everywhere. */
export function ones(): Initializer {
  return define('Ones', NOTHING, {}, (shape, _config, { dtype }) => full(shape, 1, dtype));
}

/** One value everywhere. */
export function constant(options: { readonly value?: number } = {}): Initializer {
  return define('Constant', CONSTANT, options, (shape, { value }, { dtype }) => full(shape, value, dtype));
}

/** `gain` on the diagonal of a matrix. Throws `ShapeError` unless the shape has two dimensions. */
export function identity(options: { readonly gain?: number } = {}): Initializer {
  return define('Identity', IDENTITY, options, (shape, { gain }, { dtype }) => {
    if (shape.length !== 2)
      throw new ShapeError(`Identity: expected a shape of two dimensions, received rank ${shape.length}`);
    return eye(shape[0]!, shape[1]!, 0, dtype).mul(gain);
  });
}

/** Normal: mean 0, stddev 0.05. */
export function randomNormalInitializer(options: NormalOptions = {}): Initializer {
  return define('RandomNormal', NORMAL, options, (shape, { mean, stddev: std }, draw) =>
    randomNormal(shape, { ...draw, mean, std }),
  );
}

/** Uniform between minval -0.05 and maxval 0.05. */
export function randomUniformInitializer(options: UniformOptions = {}): Initializer {
  return define('RandomUniform', UNIFORM, options, (shape, { minval: low, maxval: high }, draw) =>
    randomUniform(shape, { ...draw, low, high }),
  );
}

/** Normal (mean 0, stddev 0.05) without values beyond two standard deviations. */
export function truncatedNormalInitializer(options: NormalOptions = {}): Initializer {
  return define('TruncatedNormal', NORMAL, options, (shape, { mean, stddev: std }, draw) =>
    truncatedNormal(shape, { ...draw, mean, std }),
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

type Scaling = Required<Pick<VarianceScalingOptions, keyof typeof SCALING>>;

/** Mean 0 and variance scale / fan, so that signals keep their size through layers. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  return define('VarianceScaling', VARIANCE_SCALING, options, drawScaled);
}

function drawScaled(shape: Shape, { scale, mode, distribution }: Scaling, draw: Required<InitializeOptions>): Tensor {
  const { fanIn, fanOut } = fans(shape);
  const fan = mode === 'fanIn' ? fanIn : mode === 'fanOut' ? fanOut : (fanIn + fanOut) / 2;
  const variance = scale / Math.max(1, fan);
  if (distribution === 'uniform') {
    const limit = Math.sqrt(3 * variance);
    return randomUniform(shape, { ...draw, low: -limit, high: limit });
  }
  if (distribution === 'untruncatedNormal') return randomNormal(shape, { ...draw, std: Math.sqrt(variance) });
  return truncatedNormal(shape, { ...draw, std: Math.sqrt(variance) / TRUNCATED_STD });
}

function scaled(name: string, scaling: Partial<Scaling>, options: SeedOption): Initializer {
  const own = { ...SCALING, ...scaling };
  return define(name, SCALED, options, (shape, _config, draw) => drawScaled(shape, own, draw));
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
  return define('Orthogonal', ORTHOGONAL, options, (shape, { gain }, { key, dtype }) => {
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
export const initializers: {
  readonly zeros: typeof zeros;
  readonly ones: typeof ones;
  readonly constant: typeof constant;
  readonly identity: typeof identity;
  readonly randomNormal: typeof randomNormalInitializer;
  readonly randomUniform: typeof randomUniformInitializer;
  readonly truncatedNormal: typeof truncatedNormalInitializer;
  readonly varianceScaling: typeof varianceScaling;
  readonly glorotUniform: typeof glorotUniform;
  readonly glorotNormal: typeof glorotNormal;
  readonly heUniform: typeof heUniform;
  readonly heNormal: typeof heNormal;
  readonly lecunUniform: typeof lecunUniform;
  readonly lecunNormal: typeof lecunNormal;
  readonly orthogonal: typeof orthogonal;
  readonly uniform: typeof randomUniformInitializer;
  readonly normal: typeof randomNormalInitializer;
} = {
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
