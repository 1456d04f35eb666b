import { jit } from '@recurra/compiler';
import { type Tensor, zeros } from '@recurra/tensor';
import { allPrimitives, bind, type Primitive, type SampleInput } from '@recurra/tensor/extend';

/** Each sample, with every axis of one size made empty, in the shapes that parameters name too. */
const cases = allPrimitives().flatMap((primitive) =>
  primitive.samples.flatMap(({ inputs, params }, i) => {
    const sizes = new Set(inputs.flatMap(({ shape }) => shape));
    return [...sizes]
      .filter((size) => size > 1)
      .map((size) => [primitive.name, i, size, primitive, inputs, params] as const);
  }),
) as unknown as [string, number, number, Primitive<unknown>, SampleInput[], unknown][];

test('most samples can be made empty', () => {
  expect(cases.length).toBeGreaterThan(150);
});

test.each(cases)(
  '%s, sample %i, axes of size %i made empty: compiled as eager',
  async (...[, , size, primitive, inputs, params]) => {
    const emptied = (shape: readonly number[]): number[] => shape.map((n) => (n === size ? 0 : n));
    const values = inputs.map(({ shape, dtype = 'float32' }) =>
      zeros(emptied(shape), dtype === 'float64' ? 'float32' : dtype),
    );
    const given = params as { shape?: number[] } | null;
    const own = given?.shape ? { ...given, shape: emptied(given.shape) } : params;
    const f = (xs: Tensor[]): Tensor[] => bind(primitive, xs, own);
    let expected: Tensor[];
    try {
      expected = f(values);
    } catch (error) {
      // What cannot be computed eagerly is refused when compiled, not trapped.
      await expect(jit(f)(values)).rejects.toThrow((error as Error).constructor as never);
      return;
    }
    const actual = await jit(f)(values);
    expect(actual.map((t) => [t.dtype, t.toArray()])).toEqual(expected.map((t) => [t.dtype, t.toArray()]));
  },
);
