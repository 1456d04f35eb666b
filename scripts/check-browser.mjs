/**
 * Trains a small model in a real browser, from the built packages as they are (ES modules, no bundler), in a page that is cross-origin
 * isolated, so that threads are there. CHROMIUM names the
 * binary (default: chromium). Ends with `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './setup.mjs';

const names = readdirSync(join(root, 'packages')).filter((name) => name !== 'testing');
const foreign = '/packages/preprocessing/node_modules';
const imports = {
  ...Object.fromEntries(
    names.flatMap((name) => {
      const specifier = name === 'recurra' ? name : `@recurra/${name}`;
      return [
        [specifier, `/packages/${name}/dist/index.js`],
        [`${specifier}/extend`, `/packages/${name}/dist/extend.js`],
      ];
    }),
  ),
  '@noble/hashes/': `${foreign}/@noble/hashes/`,
  valibot: `${foreign}/valibot/dist/index.mjs`,
  fflate: '/packages/formats/node_modules/fflate/esm/browser.js',
  h5wasm: '/packages/formats/node_modules/h5wasm/dist/esm/hdf5_hl.js',
  'idb-keyval': '/packages/layers/node_modules/idb-keyval/dist/index.js',
  leven: '/packages/tensor/node_modules/leven/index.js',
};

const page = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
const report = (results) => fetch('/result', { method: 'POST', body: JSON.stringify(results) });
addEventListener('error', (event) => report([[String(event.message), false]]));
addEventListener('unhandledrejection', (event) => report([[String(event.reason), false]]));
const { Bidirectional, Dense, Embedding, GRU, Sequential, Tokenizer, csvDataset, fileStorage, grad, indexedDbStorage, jit, jsonlDataset, loadAssets, loadModel, padSequences, randomBits, randomKey, randomUniform, segmentWords, setSeed, setThreads, tensor, threads } = await import('recurra');
const results = [];
results.push(['gradient', grad((x) => x.square().sum())(tensor([1, 2])).toArray().join() === '2,4']);
results.push(['Philox', (randomBits([1], { key: tensor(Int32Array.of(0, 0)) }).item() >>> 0) === 0x6627e8d5]);
setSeed(1);
const texts = ['今天下雨', 'rain and wind', '球队赢了', 'the team won'];
const tokenizer = new Tokenizer({ analyzer: segmentWords });
tokenizer.fitOnTexts(texts);
const x = padSequences(tokenizer.textsToSequences(texts));
const model = new Sequential([new Embedding(tokenizer.vocabularySize, 8, { maskZero: true }), new Bidirectional(new GRU(8)), new Dense(1, { activation: 'sigmoid' })]);
model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
const { history } = await model.fit(x, [0, 0, 1, 1], { epochs: 100, verbose: 0 });
results.push(['training', history.accuracy.at(-1) === 1 && history.loss.at(-1) < history.loss[0]]);
results.push(['prediction', (await model.predict(x)).shape.join() === '4,1']);
// Kept in the browser, and opened again, as are files that a user chose.
const kept = indexedDbStorage('models');
const plain = new Tokenizer();
plain.fitOnTexts(texts);
await model.save('text/m.keras', { storage: kept, assets: { plain, labels: ['rain', 'team'] } });
const again = await loadModel('text/m.keras', { storage: indexedDbStorage('models') });
const same = async (other) => {
  const [a, b] = [await model.predict(x), await other.predict(x)];
  return a.data.every((v, i) => v === b.data[i]) && other.optimizer.iterations === 100;
};
results.push(['a model in IndexedDB', await same(again)]);
const assets = await loadAssets('text/m.keras', { storage: kept });
results.push(['its tokenizer', assets.plain.toJson() === plain.toJson() && assets.labels[1] === 'team']);
const chosen = new File([await kept.read('text/m.keras')], 'chosen.keras');
results.push(['a model of a File', (await same(await loadModel(chosen))) && (await same(await loadModel('chosen.keras', { storage: fileStorage([chosen]) })))]);
// A file that a user chose, as it is and compressed.
const file = new File(['text,label\\n"a, b",1\\nc,0\\n'], 'rows.csv');
const rows = await csvDataset(file, { numeric: ['label'] }).toArray();
results.push(['CSV of a File', rows.length === 2 && rows[0].text === 'a, b' && rows[0].label === 1]);
const zipped = new Blob(['{"a":1}\\n{"a":2}\\n']).stream().pipeThrough(new CompressionStream('gzip'));
const lines = await jsonlDataset(zipped).map((row) => row.a).toArray();
results.push(['JSON lines of a gzip stream', lines.join() === '1,2']);
const fetched = await csvDataset(await fetch('/rows.csv'), { numeric: 'all' }).batch(2).toArray();
results.push(['CSV of a response', fetched[0].x.toArray().join() === '1,3']);
// Cross-origin isolated: memory is shared, and a large step runs on a pool of two workers, to the same bits as inline.
results.push(['isolation', crossOriginIsolated]);
const a = randomUniform([450, 450], { key: randomKey(1) });
const step = jit((m) => m.matmul(m).tanh().matmul(m));
await setThreads(1);
const inline = (await step(a)).data;
await setThreads(2);
results.push(['threads', threads().count === 2]);
const pooled = (await step(a)).data;
results.push(['same bits on two threads', inline.every((v, i) => v === pooled[i])]);
await report(results);
</script>`;

let deliver;
const delivered = new Promise((resolve) => {
  deliver = resolve;
});
const server = createServer((request, response) => {
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-embedder-policy', 'require-corp');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  const path = join(root, decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  if (request.method === 'POST') {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      response.end();
      deliver(JSON.parse(body));
    });
  } else if (request.url === '/rows.csv') response.end('x,y\n1,2\n3,4\n');
  else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
  else if (path.startsWith(join(root, 'packages')) && /\.m?js$/.test(path) && existsSync(path))
    response.setHeader('content-type', 'text/javascript').end(readFileSync(path));
  else response.writeHead(404).end();
});
await new Promise((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});

const profile = mkdtempSync(join(tmpdir(), 'recurra-browser-'));
const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
const browser = spawn(
  process.env.CHROMIUM ?? 'chromium',
  [...flags.split(' '), `--user-data-dir=${profile}`, `http://127.0.0.1:${server.address().port}/`],
  { stdio: 'ignore' },
);
const gone = new Promise((resolve) => {
  browser.on('error', (error) => resolve([[`the browser did not start: ${error.message}`, false]]));
  browser.on('exit', (code) => resolve([[`the browser ended with code ${code}`, false]]));
});
const late = new Promise((resolve) => {
  setTimeout(() => resolve([['no result within 90 seconds', false]]), 90_000).unref();
});
const results = await Promise.race([delivered, gone, late]);
browser.kill();
await gone;
server.close();
rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
for (const [what, ok] of results) if (!ok) console.error(`FAILED in the browser: ${what}`);
const passed = results.filter(([, ok]) => ok).length;
console.log(`${passed} passed, ${results.length - passed} failed`);
process.exitCode = passed === results.length ? 0 : 1;
