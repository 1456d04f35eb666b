/**
 * Models that leave and come back: `pnpm check:keras` makes models of many kinds, trains and saves them, and lets Python Keras open each file
 * (`check-keras.py`): predictions, weights and one more epoch of training have to be ours to 1e-5. What Keras saves after that is loaded here, and trained
 * on as well.
 *
 * Keras is that of the interpreter that RECURRA_PYTHON names, or is installed into a virtual environment of its own, in the versions below.
 * Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = ['keras==3.15.1', 'jax==0.10.2', 'h5py==3.16.0', 'numpy==2.4.6'];
const TOLERANCE = 1e-5;
const load = (name) => import(new URL(`../packages/${name}/dist/index.js`, import.meta.url).href);
const L = await load('layers');
const O = await load('optim');
const { randomKey, randomNormal, randomInteger, setSeed, tensor } = await load('tensor');

const { Tokenizer } = await load('preprocessing');
const tokenizer = new Tokenizer();
tokenizer.fitOnTexts(['the cat sat', 'on the mat']);
const { Dense, Embedding, GRU, Input, LSTM, Model, Sequential, SimpleRNN } = L;
let passed = 0;
let failed = 0;
function check(name, ok, detail = '') {
  if (ok) passed++;
  else {
    failed++;
    console.log(`FAILED ${name}: ${detail}`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'recurra-keras-'));
const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`expected ${command} ${args[0]} to end well, received exit code ${status}`);
};

/** The interpreter that has Keras. */
function python() {
  const given = process.env.RECURRA_PYTHON;
  if (given) return given;
  const venv = join(folder, 'venv');
  run('python3', ['-m', 'venv', venv]);
  run(join(venv, 'bin/pip'), ['install', '-q', '--disable-pip-version-check', ...REQUIREMENTS]);
  return join(venv, 'bin/python');
}

let seed = 0;
const normal = (...shape) => randomNormal(shape, { key: randomKey(++seed) });
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
const ZOO = {
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
const dense = () => ({
  model: new Sequential([new Input({ shape: [3] }), new Dense(4, { activation: 'tanh' }), new Dense(2)]),
  x: normal(12, 3),
  y: normal(12, 2),
});
for (const [name, Class] of Object.entries(O.optimizers))
  ZOO[`optimizer ${name}`] = () => ({ ...dense(), compile: { optimizer: new Class(), loss: 'mse' } });
// What Keras itself cannot do: in `.h5` it knows an optimizer by its name, and does not know lamb (not its own either). It opens the model without.
const UNCOMPILED_H5 = ['optimizer lamb'];
ZOO['moving averages, accumulated gradients'] = () => ({
  ...dense(),
  compile: { optimizer: new O.Adam({ useEma: true, gradientAccumulationSteps: 2 }), loss: 'mse' },
});
ZOO['loss scale'] = () => ({
  ...dense(),
  compile: { optimizer: new O.LossScaleOptimizer(new O.SGD({ momentum: 0.9 })), loss: 'mse' },
});

/** A tensor as JSON: Keras' layers take float32 and int32. */
const plain = (t) => ({ shape: [...t.shape], dtype: t.dtype, data: [...t.data] });
const plainTree = (value) =>
  value !== null && typeof value === 'object' && 'shape' in value && 'dtype' in value
    ? plain(value)
    : Array.isArray(value)
      ? value.map(plainTree)
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plainTree(v)]));
const leaves = (value) => ('data' in value && 'shape' in value ? [value] : Object.values(value).flatMap(leaves));
/** Trains for one epoch on the first rows; resolves to the loss. */
async function train(model, x, y, rows) {
  const first = (value) =>
    'shape' in value
      ? value.take(tensor([...Array(rows).keys()], { dtype: 'int32' }), 0)
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, first(v)]));
  model.resetStates();
  const { history } = await model.fit(first(x), first(y), FIT);
  return history.loss[0];
}
const FIT = { epochs: 1, batchSize: 4, shuffle: false, verbose: 0 };
/** Predictions of a stateful model begin anew. */
async function predict(model, x) {
  model.resetStates();
  const result = plainTree(await model.predict(x, { batchSize: 4 }));
  model.resetStates();
  return result;
}
function compare(name, found, wanted) {
  const [a, b] = [leaves(found), leaves(wanted)];
  const worst = Math.max(
    ...a.map((t, i) =>
      t.data.length === b[i]?.data.length
        ? Math.max(0, ...t.data.map((v, k) => Math.abs(v - b[i].data[k]) / (1 + Math.abs(b[i].data[k]))))
        : Number.POSITIVE_INFINITY,
    ),
  );
  check(name, a.length === b.length && worst <= TOLERANCE, `differs by ${worst}`);
  return worst;
}

