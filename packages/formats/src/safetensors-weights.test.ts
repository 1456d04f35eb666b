import { readFileSync } from 'node:fs';
import { FormatError, ones, type Tensor, tensorFromJSON, zeros } from '@recurra/tensor';
import { type ModelFile, tensorsOf, type WeightGroup } from './model-file.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { readSafetensorsWeights, weightNames, writeSafetensorsWeights } from './safetensors-weights.js';

const FILES = `${__dirname}/../../testing/golden/files/`;
const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(`${FILES}${name}.safetensors`));

interface Weight {
  readonly name: string;
}

/** A group of weights of these names, one child for each name of a layer, and the list of layers between. */
function groupOf(root: string, weights: Readonly<Record<string, Tensor>>): WeightGroup {
  interface Open {
    name: string | null;
    variables: { name: string; value: Tensor }[];
    children: Map<string, Open>;
  }
  const open = (name: string | null): Open => ({ name, variables: [], children: new Map() });
  const top = open(root);
  const list = open(null);
  top.children.set('layers', list);
  for (const [path, value] of Object.entries(weights)) {
    const parts = path.split('/');
    const name = parts.pop()!;
    let at = list;
    for (const part of parts) {
      if (!at.children.has(part)) at.children.set(part, open(part));
      at = at.children.get(part)!;
    }
    at.variables.push({ name, value });
  }
  return top;
}

const modelOf = (className: string, weights: WeightGroup | null): ModelFile => ({
  model: { module: 'keras', class_name: className, config: {}, registered_name: null },
  compile: null,
  weights,
  layers: null,
  optimizer: null,
  assets: new Map(),
});

/** A model of the golden files, with weights in Keras' order. */
function goldenModel(name: string): { file: ModelFile; names: readonly string[]; values: readonly Tensor[] } {
  const [found] = (
    JSON.parse(readFileSync(`${FILES}${name}.json`, 'utf8')) as {
      cases: { config: { model: { class_name: string } }; weights: Weight[] }[];
    }
  ).cases;
  const { class_name: className } = found!.config.model;
  const names = found!.weights.map((weight) => weight.name);
  const values = found!.weights.map((weight) => tensorFromJSON(weight as never));
  const root = className === 'Sequential' ? names[0]!.slice(0, names[0]!.indexOf('/')) : 'model';
  const within = names.map((path) => (className === 'Sequential' ? path.slice(root.length + 1) : path));
  return {
    file: modelOf(className, groupOf(root, Object.fromEntries(within.map((path, i) => [path, values[i]!])))),
    names,
    values,
  };
}

describe.each(['text_lstm', 'bidirectional_stack', 'functional_residual', 'transformer', 'batchnorm_trained_adam'])(
  '%s',
  (name) => {
    const { file, names, values } = goldenModel(name);

    test('has the names and values that Keras wrote', () => {
      expect([...weightNames(file).keys()]).toEqual(names);
      const ours = readSafetensors(writeSafetensorsWeights(file)).tensors;
      const keras = readSafetensors(fileOf(name)).tensors;
      expect([...ours.keys()]).toEqual(names);
      expect(new Set(keras.keys())).toEqual(new Set(names));
      for (const [path, value] of keras) expect(ours.get(path)!.toJSON()).toEqual(value.toJSON());
      const sorted = [...ours].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(writeSafetensors(new Map(sorted))).toEqual(fileOf(name));
    });

    test('takes its weights from Keras’ file', () => {
      const empty = (group: WeightGroup): WeightGroup => ({
        ...group,
        variables: group.variables.map((v) => ({ ...v, value: zeros(v.value.shape) })),
        children: new Map([...group.children].map(([key, child]) => [key, empty(child)])),
      });
      const read = readSafetensorsWeights(fileOf(name), { ...file, weights: empty(file.weights!) });
      expect([...tensorsOf(read.weights!)].map(({ value }) => value.toJSON())).toEqual(
        values.map((value) => value.toJSON()),
      );
    });
  },
);

describe('weights by layers', () => {
  const { file, names, values } = goldenModel('bidirectional_stack');
  const named = names.map((name, i) => ({ name, value: values[i]! }));
  const byLayers: ModelFile = {
    ...file,
    weights: null,
    layers: [
      { name: 'a', variables: named.slice(0, 6) },
      { name: 'none', variables: [] },
      { name: 'b', variables: named.slice(6) },
    ],
  };

  test('are written under their paths, and read again', () => {
    expect([...weightNames(byLayers).keys()]).toEqual(names);
    const zeroed = byLayers.layers!.map((layer) => ({
      ...layer,
      variables: layer.variables.map(({ name, value }) => ({ name, value: value.zerosLike() })),
    }));
    const read = readSafetensorsWeights(fileOf('bidirectional_stack'), { ...byLayers, layers: zeroed });
    expect(JSON.stringify(read.layers)).toBe(JSON.stringify(byLayers.layers));
    expect([read.weights, read.optimizer]).toEqual([null, null]);
  });

  test('those that layers share are written once, and read for each', () => {
    const variables = [{ name: 'shared/kernel', value: zeros([2]).add(1.5) }];
    const shared: ModelFile = { ...byLayers, layers: ['a', 'b'].map((name) => ({ name, variables })) };
    const bytes = writeSafetensorsWeights(shared);
    expect([...readSafetensors(bytes).tensors.keys()]).toEqual(['shared/kernel']);
    expect(JSON.stringify(readSafetensorsWeights(bytes, shared).layers)).toBe(JSON.stringify(shared.layers));
  });
});

