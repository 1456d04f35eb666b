// biome-ignore-all lint/suspicious/noAssignInExpressions: a lie a line
// biome-ignore-all lint/suspicious/noExplicitAny: messages are edited as plain objects
import { FormatError, type Tensor, tensor } from '@recurra/tensor';
import fc from 'fast-check';
import {
  emptyGroup,
  type JsonObject,
  type KerasObject,
  type ModelFile,
  tensorsOf,
  type WeightGroup,
} from '../model-file.js';
import { decodeOnnx } from './decode.js';
import { encodeOnnx } from './encode.js';
import { readModel, writeModel } from './proto.js';

const numbers = (...shape: number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.fround(Math.cos(i + size))),
    { shape },
  );
};
const group = (name: string, ...variables: [string, Tensor][]): WeightGroup => ({
  ...emptyGroup(name),
  variables: variables.map(([own, value]) => ({ name: own, value })),
});
const layer = (className: string, name: string, config: JsonObject): JsonObject => ({
  module: 'keras.layers',
  class_name: className,
  config: { name, ...config },
  registered_name: null,
});
const kernels = { activation: 'tanh', recurrent_activation: 'sigmoid', use_bias: true };

/** An Embedding with a mask, an LSTM and a Dense, as Keras describes them. */
function textModel(): ModelFile {
  const model: KerasObject = {
    module: 'keras',
    class_name: 'Sequential',
    registered_name: null,
    config: {
      name: 'text',
      layers: [
        layer('InputLayer', 'ids', { batch_shape: [null, null], dtype: 'int32' }),
        layer('Embedding', 'words', { input_dim: 5, output_dim: 3, mask_zero: true }),
        layer('LSTM', 'walk', { units: 2, ...kernels }),
        layer('Dense', 'out', { units: 2, activation: 'softmax', use_bias: true }),
      ],
    },
  };
  const lstm: WeightGroup = {
    ...emptyGroup('walk'),
    children: new Map([
      ['cell', group('cell', ['kernel', numbers(3, 8)], ['recurrent_kernel', numbers(2, 8)], ['bias', numbers(8)])],
    ]),
  };
  const layers = new Map([
    ['input_layer', emptyGroup('ids')],
    ['embedding', group('words', ['embeddings', numbers(5, 3)])],
    ['lstm', lstm],
    ['dense', group('out', ['kernel', numbers(2, 2)], ['bias', numbers(2)])],
  ]);
  return {
    model,
    compile: null,
    weights: { ...emptyGroup('text'), children: new Map([['layers', { ...emptyGroup(null), children: layers }]]) },
    layers: null,
    optimizer: null,
    assets: new Map(),
  };
}

const bytes = encodeOnnx(textModel());
const plain = encodeOnnx(
  (() => {
    const file = textModel();
    const config = structuredClone(file.model!.config) as { layers: { config: Record<string, unknown> }[] };
    config.layers[1]!.config['mask_zero'] = false;
    return { ...file, model: { ...file.model!, config: config as unknown as JsonObject } };
  })(),
  { architecture: false },
);

/** What comes of bytes: a model, or a `FormatError`, within a second. */
function outcome(given: Uint8Array): 'model' | 'error' {
  const start = performance.now();
  try {
    expect(decodeOnnx(given)).toMatchObject({ model: { class_name: expect.any(String) } });
    return 'model';
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return 'error';
  } finally {
    expect(performance.now() - start).toBeLessThan(1000);
  }
}

test('layers and weights come back', () => {
  const file = textModel();
  const again = decodeOnnx(bytes);
  expect(again.model).toEqual(file.model);
  expect([...tensorsOf(again.weights!)].map((w) => [w.path, w.value.toArray()])).toEqual(
    [...tensorsOf(file.weights!)].map((w) => [w.path, w.value.toArray()]),
  );
});

test("a graph without architecture is read by its operators, gates in Keras' order", () => {
  const found = [...tensorsOf(decodeOnnx(plain).weights!)].map((w) => [
    w.path.slice(1).join('/'),
    w.name,
    w.value.toArray(),
  ]);
  expect(found).toEqual(
    [...tensorsOf(textModel().weights!)].map((w) => [w.path.slice(1).join('/'), w.name, w.value.toArray()]),
  );
});

describe.each([
  ['with its architecture', bytes],
  ['by its operators', plain],
])('hostile bytes, read %s', (_, real) => {
  test('cut off anywhere', () => {
    let models = 0;
    for (let n = 0; n < real.length; n++) if (outcome(real.subarray(0, n)) === 'model') models++;
    // Metadata stand behind the graph: without them it is still a graph, which then is read by its operators.
    expect(models).toBeLessThan(real.length / 10);
  });

  test('changed in one place or several', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const changed = Uint8Array.from(real);
          for (const [at, value] of changes) changed[at] = value;
          outcome(changed);
        },
      ),
      { numRuns: 1500, seed: 13 },
    );
  });

  test('with parts cut out, doubled and mixed', () => {
    fc.assert(
      fc.property(fc.nat(real.length), fc.nat(real.length), fc.nat(real.length), (a, b, c) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        outcome(Uint8Array.from([...real.subarray(0, c), ...real.subarray(from, to), ...real.subarray(c)]));
        outcome(Uint8Array.from([...real.subarray(0, from), ...real.subarray(to)]));
      }),
      { numRuns: 1000, seed: 13 },
    );
  });
});

test('any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (given) => void outcome(given)),
    { numRuns: 3000, seed: 13 },
  );
});

