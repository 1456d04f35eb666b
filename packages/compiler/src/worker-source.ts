/**
 * The code of a worker, as text: it runs in workers of Node, Deno and Bun (which has `self` too, but delivers messages to `parentPort`) and of
 * browsers. It gets the compiled module and the shared
 * memory, then waits for orders in that memory. The calling thread wakes the first worker, and that one the others: they are then
 * put on processors that are idle, where the calling thread, about to sleep, would seem to occupy one. The last worker to finish
 * tells the calling thread.
 */
export function workerSource(): string {
  return `
const port = (typeof require === 'function' && require('node:worker_threads').parentPort) || self;
const SPINS = 2000;
function begin({ module, memory, worker, workers, control, sync, scratch, scratchBytes }) {
  const abort = () => { throw new Error('aborted'); };
  const kernels = new WebAssembly.Instance(module, { env: { memory, abort } }).exports;
  const { run, table } = kernels;
  let chains = 0;
  const install = (directory, count) => {
    // Addresses above 2 GiB are negative as words.
    const words = new Int32Array(memory.buffer, directory >>> 0, count * 2);
    for (; chains < count; chains++) {
      const bytes = new Uint8Array(memory.buffer, words[chains * 2] >>> 0, words[chains * 2 + 1]).slice();
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, kernels });
      table.set(table.grow(1), instance.exports.run);
    }
  };
  const order = new Int32Array(memory.buffer, sync, 8);
  const turn = worker === 0 ? 0 : 6;
  const state = new Int32Array(memory.buffer, control, 4);
  port.postMessage({ kind: 'ready' });
  for (let epoch = 0; ; ) {
    for (let i = 0; i < SPINS && Atomics.load(order, turn) === epoch; i++);
    while (Atomics.load(order, turn) === epoch) Atomics.wait(order, turn, epoch);
    epoch = Atomics.load(order, turn);
    if (worker === 0 && workers > 1) {
      Atomics.store(order, 6, epoch);
      Atomics.notify(order, 6);
    }
    try {
      if (order[5] > chains) install(order[4], order[5]);
      run(order[1], order[2], worker, workers, control, scratch, scratchBytes);
    } catch (error) {
      if (Atomics.exchange(state, 2, 1) === 0) port.postMessage({ kind: 'error', error: String(error && error.message || error) });
      Atomics.notify(state, 1);
    }
    if (Atomics.sub(order, 3, 1) === 1) port.postMessage({ kind: 'done' });
  }
}
if (port.once) port.once('message', begin);
else port.onmessage = (event) => begin(event.data);
`;
}