try {
  const names = Object.keys(ZOO).filter((name) => process.argv.length < 3 || process.argv.slice(2).includes(name));
  const cases = [];
  for (const [n, name] of names.entries()) {
    seed = 100 * n;
    setSeed(n);
    L.clearSession();
    const { model, x, y, compile, rows = 12 } = ZOO[name]();
    model.compile(compile);
    await train(model, x, y, rows);
    const base = join(folder, `model-${n}`);
    model.resetStates();
    const files = { keras: `${base}.keras`, 'weights.h5': `${base}.weights.h5`, h5: `${base}.h5` };
    // What travels with a model is nothing to Keras.
    await model.save(files.keras, { assets: { tokenizer, labels: ['a', 'b'], blob: Uint8Array.of(0, 255) } });
    await model.save(files.h5);
    await model.saveWeights(files['weights.h5']);
    const before = await predict(model, x);
    const weights = model.getWeights().map(plain);
    const loss = await train(model, x, y, rows);
    cases.push({
      ...{ name, files, x: plainTree(x), y: plainTree(y), rows, before, weights, loss },
      uncompiledH5: UNCOMPILED_H5.includes(name),
      ...{
        after: await predict(model, x),
        weightsAfter: model.getWeights().map(plain),
        theirs: `${base}.theirs.keras`,
      },
    });
  }
  const [given, told] = [join(folder, 'cases.json'), join(folder, 'results.json')];
  writeFileSync(given, JSON.stringify(cases));
  run(python(), [fileURLToPath(new URL('check-keras.py', import.meta.url)), given, told]);
  const results = JSON.parse(readFileSync(told, 'utf8'));
  for (const c of cases) {
    const theirs = results[c.name];
    for (const [kind, result] of Object.entries(theirs.files)) {
      const name = `${c.name}, ${kind}, in Keras`;
      check(`${name}: opened`, result.error === undefined, result.error);
      if (result.error !== undefined) continue;
      const worst = [
        compare(`${name}: weights`, result.weights, c.weights),
        compare(`${name}: predictions`, result.before, c.before),
      ];
      if (result.after) {
        worst.push(compare(`${name}: weights after one more epoch`, result.weightsAfter, c.weightsAfter));
        worst.push(compare(`${name}: predictions after it`, result.after, c.after));
        const off = Math.abs(result.loss - c.loss) / (1 + Math.abs(c.loss));
        check(`${name}: its loss`, off <= TOLERANCE, `${result.loss}, here ${c.loss}`);
        worst.push(off);
      }
      console.log(`${name}: at most ${Math.max(...worst).toExponential(1)} apart`);
    }
    if (!theirs.further) continue;
    // Keras' own files, after that epoch: one more here.
    for (const file of [c.theirs, c.theirs.replace(/\.keras$/, '.h5')]) {
      const name = `${c.name}, Keras' ${file.endsWith('.h5') ? '.h5' : 'file'}, here`;
      const model = await L.loadModel(file);
      const { x, y } = dataOf(c);
      compare(`${name}: predictions`, await predict(model, x), theirs.files.keras.after);
      const loss = await train(model, x, y, c.rows);
      const worst = compare(
        `${name}: weights after one more epoch`,
        model.getWeights().map(plain),
        theirs.further.weights,
      );
      const off = Math.abs(loss - theirs.further.loss) / (1 + Math.abs(theirs.further.loss));
      check(`${name}: its loss`, off <= TOLERANCE, `${loss}, in Keras ${theirs.further.loss}`);
      console.log(`${name}: at most ${Math.max(worst, off).toExponential(1)} apart`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

/** The data of a case as tensors. */
function dataOf(c) {
  const of = (value) =>
    'data' in value && 'dtype' in value
      ? tensor(value.data, { shape: value.shape, dtype: value.dtype })
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, of(v)]));
  return { x: of(c.x), y: of(c.y) };
}
