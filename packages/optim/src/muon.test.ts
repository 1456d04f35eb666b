import { tensor } from '@recurra/tensor';
import { Muon, type MuonOptions } from './index.js';

// Keras 3.15: Muon(0.05, ...) on a variable of this path, two steps with the gradients G and G / 2.
const KERNEL = [
  [1.764, 0.4],
  [0.979, 2.241],
  [1.868, -0.977],
];
const GRADIENT = [
  [0.95, -0.151],
  [-0.103, 0.411],
  [0.144, 1.454],
];
const MUON = [
  [1.740004, 0.403531],
  [0.981134, 2.23006],
  [1.863725, -1.012138],
];
const ADAM = [
  [1.666697, 0.496436],
  [1.075204, 2.143506],
  [1.770657, -1.073207],
];
const OTHER = [
  [1.729206, 0.403498],
  [0.982393, 2.230704],
  [1.862417, -1.009746],
];

test.each<[string, MuonOptions, number[][]]>([
  ['dense/kernel', {}, MUON],
  ['dense/kernel', { excludeEmbeddings: false }, MUON],
  ['dense/kernel', { excludeLayers: ['output'] }, MUON],
  ['dense/kernel', { muonA: 2, muonB: -1.5, muonC: 0.5 }, OTHER],
  ['embedding/embeddings', {}, ADAM],
  ['Token_Embedding_1/kernel', {}, ADAM],
  ['embedding/embeddings', { excludeEmbeddings: false }, MUON],
  ['embedding/embeddings', { muonA: 2, muonB: -1.5, muonC: 0.5 }, ADAM],
  ['output_dense/kernel', {}, MUON],
  ['output_dense/kernel', { excludeLayers: ['output'] }, ADAM],
  ['output_dense/kernel', { excludeLayers: ['^dense', 'nse/k'] }, ADAM],
  ['output_dense/kernel', { excludeLayers: ['^dense'] }, MUON],
])('%s with %j as in Keras', (path, options, expected) => {
  const optimizer = new Muon({ learningRate: 0.05, ...options });
  let parameters = { [path]: tensor(KERNEL) };
  let state = optimizer.init(parameters);
  for (const share of [1, 0.5]) {
    const gradients = { [path]: tensor(GRADIENT).mul(share) };
    ({ parameters, state } = optimizer.update(gradients, state, parameters));
  }
  const found = [...parameters[path]!.data];
  expected.flat().forEach((value, i) => {
    expect(Math.abs(found[i]! - value)).toBeLessThan(1e-5 + 2e-5 * Math.abs(value));
  });
});

test('what is excluded is an array of expressions', () => {
  for (const wrong of ['output', ['('], [/a/], [1], null])
    expect(() => new Muon({ excludeLayers: wrong as never })).toThrow(
      /Muon: expected excludeLayers to be an array of regular expressions as texts/,
    );
});
