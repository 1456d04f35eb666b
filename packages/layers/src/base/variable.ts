import type { Constraint, Regularizer } from '@recurra/cells';
import { Variable as CompiledVariable } from '@recurra/compiler';
import { ShapeError, Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, checkRules, copiedData, describeValue, ndarray, type Rules, rules } from '@recurra/tensor/extend';

export { withValues } from '@recurra/compiler/extend';

/**
 * What a variable is for. 'weight': learned or kept with a model (kernels, the statistics of batch normalization); 'state': carried from call
 * to call (states of stateful layers, metrics, optimizers); 'seed': the state of a random generator.
 */
export type VariableRole = 'weight' | 'state' | 'seed';

/** Options of a {@link Variable}. */
export interface VariableOptions {
  /** 'weight' */
  readonly role?: VariableRole;
  /** Does training change it? True for weights, false for all else. */
  readonly trainable?: boolean;
  readonly regularizer?: Regularizer | null;
  readonly constraint?: Constraint | null;
}

// Every function has a method `apply`.
const applies = (v: unknown): boolean =>
  v === null || (typeof v === 'object' && typeof (v as Partial<Regularizer>).apply === 'function');
const OPTIONS: Rules<VariableOptions> = {
  role: rules.oneOf('weight', 'state', 'seed'),
  trainable: rules.flag,
  regularizer: { expected: 'a Regularizer, or null', accepts: applies },
  constraint: { expected: 'a Constraint, or null', accepts: applies },
};

let changes = 0;

/** A number that grows whenever variables come to be, or are frozen or thawed: what was collected before may be out of date. */
export function structureVersion(): number {
  return changes;
}

/** Tells that layers were added or taken away. */
export function structureChanged(): void {
  changes++;
}

/**
 * A named place for a tensor that steps replace. Compiled steps update it in place. Its identity counts, not its path: two variables
 * of one path are two.
 */
export class Variable extends CompiledVariable {
  /** A number of its own. */
  readonly id: number;
  readonly role: VariableRole;
  readonly regularizer: Regularizer | null;
  readonly constraint: Constraint | null;
  private isTrainable: boolean;

  /** @param path where it stands, e.g. `lstm/lstm_cell/kernel` */
  constructor(value: Tensor, path = 'variable', options: VariableOptions = {}) {
    super(value, path);
    checkRules(`Variable "${path}"`, options, OPTIONS);
    this.id = ++changes;
    this.role = options.role ?? 'weight';
    this.isTrainable = options.trainable ?? this.role === 'weight';
    this.regularizer = options.regularizer ?? null;
    this.constraint = options.constraint ?? null;
  }

  /** The last part of the path: `kernel`. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  /** Does training change it? Setting it takes effect at the next step. */
  get trainable(): boolean {
    return this.isTrainable;
  }

  set trainable(value: boolean) {
    if (value !== this.isTrainable) changes++;
    this.isTrainable = value;
  }
}

/** Replaces the values of variables, in their dtypes. Throws `ShapeError` where number or shapes do not fit; then none is replaced. */
export function assignAll(variables: readonly Variable[], values: readonly TensorLike[], label: string): void {
  if (!Array.isArray(values))
    throw new ValueError(`${label}: expected a list of weights, received ${describeValue(values)}`);
  if (values.length !== variables.length)
    throw new ShapeError(
      `${label}: expected ${variables.length} weights (${variables.map((v) => v.path).join(', ')}), received ${values.length}`,
    );
  const tensors = variables.map((v, i) => {
    const { dtype } = v.value;
    const value = asTensor(values[i]!, dtype).cast(dtype);
    if (value.shape.join() !== v.shape.join())
      throw new ShapeError(
        `${label}: expected a value of shape [${v.shape.join(', ')}] for "${v.path}", received [${value.shape.join(', ')}]`,
      );
    return value;
  });
  variables.forEach((v, i) => {
    v.assign(tensors[i]!);
  });
}

/** A tensor whose elements are its own: what callers get of a weight may be written to without changing the weight. */
export function copyOf(value: Tensor): Tensor {
  const { shape, dtype } = value;
  return new Tensor(shape, dtype, ndarray(dtype, shape, copiedData(value.concrete('copyOf'))));
}

/** The elements of a tensor, which never change, as a tensor of its own: what its `data` shows may be written to without a trace in the other's. */
export const sameElements = (value: Tensor): Tensor =>
  new Tensor(value.shape, value.dtype, value.concrete('sameElements'));
