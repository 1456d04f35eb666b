/**
 * The code of a worker, as text: it runs in Node's workers and in those of browsers. It gets the compiled module and the shared
 * memory, then waits for orders in that memory. The last worker to finish tells the calling thread.
 */
export function workerSource(): string {
  return `
const port = typeof self === 'undefined' || typeof self.postMessage !== 'function' ? require('node:worker_threads').parentPort : self;
const SPINS = 2000;
function begin({ module, memory, worker, workers, control, sync, scratch, scratchBytes }) {
  const abort = () => { throw new Error('aborted'); };
  const { run } = new WebAssembly.Instance(module, { env: { memory, abort } }).exports;
  const order = new Int32Array(memory.buffer, sync, 4);
  const state = new Int32Array(memory.buffer, control, 4);
  port.postMessage({ kind: 'ready' });
  for (let epoch = 0; ; ) {
    for (let i = 0; i < SPINS && Atomics.load(order, 0) === epoch; i++);
    while (Atomics.load(order, 0) === epoch) Atomics.wait(order, 0, epoch);
    epoch = Atomics.load(order, 0);
    try {
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
