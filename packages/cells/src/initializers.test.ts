import { ValueError } from '@recurra/tensor';
import {
  glorotUniform,
  heNormal,
  orthogonal,
  randomNormalInitializer,
  randomUniformInitializer,
  varianceScaling,
} from './index.js';

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
