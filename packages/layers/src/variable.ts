import { Variable as CompiledVariable } from '@recurra/compiler';
import { asTensor, ShapeError, type Tensor, type TensorLike } from '@recurra/tensor';

export { withValues } from '@recurra/compiler';

/** A named place for a tensor that training replaces: weights, and states kept between calls. Compiled steps update it in place. */
export class Variable extends CompiledVariable {
  readonly trainable: boolean;

  /** @param path where it stands, e.g. `lstm/lstm_cell/kernel` */
  constructor(value: Tensor, path = 'variable', options: { readonly trainable?: boolean } = {}) {
    super(value, path);
    this.trainable = options.trainable ?? true;
  }
}

/** Replaces the values of variables, in their dtypes. Throws `ShapeError` where number or shapes do not fit. */
export function assignAll(variables: readonly Variable[], values: readonly TensorLike[], label: string): void {
  if (values.length !== variables.length)
    throw new ShapeError(`${label}: expected ${variables.length} weights, received ${values.length}`);
  variables.forEach((v, i) => {
    v.assign(asTensor(values[i]!, v.value.dtype).cast(v.value.dtype));
  });
}
