/**
 * Models that leave and come back: `pnpm check:keras` makes models of many kinds, trains and saves them, and lets Python Keras open each file
 * (`check-keras.py`): predictions, weights and one more epoch of training have to be ours to 1e-5. What Keras saves after that is loaded here, and trained
 * on as well.
 *
 * Keras is that of the interpreter that RECURRA_PYTHON names, or is installed into a virtual environment of its own, in the versions below.
 * Ends with `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openInKeras } from './keras.mjs';
import { apart, L, made, normal, O, plain, plainTree, predict, read, train, ZOO } from './zoo.mjs';

const TOLERANCE = 1e-5;
const { Tokenizer } = await import(new URL('../packages/preprocessing/dist/index.js', import.meta.url).href);
const tokenizer = new Tokenizer();
tokenizer.fitOnTexts(['the cat sat', 'on the mat']);
const { Dense, Input, Sequential } = L;
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
const dense = () => ({
  model: new Sequential([new Input({ shape: [3] }), new Dense(4, { activation: 'tanh' }), new Dense(2)]),
  x: normal(12, 3),
  y: normal(12, 2),
});
for (const [name, Class] of Object.entries(O.optimizers))
  ZOO[`optimizer ${name}`] = () => ({ ...dense(), compile: { optimizer: new Class(), loss: 'mse' } });
// What Keras itself cannot do: in `.h5` it knows an optimizer by its name, and does not know lamb (not its own either). It opens the model without.
const UNCOMPILED_H5 = ['optimizer lamb'];
// Nor does it write adafactor's state there: two of its variables have one name.
const UNSAVED_H5 = ['optimizer adafactor'];
ZOO['moving averages, accumulated gradients'] = () => ({
  ...dense(),
  compile: { optimizer: new O.Adam({ useEma: true, gradientAccumulationSteps: 2 }), loss: 'mse' },
});
ZOO['loss scale'] = () => ({
  ...dense(),
  compile: { optimizer: new O.LossScaleOptimizer(new O.SGD({ momentum: 0.9 })), loss: 'mse' },
});

function compare(name, found, wanted) {
  const worst = apart(found, wanted);
  check(name, worst <= TOLERANCE, `differs by ${worst}`);
  return worst;
}

try {
  const names = Object.keys(ZOO).filter((name) => process.argv.length < 3 || process.argv.slice(2).includes(name));
  const cases = [];
  for (const [n, name] of names.entries()) {
    const { model, x, y, compile, rows = 12 } = made(name, n);
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
        theirsH5: UNSAVED_H5.includes(name) ? null : `${base}.theirs.h5`,
      },
    });
  }
  const results = openInKeras(folder, cases);
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
    for (const file of [c.theirs, c.theirsH5]) {
      if (file === null) continue;
      const name = `${c.name}, Keras' ${file.endsWith('.h5') ? '.h5' : 'file'}, here`;
      const model = await L.loadModel(file);
      const [x, y] = [read(c.x), read(c.y)];
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