describe('a model that lies', () => {
  const edited = (edit: (model: any) => void, from = plain): Uint8Array => {
    const model = readModel(from);
    edit(model);
    return writeModel(model as never);
  };
  const refused = (edit: (model: never) => void, message: RegExp, from = plain): void => {
    const given = edited(edit as never, from);
    expect(() => decodeOnnx(given)).toThrow(FormatError);
    expect(() => decodeOnnx(given)).toThrow(message);
  };
  type Any = any;

  test('of sizes', () => {
    refused(
      (m: Any) => void (m.graph.initializer[0].dims = [1n << 40n, 1n << 40n]),
      /expected sizes|expected .* elements/,
    );
    refused((m: Any) => void (m.graph.initializer[0].dims = [1n << 20n, 1n << 20n]), /expected 1099511627776 elements/);
    refused((m: Any) => void (m.graph.initializer[0].dims = [-1n]), /expected sizes of at least 0/);
    refused((m: Any) => void (m.graph.input[0].type.tensorType.shape.dim[1].dimValue = -5n), /expected sizes/);
  });
  test('with data elsewhere', () => {
    refused((m: Any) => void (m.graph.initializer[0].dataLocation = 1), /another file, which is not read/);
    refused(
      (m: Any) => void m.graph.initializer[0].externalData.push(readModel(bytes).metadataProps[0]),
      /another file, which is not read/,
    );
  });
  test('that goes in circles, and reads what is not there', () => {
    refused((m: Any) => {
      const nodes = m.graph.node;
      nodes[0].input[0] = nodes.at(-1).output[0];
    }, /without circles|expected/);
    refused((m: Any) => {
      const node = m.graph.node.find((n: Any) => n.opType === 'MatMul');
      node.input[0] = node.output[0];
    }, /without circles/);
    refused((m: Any) => void (m.graph.node.at(-1).input[0] = 'nothing'), /"nothing"/);
    refused((m: Any) => m.graph.node.push(m.graph.node[0]), /new names/);
  });
  test('with operators and versions that are not known', () => {
    refused((m: Any) => void (m.graph.node[0].opType = 'constructor'), /received constructor/);
    refused((m: Any) => void (m.graph.node[0].domain = 'com.others'), /com\.others/);
    refused((m: Any) => void (m.opsetImport[0].version = 99n), /version 7\.\.30, received 99/);
    refused((m: Any) => void m.functions.push({}), /functions/);
    refused((m: Any) => void m.graph.sparseInitializer.push({}), /sparse/);
    refused((m: Any) => void delete m.graph, /expected a graph/);
  });
  test('with metadata that do not fit is read by its operators', () => {
    const swap = (key: string, value: string): Uint8Array =>
      edited((m: Any) => {
        m.metadataProps.find((p: Any) => p.key === key).value = value;
      }, bytes);
    const weights = (edit: (w: Any) => void): string => {
      const parsed = JSON.parse(readModel(bytes).metadataProps[1]!.value);
      edit(parsed);
      return JSON.stringify(parsed);
    };
    const model = (edit: (w: Any) => void): string => {
      const parsed = JSON.parse(readModel(bytes).metadataProps[0]!.value);
      edit(parsed);
      return JSON.stringify(parsed);
    };
    const [ARCHITECTURE, WEIGHTS] = ['recurra.model', 'recurra.weights'] as const;
    for (const given of [
      swap(ARCHITECTURE, '{'),
      swap(ARCHITECTURE, '['.repeat(100_000)),
      swap(ARCHITECTURE, '{"__proto__": {"polluted": true}}'),
      swap(ARCHITECTURE, '{"class_name":"Functional","config":{"layers":[],"input_layers":[],"output_layers":[]}}'),
      swap(
        ARCHITECTURE,
        model((m) => void (m.config.layers[3].config.units = 2 ** 30)),
      ),
      swap(
        ARCHITECTURE,
        model((m) => void (m.config.layers[0].config.batch_shape = new Array(1000).fill(9))),
      ),
      swap(WEIGHTS, 'null'),
      swap(
        WEIGHTS,
        weights((w) => void (w.children[0][1].children[1][1].variables[0].shape = [2 ** 30, 2 ** 30])),
      ),
      swap(
        WEIGHTS,
        weights((w) => void (w.children[0][1].children[1][1].variables[0].data = 'x')),
      ),
      swap(
        WEIGHTS,
        weights((w) => void (w.children = {})),
      ),
    ]) {
      expect(outcome(given)).toBe('error');
      expect(() => decodeOnnx(given)).toThrow(/operators that layers compute/);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('that is written out without end', () => {
    const call = (name: string, times: number): JsonObject[] =>
      Array.from({ length: times }, (_, i) => ({
        args: [
          { class_name: '__keras_tensor__', config: { keras_history: [i === 0 ? 'x' : name, i === 0 ? 0 : i, 0] } },
        ],
        kwargs: {},
      }));
    let inner: JsonObject = { class_name: 'Identity', config: { name: 'same' }, name: 'same', inbound_nodes: [] };
    for (let depth = 0; depth < 20; depth++) {
      const { name } = inner as { name: string };
      const first = inner['class_name'] === 'Functional' ? 1 : 0;
      const nodes = call(name, 8).map((node, i) =>
        i === 0
          ? node
          : {
              args: [{ class_name: '__keras_tensor__', config: { keras_history: [name, i - 1 + first, 0] } }],
              kwargs: {},
            },
      );
      inner = {
        class_name: 'Functional',
        name: `m${depth}`,
        inbound_nodes: [],
        config: {
          name: `m${depth}`,
          layers: [
            { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 2] }, name: 'x', inbound_nodes: [] },
            { ...inner, inbound_nodes: nodes },
          ],
          input_layers: [['x', 0, 0]],
          output_layers: [[name, 7 + first, 0]],
        },
      };
    }
    const given = edited((m: Any) => {
      m.metadataProps[0].value = JSON.stringify(inner);
    }, bytes);
    expect(outcome(given)).toBe('error');
  });
});
