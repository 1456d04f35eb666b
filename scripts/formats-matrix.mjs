/**
 * The round-trip matrix: `pnpm formats:matrix` makes the models of the zoo, trains each for an epoch, writes it in each format, and measures how far the predictions are from ours
 * of who reads it: Recurra, Keras (Python, see `keras.mjs`), onnxruntime, TensorFlow.js; and with what PyTorch computed those of its state dicts here. The figures go to
 * `packages/testing/formats/matrix.json`, which the docs show.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openInKeras, REQUIREMENTS } from './keras.mjs';
import { apart, L, made, plain, plainTree, predict, read, train, ZOO } from './zoo.mjs';

const at = (path) => new URL(`../packages/${path}`, import.meta.url);
const load = (path) => import(at(path).href);
const { formats, loadPytorchWeights } = await load('formats/dist/index.js');
const { tensor } = await load('tensor/dist/index.js');
const { loaded, tf } = await load('testing/dist/tfjs/peer.js');
const { builtFor, PYTORCH_CASES } = await load('testing/dist/golden/pytorch.js');
const layersRequire = createRequire(at('layers/package.json'));
const ort = layersRequire('onnxruntime-node');
const versionOf = (require, name) => {
  // Packages may not export their manifest.
  let folder = dirname(require.resolve(name));
  for (;;) {
    try {
      const { name: own, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (own === name && version) return version;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    folder = dirname(folder);
  }
};

const folder = mkdtempSync(join(tmpdir(), 'recurra-matrix-'));
const TARGET = fileURLToPath(at('testing/formats/matrix.json'));
const endingOf = ({ endings: [ending] }) => ending;
const entriesOf = (x, inputs) => ('shape' in x ? [[inputs[0], x]] : Object.entries(x));
/** A cell: how far apart, or why there is no figure. */
async function cell(measure) {
  try {
    return { apart: await measure() };
  } catch (error) {
    if (error.name !== 'FormatError' && error.name !== 'UnsupportedError') throw error;
    return { why: error.message };
  }
}
const rowsOf = (t, from, to) =>
  t.take(
    tensor(
      [...Array(to - from).keys()].map((i) => i + from),
      { dtype: 'int32' },
    ),
    0,
  );

/** What onnxruntime predicts, in batches of four as `predict` here; states go from each to the next. */
async function runOnnx(path, x, outputs) {
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const TYPES = { float32: Float32Array, int32: Int32Array };
  const given = new Map(entriesOf(x, session.inputNames));
  const states = session.inputNames.filter((name) => !given.has(name));
  const kept = new Map();
  const parts = [];
  const count = [...given.values()][0].shape[0];
  for (let from = 0; from < count; from += 4) {
    const feeds = {};
    for (const [name, t] of given) {
      const part = rowsOf(t, from, Math.min(count, from + 4));
      feeds[name] = new ort.Tensor(part.dtype, TYPES[part.dtype].from(part.data), [...part.shape]);
    }
    for (const name of states) {
      const { shape } = session.inputMetadata.find((info) => info.name === name);
      const dims = shape.map((d) => (typeof d === 'number' ? d : 4));
      feeds[name] =
        kept.get(name) ?? new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
    }
    const result = await session.run(feeds);
    for (const name of states) kept.set(name, result[`${name}/next`]);
    parts.push(result);
  }
  await session.release();
  const own = session.outputNames.filter((name) => !name.endsWith('/next'));
  const joined = (name) => ({
    shape: [count, ...parts[0][name].dims.slice(1)],
    data: parts.flatMap((part) => Array.from(part[name].data)),
  });
  return outputs ? Object.fromEntries(outputs.map((name) => [name, joined(name)])) : joined(own[0]);
}

/** What TensorFlow.js predicts of a folder's files. */
async function runTfjs(path, files, x) {
  const model = await loaded(
    new Map(files.map((name) => [name, new Uint8Array(readFileSync(join(dirname(path), name)))])),
  );
  const tensors = entriesOf(x, [null]).map(([name, t]) => [name, tf.tensor([...t.data], [...t.shape], t.dtype)]);
  const inputs =
    tensors.length === 1 ? tensors[0][1] : model.inputNames.map((name) => tensors.find(([own]) => own === name)[1]);
  const results = [model.predict(inputs, { batchSize: 4 })].flat();
  const plainOf = (t) => ({ shape: t.shape, data: [...t.dataSync()] });
  return 'shape' in x
    ? plainOf(results[0])
    : Object.fromEntries(model.outputNames.map((name, i) => [name.split('/')[0], plainOf(results[i])]));
}