describe('names', () => {
  const like = groupOf('m', {
    'dense/kernel': zeros([1]),
    'inner/dense/kernel': zeros([2]),
    'inner/dense/bias': zeros([3]),
  });
  const read = (names: readonly string[], sizes: readonly number[]): number[] => {
    const bytes = writeSafetensors(new Map(names.map((name, i) => [name, zeros([sizes[i]!])])));
    return [...tensorsOf(readSafetensorsWeights(bytes, modelOf('Sequential', like), { name: 'w' }).weights!)].map(
      ({ value }) => value.size,
    );
  };

  test.each([
    [['m/dense/kernel', 'm/inner/dense/kernel', 'm/inner/dense/bias']],
    [['dense/kernel', 'inner/dense/kernel', 'bias']],
    [['around/m/dense/kernel', 'inner/dense/kernel', 'm/inner/dense/bias']],
  ])('%j: with and without models around', (names) => {
    expect(read(names, [1, 2, 3])).toEqual([1, 2, 3]);
    expect(read([...names].reverse(), [3, 2, 1])).toEqual([1, 2, 3]);
  });

  test.each<[string[], number[], RegExp]>([
    [
      ['m/dense/kernel', 'm/inner/dense/kernel'],
      [1, 2],
      /w: .*1 missing \("m\/inner\/dense\/bias"\), none not of the model/,
    ],
    [
      ['m/dense/kernel', 'm/inner/dense/kernel', 'm/inner/dense/bias', 'x'],
      [1, 2, 3, 4],
      /none missing, 1 not of the model \("x"\)/,
    ],
    [
      ['kernel', 'm/inner/dense/bias'],
      [1, 3],
      /names that mean one weight, received "kernel" for "m\/dense\/kernel" and "m\/inner\/dense\/kernel"/,
    ],
    [
      ['m/dense/kernel', 'm/inner/dense/kernel', 'm/inner/dense/bias'],
      [1, 2, 4],
      /expected \[3\] for "m\/inner\/dense\/bias", received \[4\]/,
    ],
    [['m/ense/kernel', 'm/inner/dense/kernel', 'm/inner/dense/bias'], [1, 2, 3], /1 missing.*1 not of the model/],
  ])('%j is refused', (names, sizes, message) => {
    expect(() => read(names, sizes)).toThrow(FormatError);
    expect(() => read(names, sizes)).toThrow(message);
  });

  test.each([
    [
      ['n_7/dense_9/a', 'n_7/dense_10/a', 'n_7/cell_1/dense/a'],
      [1, 2, 3],
    ],
    [
      ['dense_10/a', 'dense_9/a', 'cell/dense_3/a'],
      [2, 1, 3],
    ],
  ])('%j are those of layers with other numbers', (names, sizes) => {
    const full = groupOf('n', { 'dense/a': zeros([1]), 'dense_1/a': zeros([2]), 'cell/dense/a': zeros([3]) });
    const bytes = writeSafetensors(Object.fromEntries(names.map((name, i) => [name, ones([sizes[i]!])])));
    const { weights } = readSafetensorsWeights(bytes, modelOf('Functional', full));
    expect([...tensorsOf(weights!)].map(({ value }) => value.shape)).toEqual([[1], [2], [3]]);
    expect([...tensorsOf(weights!)].every(({ value }) => value.data.every((v) => v === 1))).toBe(true);
  });

  test('two weights of one name, or none at all, are not written', () => {
    const twice: WeightGroup = {
      ...groupOf('m', {}),
      children: new Map([1, 2].map((n) => [`${n}`, groupOf('m', { 'a/kernel': zeros([n]) })])),
    };
    expect(() => weightNames(modelOf('Functional', twice))).toThrow(
      /names of their own, received two called "m\/a\/kernel"/,
    );
    expect(() => writeSafetensorsWeights(modelOf('Functional', null))).toThrow(/expected a model with weights/);
    const none = writeSafetensors({});
    expect(() => readSafetensorsWeights(none, modelOf('Functional', null))).toThrow(
      /a model with weights to read into/,
    );
  });

  test('thousands of names end soon', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `${'a/'.repeat(50)}${i}/kernel`);
    const start = performance.now();
    expect(() =>
      read(
        names,
        names.map(() => 0),
      ),
    ).toThrow(FormatError);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
