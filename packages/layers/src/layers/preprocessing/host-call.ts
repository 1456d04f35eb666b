import { type DType, type Shape, ShapeError, Tensor } from '@recurra/tensor';
import { bind, definePrimitive, formatShape, type Primitive } from '@recurra/tensor/extend';

/** A function of tensors that reads data: what it is called in errors, and what it gives for inputs of such shapes. */
export interface HostCallParams {
  readonly operation: string;
  readonly run: (...inputs: Tensor[]) => Tensor;
  readonly shape: (...shapes: Shape[]) => Shape;
  readonly dtype: DType;
}

/** Runs a function of `@recurra/preprocessing` in the place where it stands: a compiled step calls it between its kernels. It has no gradient. */
const hostCallPrimitive: Primitive<HostCallParams> = definePrimitive<HostCallParams>({
  name: 'hostCall',
  abstract: (inputs, { shape, dtype }) => [{ shape: shape(...inputs.map((x) => x.shape)), dtype }],
  evaluate: (inputs, { operation, run, dtype }, [out]) => {
    const result = run(...inputs.map((x) => new Tensor(x.shape, x.dtype, x))).cast(dtype);
    // Adapted since the step was compiled: rows have another width.
    if (result.shape.join() !== out!.shape.join())
      throw new ShapeError(
        `${operation}: expected a result of shape ${formatShape(out!.shape)}, as when the model was compiled for such a batch, received ${formatShape(result.shape)}. Adapt layers before the model that holds them is used.`,
      );
    return [result.array!];
  },
  vjp: null,
  samples: [],
});

/** What `run` gives for the inputs, eagerly and in compiled steps. */
export function hostCall(inputs: readonly Tensor[], params: HostCallParams): Tensor {
  return bind(hostCallPrimitive, inputs, params)[0]!;
}
