/** Models of many kinds, with data and how they are compiled: those that leave and come back in `check-keras.mjs` and `formats-matrix.mjs`. */
const load = (name) => import(new URL(`../packages/${name}/dist/index.js`, import.meta.url).href);
export const L = await load('layers');
export const O = await load('optim');
const { randomKey, randomNormal, randomInteger, setSeed, tensor } = await load('tensor');
const { Dense, Embedding, GRU, Input, LSTM, Model, Sequential, SimpleRNN } = L;

let seed = 0;
export const normal = (...shape) => randomNormal(shape, { key: randomKey(++seed) });
const ids = (limit, ...shape) => randomInteger(shape, 1, limit, { key: randomKey(++seed) });
const binary = (...shape) => randomInteger(shape, 0, 2, { key: randomKey(++seed) }).cast('float32');
/** Ids that end with zeros, the more the later the row. */
const padded = (limit, n, time) => {
  const all = ids(limit, n, time);
  const data = [...all.data].map((v, i) => (i % time >= time - (Math.floor(i / time) % 3) ? 0 : v));
  return tensor(data, { shape: [n, time], dtype: 'int32' });
};
const gru = (resetAfter) => () => ({
  model: new Sequential([
    new Input({ shape: [6, 3] }),
    new GRU(5, { resetAfter, returnSequences: true }),
    new GRU(4, { resetAfter, recurrentActivation: 'hardSigmoid' }),
    new Dense(1),
  ]),
  x: normal(12, 6, 3),
  y: normal(12, 1),
});

/** What is made, by name: a model, data, and how it is compiled. */
export const ZOO = {
  'text LSTM': () => ({
    model: new Sequential([
      new Input({ shape: [7], dtype: 'int32' }),
      new Embedding(11, 5, { maskZero: true }),
      new LSTM(6),
      new Dense(1, { activation: 'sigmoid' }),
    ]),
    x: padded(11, 12, 7),
    y: binary(12, 1),
    compile: { optimizer: new O.Adam({ amsgrad: true }), loss: 'binaryCrossentropy', metrics: ['accuracy'] },
  }),
  'GRU, reset after': () => ({
    ...gru(true)(),
    compile: { optimizer: new O.RMSprop({ momentum: 0.9, centered: true }), loss: 'mse', metrics: ['mae'] },
  }),
  'GRU, reset before': () => ({
    ...gru(false)(),
    compile: { optimizer: new O.Nadam(), loss: new L.Huber({ delta: 1 }) },
  }),
  'bidirectional stack': () => ({
    model: new Sequential([
      new Input({ shape: [6, 3] }),
      new L.Masking(),
      new L.Bidirectional(new LSTM(4, { returnSequences: true })),
      new L.Bidirectional(new GRU(3), { mergeMode: 'sum' }),
      new Dense(2),
    ]),
    x: normal(12, 6, 3),
    y: normal(12, 2),
    compile: { optimizer: new O.AdamW({ clipnorm: 1 }), loss: 'meanSquaredError' },
  }),
  'functional residual, two inputs and outputs': () => {
    const tokens = Input({ shape: [6], dtype: 'int32', name: 'tokens' });
    const features = Input({ shape: [3], name: 'features' });
    const embedded = new Embedding(9, 4, { name: 'embedded' }).apply(tokens);
    const rnn = new LSTM(4, { returnSequences: true, name: 'first' }).apply(embedded);
    const sum = new L.Add({ name: 'residual' }).apply([embedded, rnn]);
    const shared = new Dense(4, { activation: 'tanh', name: 'shared' });
    const last = new SimpleRNN(4, { name: 'last' }).apply(sum);
    const joined = new L.Concatenate().apply([
      shared.apply(last),
      shared.apply(new Dense(4, { name: 'widened' }).apply(features)),
    ]);
    return {
      model: new Model({
        inputs: { tokens, features },
        outputs: {
          value: new Dense(1, { name: 'value' }).apply(joined),
          kind: new Dense(3, { name: 'kind', activation: 'softmax' }).apply(joined),
        },
      }),
      x: { tokens: ids(9, 12, 6), features: normal(12, 3) },
      y: { value: normal(12, 1), kind: ids(3, 12) },
      compile: {
        optimizer: new O.SGD({
          learningRate: O.cosineDecay({ initialLearningRate: 0.05, decaySteps: 20 }),
          momentum: 0.9,
          nesterov: true,
        }),
        loss: { value: 'mse', kind: 'sparseCategoricalCrossentropy' },
        lossWeights: { value: 1, kind: 0.5 },
        metrics: { kind: ['accuracy'] },
      },
    };
  },
  'batch normalization and convolution': () => ({
    model: new Sequential([
      new Input({ shape: [8, 3] }),
      new L.Conv1D(4, 3, { padding: 'causal', useBias: false }),
      new L.BatchNormalization(),
      new L.Activation('relu'),
      new L.MaxPooling1D(2),
      new L.SeparableConv1D(5, 2),
      new L.LayerNormalization(),
      new L.GlobalAveragePooling1D(),
      new Dense(2, { activation: 'softmax' }),
    ]),
    x: normal(12, 8, 3),
    y: ids(2, 12).sub(1),
    compile: { optimizer: new O.SGD({ learningRate: 0.05, momentum: 0.8 }), loss: 'sparseCategoricalCrossentropy' },
  }),
  'transformer block': () => {
    const tokens = Input({ shape: [6], dtype: 'int32' });
    const embedded = new Embedding(9, 4, { maskZero: true }).apply(tokens);
    const attended = new L.MultiHeadAttention(2, 3).apply([embedded, embedded], { useCausalMask: true });
    const first = new L.LayerNormalization().apply(new L.Add().apply([embedded, attended]));
    const hidden = new Dense(4).apply(new Dense(8, { activation: 'gelu' }).apply(first));
    const second = new L.LayerNormalization().apply(new L.Add().apply([first, hidden]));
    return {
      model: new Model({
        inputs: tokens,
        outputs: new Dense(3, { activation: 'softmax' }).apply(new L.GlobalAveragePooling1D().apply(second)),
      }),
      x: padded(9, 12, 6),
      y: ids(3, 12).sub(1),
      // The bias of keys has no gradient: Adam would make steps of its rounding errors.
      compile: {
        optimizer: new O.SGD({ momentum: 0.9 }),
        loss: 'sparseCategoricalCrossentropy',
        metrics: ['accuracy'],
      },
    };
  },
  stateful: () => ({
    model: new Sequential([
      new Input({ batchShape: [4, 5, 3] }),
      new LSTM(4, { stateful: true, returnSequences: true }),
      new GRU(3, { stateful: true }),
      new Dense(1),
    ]),
    x: normal(12, 5, 3),
    y: normal(12, 1),
    // On JAX, Keras' `fit` does not carry states either: one batch.
    rows: 4,
    compile: { optimizer: new O.Adam(), loss: 'mse' },
  }),
  'model in a model, wrappers': () => {
    const inner = new Sequential([new Input({ shape: [3] }), new Dense(4, { activation: 'tanh' }), new L.Dropout(0)], {
      name: 'inner',
    });
    const x = Input({ shape: [5, 3] });
    const steps = new L.TimeDistributed(inner).apply(x);
    const stacked = new L.RNN([new L.LSTMCell(4), new L.GRUCell(3)]).apply(steps);
    return {
      model: new Model({ inputs: x, outputs: new L.PReLU().apply(new Dense(2).apply(stacked)) }),
      x: normal(12, 5, 3),
      y: normal(12, 2),
      compile: { optimizer: new O.Adamax(), loss: 'mae' },
    };
  },
};
/** The entry of a name, made as if it were the first: the same data and weights each time. */
export function made(name, number) {
  seed = 100 * number;
  setSeed(number);
  L.clearSession();
  return ZOO[name]();
}

