import {
  AdditiveAttention,
  Concatenate,
  Dense,
  Embedding,
  Input,
  LSTM,
  Model,
  SparseCategoricalCrossentropy,
  type Tensor,
  tensor,
} from 'recurra';
import { longest, vocabularyOf, wordIds } from './words.js';

/** Texts, and what they are in another language. */
export interface TranslationData {
  readonly pairs: readonly (readonly [source: string, target: string])[];
}

const UNITS = 8;

/** An encoder, a decoder that begins with its states and attends to its outputs; the decoder reads the right word before the one that it says. */
export function build(data: TranslationData) {
  const [sources, targets] = [data.pairs.map(([a]) => a), data.pairs.map(([, b]) => b)];
  const sourceWords = vocabularyOf(sources);
  const targetWords = ['<start>', '<end>', ...vocabularyOf(targets)];
  const [length, steps] = [longest(sources), longest(targets) + 1];
  const source = wordIds(sources, sourceWords, length);
  const given = wordIds(
    targets.map((text) => `<start> ${text}`),
    targetWords,
    steps,
  );
  const y = wordIds(
    targets.map((text) => `${text} <end>`),
    targetWords,
    steps,
  );

  const a = Input({ shape: [length], dtype: 'int32' });
  const b = Input({ shape: [steps], dtype: 'int32' });
  const embedded = new Embedding(sourceWords.length + 1, 6, { maskZero: true }).apply(a);
  const [memory, h, c] = new LSTM(UNITS, { returnSequences: true, returnState: true }).apply(embedded);
  const said = new Embedding(targetWords.length + 1, 6, { maskZero: true }).apply(b);
  const states = new LSTM(UNITS, { returnSequences: true }).apply(said, { initialState: [h!, c!] });
  const seen = new AdditiveAttention().apply([states, memory]);
  const scores = new Dense(targetWords.length + 1).apply(new Concatenate().apply([states, seen]));
  const model = new Model({ inputs: [a, b] as const, outputs: scores });
  const loss = new SparseCategoricalCrossentropy({ fromLogits: true, ignoreClass: 0 });
  return { model, x: [source, given] as const, y, loss, targetWords, steps };
}

/** What the model says for sources, word by word, each time the best: int32 [n, steps]. */
async function translate({ model, x: [source], steps }: ReturnType<typeof build>): Promise<number[][]> {
  const n = source.shape[0]!;
  const rows: number[][] = Array.from({ length: n }, () => [1, ...new Array<number>(steps - 1).fill(0)]);
  const found: number[][] = rows.map(() => []);
  for (let t = 0; t < steps; t++) {
    const scores: Tensor = await model.predict([source, tensor(rows, { dtype: 'int32' })]);
    const best = scores.at(t, 1).argmax(-1).data;
    rows.forEach((row, i) => {
      found[i]!.push(best[i]!);
      if (t + 1 < steps) row[t + 1] = best[i]!;
    });
  }
  return found;
}

/** Trains it, and lets it translate without help. Resolves to the share of translations that are right to the last word. */
export async function run(data: TranslationData, print: (line: string) => void): Promise<number> {
  const built = build(data);
  const { model, x, y, loss, targetWords } = built;
  model.compile({ optimizer: 'adam', loss });
  model.optimizer!.learningRate = 0.02;
  await model.fit(x, y, { epochs: 80, batchSize: 6, verbose: 0 });
  const texts = (await translate(built)).map((row) => {
    const words = row.map((id) => targetWords[id - 1] ?? '');
    const end = words.indexOf('<end>');
    return words.slice(0, end < 0 ? words.length : end).join(' ');
  });
  for (const [i, [source]] of data.pairs.slice(0, 3).entries()) print(`${source} -> ${texts[i]}`);
  return data.pairs.filter(([, target], i) => texts[i] === target).length / data.pairs.length;
}
