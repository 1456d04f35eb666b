import { asTensor, formatShape, ShapeError, sameShape, type Tensor, type TensorLike } from '@recurra/tensor';

/** A named place for a tensor that training replaces: weights, and states kept between calls. */
export class Variable {
  /** Where it stands, e.g. `lstm/lstm_cell/kernel`. */
  readonly path: string;
  readonly trainable: boolean;
  private current: Tensor;

  constructor(value: Tensor, path: string, options: { readonly trainable?: boolean } = {}) {
    this.current = value;
    this.path = path;
    this.trainable = options.trainable ?? true;
  }

  /** The value now. */
  get value(): Tensor {
    return this.current;
  }

  /** Replaces the value. Throws `ShapeError` for another shape. */
  assign(value: Tensor): void {
    if (!sameShape(value.shape, this.current.shape))
      throw new ShapeError(
        `${this.path}: expected a value of shape ${formatShape(this.current.shape)}, received ${formatShape(value.shape)}`,
      );
    this.current = value;
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

/** Runs `f` while the variables hold other values (those that a gradient watches), then puts their own back. */
export function withValues<R>(variables: readonly Variable[], values: readonly Tensor[], f: () => R): R {
  const own = variables.map((v) => v.value);
  try {
    variables.forEach((v, i) => {
      v.assign(values[i]!);
    });
    return f();
  } finally {
    variables.forEach((v, i) => {
      v.assign(own[i]!);
    });
  }
}
