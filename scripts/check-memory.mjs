/**
 * Models that are made, compiled, fitted and dropped: `pnpm check:memory [rounds]` does so with an LSTM of 200 units, 3,000 times by default
 * (without giving memory back, 4 GiB are full after some 1,800), and fails where WebAssembly memory grows to half of what all of them would take
 * together, or a round throws.
 */
const SMALL = 64 * 2 ** 20;
const load = (name) => import(new URL(`../packages/${name}/dist/index.js`, import.meta.url).href);
const { Dense, LSTM, Sequential } = await load('layers');
const { setThreads } = await load('compiler');
const { loadKernels } = await load('kernels');
const { ones } = await load('tensor');

await setThreads(1);
const { heap } = loadKernels();
const rounds = Number(process.argv[2] ?? 3000);
if (!(Number.isInteger(rounds) && rounds >= 1))
  throw new Error(`expected a number of rounds >= 1, received ${process.argv[2]}`);
const [x, y] = [ones([1, 2, 1]), ones([1, 1])];
const begin = performance.now();
let [peak, each] = [0, 0];
for (let i = 0; i < rounds; i++) {
  const model = new Sequential([new LSTM(200), new Dense(1)]);
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  await model.fit(x, y, { epochs: 1, verbose: 0 });
  const { allocated, total } = heap.usage();
  if (i === 0) each = allocated;
  peak = Math.max(peak, total);
  if ((i + 1) % 250 === 0)
    console.log(
      `${i + 1} models: peak ${(peak / 2 ** 20).toFixed(0)} MiB, ${((performance.now() - begin) / 1000).toFixed(0)} s`,
    );
}
const limit = Math.max(SMALL, Math.min(4 * 2 ** 30, (rounds * each) / 2));
if (peak >= limit) throw new Error(`expected memory below ${limit} bytes, received ${peak}`);
console.log(
  `${rounds} models made, fitted and dropped: peak ${(peak / 2 ** 20).toFixed(0)} MiB of WebAssembly memory, where all would take ${((rounds * each) / 2 ** 20).toFixed(0)}`,
);
process.exit(0);
