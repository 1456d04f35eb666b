import { ValueError } from '@recurra/tensor';
import {
  glorotUniform,
  heNormal,
  orthogonal,
  randomNormalInitializer,
  randomUniformInitializer,
  varianceScaling,
} from './index.js';
import { withoutInitialValues } from './initializers.js';

test('an option that is undefined takes the default, in the configuration too', () => {
  expect(randomNormalInitializer({ mean: undefined, stddev: 2 } as never).config).toEqual({
    mean: 0,
    stddev: 2,
    seed: null,
  });
  expect(randomUniformInitializer({ minval: undefined } as never).config).toEqual({
    minval: -0.05,
    maxval: 0.05,
    seed: null,
  });
  expect(orthogonal({ gain: undefined } as never).config).toEqual({ gain: 1, seed: null });
  expect(heNormal({ seed: undefined } as never).config).toEqual({ seed: null, inputAxes: null, outputAxes: null });
});

test('variance scaling writes down what Keras does', () => {
  expect(varianceScaling({ scale: 3 }).config).toEqual({
    scale: 3,
    mode: 'fanIn',
    distribution: 'truncatedNormal',
    seed: null,
    inputAxes: null,
    outputAxes: null,
  });
});

test('relatives of variance scaling are it, with their own scale, mode and distribution', () => {
  const values = (initializer: { create(shape: number[]): { toArray(): unknown } }): unknown =>
    initializer.create([3, 4]).toArray();
  expect(values(glorotUniform({ seed: 7 }))).toEqual(
    values(varianceScaling({ scale: 1, mode: 'fanAvg', distribution: 'uniform', seed: 7 })),
  );
  expect(values(heNormal({ seed: 7 }))).toEqual(values(varianceScaling({ scale: 2, seed: 7 })));
  expect(() => glorotUniform({ scale: 2 } as never)).toThrow('GlorotUniform: unknown option "scale"');
});

test('a seed is an integer that a number holds exactly', () => {
  expect(() => glorotUniform({ seed: 2 ** 53 })).toThrow(ValueError);
  expect(() => glorotUniform({ seed: 2 ** 53 - 1 })).not.toThrow();
});

test('weights that are made without values take no memory, and are counted before', () => {
  const asked: number[] = [];
  const shape = [2 ** 15, 2 ** 15];
  const made = withoutInitialValues(
    (elements) => asked.push(elements),
    () => [orthogonal().create(shape), glorotUniform().create([3, 2], { dtype: 'float64' })],
  );
  expect(asked).toEqual([2 ** 30, 6]);
  expect(made.map((value) => [value.shape, value.dtype])).toEqual([
    [shape, 'float32'],
    [[3, 2], 'float64'],
  ]);
  // 4 GB would not be there.
  expect(made[0]!.array!.data.byteLength).toBe(4);
  expect(made[1]!.toArray()).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  const refuse = (elements: number): void => {
    throw new ValueError(`too many: ${elements}`);
  };
  expect(() => withoutInitialValues(refuse, () => heNormal().create([5]))).toThrow('too many: 5');
  // Everything is as before, also after an error.
  expect([...orthogonal({ seed: 1 }).create([1, 1]).data].map(Math.abs)).toEqual([1]);
});
