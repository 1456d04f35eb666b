/**
 * Trains a small model in a real browser, from the built packages as they are. Ends with `N passed, N failed`.
 */
import { checkInBrowser } from './browser.mjs';

const script = `
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
`;
await checkInBrowser(script, { '/rows.csv': 'x,y\n1,2\n3,4\n' });
