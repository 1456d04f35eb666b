import { randomKey, splitKey, tensor } from '@recurra/tensor';
import { allPrimitives, bind, isFloating } from '@recurra/tensor/extend';
import { differentiable, drawInput, primitiveGradientError, secondOrderError } from './gradients.js';

const cases = allPrimitives().flatMap((primitive) =>
  primitive.samples.map((_, i) => [primitive.name, i, primitive] as const),
);

test('every primitive has samples', () => {
  expect(allPrimitives().filter((p) => p.samples.length === 0)).toEqual([]);
  expect(new Set(allPrimitives().map((p) => p.name)).size).toBe(allPrimitives().length);
});

test.each(cases)('%s, sample %i: outputs are as its rule says, also for strided inputs', (_name, i, primitive) => {
  const { inputs, params } = primitive.samples[i]!;
  const keys = splitKey(randomKey(i), inputs.length);
  const values = inputs.map((input, j) => drawInput(input, keys[j]!));
  const expected = primitive.abstract(values, params);
  const outputs = bind(primitive, values, params);
  expect(outputs.map((o) => ({ shape: [...o.shape], dtype: o.dtype }))).toEqual(
    expected.map((e) => ({ shape: [...e.shape], dtype: e.dtype })),
  );
  // The same values seen through reversed, transposed storage give the same results.
  const strided = values.map((v) => {
    if (v.rank === 0) return v;
    const stored = v.transpose().flip();
    return tensor(stored.data, { shape: stored.shape, dtype: v.dtype }).flip().transpose();
  });
  bind(primitive, strided, params).forEach((o, j) => {
    expect([...o.data]).toEqual([...outputs[j]!.data]);
  });
  // float32 agrees with float64 to its precision.
  const single = bind(
    primitive,
    values.map((v) => (isFloating(v.dtype) ? v.cast('float32') : v)),
    params,
  );
  single.forEach((o, j) => {
    const wide = outputs[j]!.data;
    o.data.forEach((v: number, k: number) => {
      if (isFloating(o.dtype))
        expect(Math.abs(v - wide[k]!)).toBeLessThanOrEqual(2e-5 * Math.max(1, Math.abs(wide[k]!)));
    });
  });
});

test.each(cases.filter(([, i, p]) => differentiable(p, i)))(
  '%s, sample %i: gradient against finite differences in float64',
  (_name, i, primitive) => {
    expect(primitiveGradientError(primitive, i)).toBeLessThan(1e-6);
  },
);

test.each(cases.filter(([, i, p]) => differentiable(p, i)))(
  '%s, sample %i: gradient of the gradient',
  (_name, i, primitive) => {
    expect(secondOrderError(primitive, i)).toBeLessThan(1e-5);
  },
);
