/** What the article's reader runs first: import, tokenize, build, train 10 epochs on 64 sentences. In a process of its own. */
import { Dense, Embedding, LSTM, padSequences, Sequential, setSeed, Tokenizer } from 'recurra';

setSeed(1);
const good = ['I loved this film', 'A truly wonderful story', 'Brilliant acting throughout', 'Funny from start to end'];
const bad = ['What a waste of time', 'The plot made no sense', 'I fell asleep halfway', 'Dull, slow and far too long'];
const texts = Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? good : bad)[(i >> 1) % 4]!);
const labels = texts.map((_, i) => 1 - (i % 2));

const tokenizer = new Tokenizer();
tokenizer.fitOnTexts(texts);
const x = padSequences(tokenizer.textsToSequences(texts), { maxLength: 100 });
const model = new Sequential([new Embedding(10_000, 32), new LSTM(32), new Dense(1, { activation: 'sigmoid' })]);
model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
const { history } = await model.fit(x, labels, { epochs: 10, batchSize: 32, verbose: 0 });

const { user, system } = process.cpuUsage();
const rss = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ cpu: (user + system) / 1e6, rss, loss: history['loss']!.at(-1) }));