const FIT = { epochs: 1, batchSize: 4, shuffle: false, verbose: 0 };

/** Trains for one epoch on the first rows; resolves to the loss. */
export async function train(model, x, y, rows) {
  const first = (value) =>
    'shape' in value
      ? value.take(tensor([...Array(rows).keys()], { dtype: 'int32' }), 0)
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, first(v)]));
  model.resetStates();
  const { history } = await model.fit(first(x), first(y), FIT);
  return history.loss[0];
}

/** A tensor as JSON: Keras' layers take float32 and int32. */
export const plain = (t) => ({ shape: [...t.shape], dtype: t.dtype, data: [...t.data] });
export const plainTree = (value) =>
  value !== null && typeof value === 'object' && 'shape' in value && 'dtype' in value
    ? plain(value)
    : Array.isArray(value)
      ? value.map(plainTree)
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plainTree(v)]));

/** Predictions of a stateful model begin anew. */
export async function predict(model, x) {
  model.resetStates();
  const result = plainTree(await model.predict(x, { batchSize: 4 }));
  model.resetStates();
  return result;
}

const leaves = (value) => ('data' in value && 'shape' in value ? [value] : Object.values(value).flatMap(leaves));

/** How far trees of tensors are apart: the largest difference, relative above 1; infinite where their forms differ. */
export function apart(found, wanted) {
  const [a, b] = [leaves(found), leaves(wanted)];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.max(
    ...a.map((t, i) =>
      t.data.length === b[i].data.length
        ? Math.max(0, ...t.data.map((v, k) => Math.abs(v - b[i].data[k]) / (1 + Math.abs(b[i].data[k]))))
        : Number.POSITIVE_INFINITY,
    ),
  );
}

/** Data that a file has as JSON. */
export const read = (value) =>
  'dtype' in value && 'data' in value
    ? tensor(value.data, { shape: value.shape, dtype: value.dtype })
    : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, read(v)]));
