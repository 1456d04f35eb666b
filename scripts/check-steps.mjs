/**
 * Many training steps with flat memory: `pnpm check:steps [wasm|native] [steps]`, 20,000 by default of a small LSTM on one thread and on two, and a tenth of that of one over
 * 100 steps of 32 texts. Fails where resident memory, what lies outside of the heap of JavaScript, or WebAssembly memory is larger in the second half than it was in the first,
 * after a tenth to warm up. Ends with `N passed, N failed`.
 */

import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const [wanted = 'wasm', text = '20000'] = process.argv.slice(2);
const count = Number(text);
if (!(Number.isInteger(count) && count >= 200)) throw new Error(`expected 200 or more steps, received ${text}`);
// Packages are looked for from the working directory: that of the tests has the native engine.
process.chdir(fileURLToPath(new URL('../packages/testing/', import.meta.url)));
const load = (name) => import(new URL(`../packages/${name}/dist/index.js`, import.meta.url).href);
const { Dense, Embedding, LSTM, Sequential } = await load('layers');
const { setEngine, setThreadedWork, setThreads, threads } = await load('compiler');
const { loadKernels } = await load('kernels');
const { randomKey, randomUniform } = await load('tensor');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const { reason } = await setEngine(wanted);
console.log(`${wanted}: ${reason}`);

/** Bytes that a second half may have more than the first, in MB: pages of the allocator. */
const SLACK = { resident: 8, external: 1, kernels: 0 };
function sizes() {
  collect();
  const { rss, external, arrayBuffers } = process.memoryUsage();
  const bytes = { resident: rss, external: external + arrayBuffers, kernels: loadKernels().heap.usage().total };
  return Object.fromEntries(Object.entries(bytes).map(([what, size]) => [what, size / 2 ** 20]));
}

let passed = 0;
let failed = 0;
async function measure(name, steps, model, x) {
  model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy' });
  const y = Float32Array.from({ length: x.shape[0] }, (_, i) => i % 2);
  const found = [];
  const begin = performance.now();
  for (let tenth = 0; tenth < 10; tenth++) {
    for (let i = 0; i < steps / 10; i++) await model.trainOnBatch(x, y);
    // Finalizers run between turns of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    if (tenth > 0) found.push(sizes());
  }
  const milliseconds = (performance.now() - begin) / steps;
  for (const what of Object.keys(SLACK)) {
    const series = found.map((size) => size[what]);
    const half = series.length >> 1;
    const grown = Math.max(...series.slice(-half)) - Math.max(...series.slice(0, -half));
    const told = `${what} memory over ${steps} steps of ${name} (${milliseconds.toFixed(2)} ms each): ${series.map((size) => size.toFixed(1)).join(' ')} MB`;
    if (grown <= SLACK[what]) passed++;
    else failed++;
    console[grown <= SLACK[what] ? 'log' : 'error'](
      grown <= SLACK[what] ? `flat: ${told}` : `GROWN by ${grown.toFixed(1)} MB: ${told}`,
    );
  }
}

const small = randomUniform([8, 10, 4], { key: randomKey(1) });
const texts = randomUniform([32, 100], { key: randomKey(2) })
  .mul(10_000)
  .floor();
for (const number of [1, 2]) {
  // Small steps too run on threads.
  setThreadedWork(number === 1 ? null : 0);
  await setThreads(number);
  const model = new Sequential([new LSTM(16), new Dense(1, { activation: 'sigmoid' })]);
  await measure(`LSTM(16), ${threads().count} of ${number} threads`, count, model, small);
}
setThreadedWork(null);
const model = new Sequential([new Embedding(10_000, 32), new LSTM(32), new Dense(1, { activation: 'sigmoid' })]);
await measure('LSTM(32) over 100 steps', Math.ceil(count / 10), model, texts);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
