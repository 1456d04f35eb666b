import { Control } from '@recurra/kernels';

/** Words of the block through which the pool gives its orders; `turn` is the epoch as the first worker tells it to the others. */
export const Order = { epoch: 0, start: 1, end: 2, remaining: 3, directory: 4, chains: 5, turn: 6 } as const;

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
  const turn = worker === 0 ? ${Order.epoch} : ${Order.turn};
  const state = new Int32Array(memory.buffer, control, 8);
  port.postMessage({ kind: 'ready' });
  for (let epoch = 0; ; ) {
    for (let i = 0; i < SPINS && Atomics.load(order, turn) === epoch; i++);
    while (Atomics.load(order, turn) === epoch) Atomics.wait(order, turn, epoch);
    epoch = Atomics.load(order, turn);
    if (worker === 0 && workers > 1) {
      Atomics.store(order, ${Order.turn}, epoch);
      Atomics.notify(order, ${Order.turn});
    }
    try {
      if (order[${Order.chains}] > chains) install(order[${Order.directory}], order[${Order.chains}]);
      run(order[${Order.start}], order[${Order.end}], worker, workers, control, scratch, scratchBytes);
    } catch (error) {
      if (Atomics.exchange(state, ${Control.aborted}, 1) === 0) port.postMessage({ kind: 'error', error: String(error && error.message || error) });
      Atomics.notify(state, ${Control.generation});
    }
    if (Atomics.sub(order, ${Order.remaining}, 1) === 1) port.postMessage({ kind: 'done' });
  }
}
if (port.once) port.once('message', begin);
else port.onmessage = (event) => begin(event.data);
`;
}