/** Keys of a tree in one order. */
const sorted = (tree) =>
  'data' in tree ? tree : Object.fromEntries(Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1)));

try {
  const rows = [];
  const cases = [];
  for (const [n, name] of Object.keys(ZOO).entries()) {
    const { model, x, y, compile, rows: count = 12 } = made(name, n);
    model.compile(compile);
    await train(model, x, y, count);
    model.resetStates();
    const before = await predict(model, x);
    const outputs = 'data' in before ? null : Object.keys(before);
    const row = { model: name, here: {}, elsewhere: {} };
    const files = {};
    for (const format of formats()) {
      const path = join(folder, `${n}`, format.name === 'tfjs' ? 'tfjs/model.json' : `model${endingOf(format)}`);
      mkdirSync(dirname(path), { recursive: true });
      const whole = format.holds.has('model');
      row.here[format.name] = await cell(async () => {
        // TensorFlow.js has fewer optimizers and losses: what counts here is what models predict.
        if (whole) await model.save(path, format.name === 'tfjs' ? { compile: false } : {});
        else await model.saveWeights(path);
        files[format.name] = path;
        // Weights go into a model that has others.
        const again = whole ? await L.loadModel(path) : await L.loadModel(files.keras, { compile: false });
        if (!whole) {
          again.setWeights(
            again.weights.map(({ shape }) =>
              tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape: [...shape] }),
            ),
          );
          await again.loadWeights(path);
        }
        return apart(await predict(again, x), before);
      });
      if (!files[format.name]) continue;
      if (format.name === 'onnx')
        row.elsewhere.onnxruntime = await cell(async () =>
          apart(sorted(await runOnnx(path, x, outputs)), sorted(before)),
        );
      if (format.name === 'tfjs') {
        const { weightsManifest } = JSON.parse(readFileSync(path, 'utf8'));
        const names = ['model.json', ...weightsManifest.flatMap(({ paths }) => paths)];
        row.elsewhere['TensorFlow.js'] = await cell(async () =>
          apart(sorted(await runTfjs(path, names, x)), sorted(before)),
        );
      }
    }
    rows.push(row);
    const keras = Object.fromEntries(['keras', 'weights.h5', 'h5'].map((kind) => [kind, files[kind]]));
    cases.push({
      name,
      files: keras,
      x: plainTree(x),
      y: plainTree(y),
      rows: count,
      before,
      train: false,
      theirs: join(folder, `${n}`, 'theirs.keras'),
    });
  }
  const results = openInKeras(folder, cases);
  for (const [n, c] of cases.entries()) {
    const { elsewhere } = rows[n];
    for (const [kind, result] of Object.entries(results[c.name].files))
      elsewhere[`Keras, ${kind}`] =
        result.error === undefined ? { apart: apart(sorted(result.before), sorted(c.before)) } : { why: result.error };
    // Saved again by Keras, and read here.
    const again = await L.loadModel(c.theirs);
    elsewhere['Keras, and back'] = {
      apart: apart(sorted(await predict(again, read(c.x))), sorted(c.before)),
    };
  }
  const goldens = fileURLToPath(at('testing/golden/files/pytorch'));
  const pytorch = PYTORCH_CASES.map((name) => {
    const { model, modules, state, x, outputs } = builtFor(goldens, name);
    loadPytorchWeights(model, state, modules);
    return { module: name, apart: apart(plain(model.apply(x)), plain(outputs.get('out'))) };
  });
  const matrix = {
    versions: {
      Keras: REQUIREMENTS.map((text) => text.replace('==', ' ')).join(', '),
      onnxruntime: versionOf(layersRequire, 'onnxruntime-node'),
      'TensorFlow.js': versionOf(createRequire(at('testing/package.json')), '@tensorflow/tfjs'),
    },
    rows,
    pytorch,
  };
  mkdirSync(dirname(TARGET), { recursive: true });
  writeFileSync(TARGET, `${JSON.stringify(matrix, null, 2)}\n`);
  for (const { model, here, elsewhere } of rows)
    console.log(
      `${model}: ${[...Object.entries(here), ...Object.entries(elsewhere)].map(([what, { apart: d, why }]) => `${what} ${d === undefined ? `- (${why.slice(0, 60)})` : d.toExponential(1)}`).join('; ')}`,
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
