/**
 * Opens a `.keras` file of 50 MB in a page of a real browser, and saves the model: no task of the page's thread may take more than 100 ms, and what
 * reads and writes files is loaded when it is used. `--size MB` for another size. Ends with `N passed, N failed`.
 */
import { parseArgs } from 'node:util';
import { checkInBrowser } from './browser.mjs';

const { values } = parseArgs({ options: { size: { type: 'string', default: '50' } } });
const megabytes = Number(values.size);
if (!(megabytes >= 10)) throw new Error(`expected a --size of at least 10 (MB), received ${values.size}`);

const { Dense, Embedding, LSTM, Sequential, encodeModel } = await import('../packages/layers/dist/index.js');
// An embedding of 40 % of the size, two recurrent layers of the rest: numbers of 4 bytes, kernels of [units, 4 units].
const units = 16 * Math.round(Math.sqrt((megabytes * 1e6 * 0.6) / 4 / 16) / 16);
const words = Math.round((megabytes * 1e6 * 0.4) / 4 / units);
const initializer = { kernelInitializer: 'randomUniform', recurrentInitializer: 'randomUniform' };
const model = new Sequential([
  new Embedding(words, units, { maskZero: true }),
  new LSTM(units, { ...initializer, returnSequences: true }),
  new LSTM(units, initializer),
  new Dense(4, { activation: 'softmax' }),
]);
model.build([null, 8]);
model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
const bytes = await encodeModel(model);
const sums = model.weights.map(({ value }) => value.data.reduce((sum, v) => sum + v, 0));
console.log(`a file of ${(bytes.length / 1e6).toFixed(1)} MB: Embedding(${words}, ${units}), two LSTM(${units})`);

const script = `
/** Runs f, and gives the longest task meanwhile, by the browser's own count and by the gaps between messages, in milliseconds. */
async function watched(f) {
  // What was done before is over then.
  await new Promise((resolve) => setTimeout(resolve, 200));
  let longest = 0;
  const begin = performance.now();
  const observer = new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) if (startTime >= begin) longest = Math.max(longest, duration);
  });
  observer.observe({ type: 'longtask' });
  let gap = 0;
  let last = performance.now();
  let going = true;
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    if (going) port1.postMessage(0);
  };
  port1.postMessage(0);
  const result = await f();
  const took = performance.now() - begin;
  await new Promise((resolve) => setTimeout(resolve, 200));
  going = false;
  observer.disconnect();
  return { result, took, longest: Math.max(longest, gap) };
}
const loadedFiles = () => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
const has = (part) => loadedFiles().some((path) => path.includes(part));
performance.setResourceTimingBufferSize(5000);
const { encodeModel, loadModel } = await import('recurra');
const results = [];
const said = (what, { took, longest }) =>
  results.push([what + ': the longest task took ' + longest.toFixed(0) + ' ms of ' + took.toFixed(0), longest <= 100]);
results.push(['what reads files is not there before it is used', !has('/formats/') && !has('fflate') && !has('h5wasm')]);
const file = new File([await (await fetch('/model.keras')).blob()], 'model.keras');
const sums = ${JSON.stringify(sums)};
const opened = await watched(() => loadModel(file));
said('opening ' + (file.size / 1e6).toFixed(0) + ' MB', opened);
results.push(['no WebAssembly of HDF5 for reading', !has('h5wasm')]);
const model = opened.result;
results.push(['all weights are there', model.weights.every(({ value }, i) => value.data.reduce((sum, v) => sum + v, 0) === sums[i])]);
said('opening it again', await watched(() => loadModel(file)));
const saved = await watched(() => encodeModel(model));
said('saving', saved);
said('saving again', await watched(() => encodeModel(model)));
results.push(['as many bytes as before', Math.abs(saved.result.length - file.size) < 1000]);
await report(results);
`;
await checkInBrowser(script, { '/model.keras': bytes }, 300);
process.exit();
