import { apply, FUNCTIONS, worst } from './functions.js';

// Every 4999th float32; `pnpm check:functions` takes all of them.
test.each(Object.keys(FUNCTIONS))('%s is within its bound of the rounded float64 result', (name) => {
  expect(worst(name, 4999).ulp).toBeLessThanOrEqual(FUNCTIONS[name]!.ulp);
});

test('special values', () => {
  const special = Float32Array.of(Number.NaN, Infinity, -Infinity, 0, -0, 1, -1, 1e-45);
  const of = (name: string): number[] => [...apply(name, new Uint32Array(special.buffer.slice(0)))];
  expect(of('exp').slice(0, 5)).toEqual([Number.NaN, Infinity, 0, 1, 1]);
  expect(of('log').slice(0, 6)).toEqual([Number.NaN, Infinity, Number.NaN, -Infinity, -Infinity, 0]);
  expect(of('log1p').slice(0, 3)).toEqual([Number.NaN, Infinity, Number.NaN]);
  expect(of('log1p')[6]).toBe(-Infinity);
  expect(of('tanh').slice(0, 4)).toEqual([Number.NaN, 1, -1, 0]);
  expect(of('sigmoid').slice(0, 5)).toEqual([Number.NaN, 1, 0, 0.5, 0.5]);
  expect(of('softplus').slice(0, 3)).toEqual([Number.NaN, Infinity, 0]);
  expect(of('erf').slice(0, 4)).toEqual([Number.NaN, 1, -1, 0]);
  // Below, as PyTorch and JAX below -14.
  expect(of('gelu').slice(0, 5)).toEqual([Number.NaN, Infinity, -0, 0, -0]);
  expect(of('expm1').slice(0, 5)).toEqual([Number.NaN, Infinity, -1, 0, -0]);
  expect(of('sign').slice(0, 7)).toEqual([Number.NaN, 1, -1, 0, -0, 1, -1]);
});
