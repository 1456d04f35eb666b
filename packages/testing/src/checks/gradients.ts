import { vjp } from '@recurra/autograd';
import { randomKey, randomNormal, randomUniform, splitKey, type Tensor, tensor } from '@recurra/tensor';
import { bind, isFloating, type Primitive, type SampleInput, sizeOf } from '@recurra/tensor/extend';

/** A tensor as a sample describes it, floats in float64. */
export function drawInput(input: SampleInput, key: Tensor): Tensor {
  const { shape, dtype = 'float64', low = -2, high = 2, values } = input;
  if (values) {
    const typed = dtype === 'int32' || dtype === 'bool' ? Int32Array.from(values) : Float64Array.from(values);
    return tensor(typed, { shape, dtype });
  }
  return randomUniform(shape, { key, low, high, dtype: 'float64' }).cast(dtype);
}

/** Largest difference between the gradients of sum(f(x) * cotangent) and central differences, relative to their size. */
export function gradientError(f: (inputs: Tensor[]) => Tensor[], inputs: readonly Tensor[], seed = 1): number {
  const floating = inputs.flatMap((x, i) => (isFloating(x.dtype) ? [i] : []));
  const full = (leaves: readonly Tensor[]): Tensor[] =>
    inputs.map((x, i) => (floating.includes(i) ? leaves[floating.indexOf(i)]! : x));
  const { value, pullback } = vjp(
    (leaves: Tensor[]) => f(full(leaves)),
    floating.map((i) => inputs[i]!),
  );
  const keys = splitKey(randomKey(seed), value.length + 1);
  const cotangents = value.map((v, i) =>
    isFloating(v.dtype) ? randomNormal(v.shape, { key: keys[i]!, dtype: 'float64' }) : v.zerosLike(),
  );
  const [gradients] = pullback(cotangents);
  const loss = (leaves: readonly Tensor[]): number =>
    f(full(leaves)).reduce((sum, v, i) => (isFloating(v.dtype) ? sum + v.mul(cotangents[i]!).sum().item() : sum), 0);
  let worst = 0;
  floating.forEach((i, position) => {
    const x = inputs[i]!;
    const data = Float64Array.from(x.data);
    for (let e = 0; e < data.length; e++) {
      const h = 1e-5 * Math.max(1, Math.abs(data[e]!));
      const at = (delta: number): number => {
        const moved = data.slice();
        moved[e] = moved[e]! + delta;
        const leaves = floating.map((j) => (j === i ? tensor(moved, { shape: x.shape }) : inputs[j]!));
        return loss(leaves);
      };
      const numeric = (at(h) - at(-h)) / (2 * h);
      const exact = gradients[position]!.data[e]!;
      worst = Math.max(worst, Math.abs(numeric - exact) / Math.max(1, Math.abs(numeric)));
    }
  });
  return worst;
}

/** {@link gradientError} of a primitive over one of its samples. */
export function primitiveGradientError(primitive: Primitive<never>, index: number): number {
  const { inputs, params } = primitive.samples[index]!;
  const keys = splitKey(randomKey(index + 11), inputs.length);
  const values = inputs.map((input, i) => drawInput(input, keys[i]!));
  return gradientError((xs) => bind(primitive, xs, params), values);
}

/** Gradient of the gradient: {@link gradientError} of the gradients of sum(f(x) * cotangent) themselves. */
export function secondOrderError(primitive: Primitive<never>, index: number): number {
  const { inputs, params } = primitive.samples[index]!;
  const keys = splitKey(randomKey(index + 31), inputs.length + 1);
  const values = inputs.map((input, i) => drawInput(input, keys[i]!));
  const floating = values.flatMap((x, i) => (isFloating(x.dtype) ? [i] : []));
  const gradients = (leaves: Tensor[]): Tensor[] => {
    const { value, pullback } = vjp(
      (own: Tensor[]) =>
        bind(
          primitive,
          values.map((x, i) => (floating.includes(i) ? own[floating.indexOf(i)]! : x)),
          params,
        ),
      leaves,
    );
    const cotangents = value.map((v) =>
      isFloating(v.dtype) ? randomNormal(v.shape, { key: keys[inputs.length]!, dtype: 'float64' }) : v.zerosLike(),
    );
    return pullback(cotangents)[0];
  };
  return gradientError(
    gradients,
    floating.map((i) => values[i]!),
  );
}

/** Does the sample hold a floating element that a gradient could be taken for? */
export function differentiable(primitive: Primitive<never>, index: number): boolean {
  return (
    primitive.vjp !== null &&
    primitive.samples[index]!.inputs.some((input) => isFloating(input.dtype ?? 'float64') && sizeOf(input.shape) > 0)
  );
}
