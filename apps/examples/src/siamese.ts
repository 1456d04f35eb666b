import { Concatenate, Dense, Embedding, GRU, Input, Model, Multiply, Subtract, tensor } from 'recurra';
import { longest, vocabularyOf, wordIds } from './words.js';

/** Pairs of texts, and whether both mean the same. */
export interface SiameseData {
  readonly pairs: readonly (readonly [first: string, second: string, same: number])[];
}

/** Do two texts mean the same? Both go through one encoder: its layers, and so its weights, are shared. */
export function build(data: SiameseData) {
  const [first, second] = [data.pairs.map(([a]) => a), data.pairs.map(([, b]) => b)];
  const vocabulary = vocabularyOf([...first, ...second]);
  const length = longest([...first, ...second]);
  const text = Input({ shape: [length], dtype: 'int32' });
  const encoder = new Model({
    inputs: text,
    outputs: new GRU(6).apply(new Embedding(vocabulary.length + 1, 5, { maskZero: true }).apply(text)),
  });
  const [a, b] = [Input({ shape: [length], dtype: 'int32' }), Input({ shape: [length], dtype: 'int32' })];
  const [left, right] = [encoder.apply(a), encoder.apply(b)];
  const difference = new Subtract().apply([left, right]);
  const features = new Concatenate().apply([
    new Multiply().apply([difference, difference]),
    new Multiply().apply([left, right]),
  ]);
  const model = new Model({
    inputs: [a, b] as const,
    outputs: new Dense(1, { activation: 'sigmoid' }).apply(features),
  });
  const x = [wordIds(first, vocabulary, length), wordIds(second, vocabulary, length)] as const;
  const y = tensor(data.pairs.map(([, , same]) => [same]));
  return { model, x, y, loss: 'binaryCrossentropy' as const };
}

/** Trains it, and asks it about the first pairs. Resolves to the share of right answers. */
export async function run(data: SiameseData, print: (line: string) => void): Promise<number> {
  const { model, x, y, loss } = build(data);
  model.compile({ optimizer: 'adam', loss, metrics: ['accuracy'] });
  model.optimizer!.learningRate = 0.02;
  const history = await model.fit(x, y, { epochs: 60, batchSize: 5, verbose: 0 });
  const same = await model.predict(x);
  for (const [i, [first, second]] of data.pairs.slice(0, 3).entries())
    print(`${same.at(i).item().toFixed(2)}  ${first} | ${second}`);
  return history.last('accuracy');
}
