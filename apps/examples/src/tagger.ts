import { Bidirectional, CRF, Embedding, Input, LSTM, padSequences, Sequential } from 'recurra';
import { longest, vocabularyOf, wordIds } from './words.js';

/** Sentences whose words have tags. */
export interface TaggerData {
  readonly tags: readonly string[];
  readonly sentences: readonly { readonly words: string; readonly tags: string }[];
}

/** A tagger: a bidirectional LSTM under a CRF. Padding is masked; its tags are -1, and nothing reads them. */
export function build(data: TaggerData) {
  const texts = data.sentences.map(({ words }) => words);
  const vocabulary = vocabularyOf(texts);
  const length = longest(texts);
  const x = wordIds(texts, vocabulary, length);
  const rows = data.sentences.map(({ tags }) => tags.split(' ').map((tag) => data.tags.indexOf(tag)));
  const y = padSequences(rows, { maxLength: length, padding: 'post', value: -1 });
  const crf = new CRF(data.tags.length);
  const model = new Sequential([
    Input({ shape: [length], dtype: 'int32' }),
    new Embedding(vocabulary.length + 1, 6, { maskZero: true }),
    new Bidirectional(new LSTM(5, { returnSequences: true })),
    crf,
  ]);
  return { model, crf, x, y, loss: crf.loss };
}

/** Trains it, and tags the first sentences. Resolves to the share of right tags. */
export async function run(data: TaggerData, print: (line: string) => void): Promise<number> {
  const { model, crf, x, y } = build(data);
  model.compile({ optimizer: 'adam', loss: crf.loss, metrics: [crf.accuracy] });
  model.optimizer!.learningRate = 0.02;
  const history = await model.fit(x, y, { epochs: 60, batchSize: 4, verbose: 0 });
  const found = crf.decode(await model.predict(x), { mask: x.notEqual(0) });
  for (const [i, { words }] of data.sentences.slice(0, 3).entries()) {
    const names = [...found.at(i).data].map((tag) => data.tags[tag]!);
    print(
      words
        .split(' ')
        .map((word, t) => `${word}/${names[t]}`)
        .join(' '),
    );
  }
  return history.last('accuracy');
}
