/**
 * Models that are made, compiled, fitted and dropped: `pnpm check:memory [rounds]` does so with an LSTM of 200 units, 3,000 times by default
 * (without giving memory back, 4 GiB are full after some 1,800), and fails where WebAssembly memory grows beyond a bound or a round throws.
 */
const LIMIT = 4 * 2 ** 30;
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
let peak = 0;
for (let i = 0; i < rounds; i++) {
  const model = new Sequential([new LSTM(200), new Dense(1)]);
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  await model.fit(x, y, { epochs: 1, verbose: 0 });
  peak = Math.max(peak, heap.usage().total);
  if ((i + 1) % 250 === 0)
    console.log(
      `${i + 1} models: peak ${(peak / 2 ** 20).toFixed(0)} MiB, ${((performance.now() - begin) / 1000).toFixed(0)} s`,
    );
}
if (peak >= LIMIT) throw new Error(`expected memory below ${LIMIT} bytes, received ${peak}`);
console.log(`${rounds} models made, fitted and dropped: peak ${(peak / 2 ** 20).toFixed(0)} MiB of WebAssembly memory`);
process.exit(0);
