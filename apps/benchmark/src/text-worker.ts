/** Times the preparation of the texts of one file; prints milliseconds by task, the least of some repetitions. Arguments: file, language. */
import {
  BytePairTokenizer,
  Dataset,
  HuggingFaceTokenizer,
  jsonlDataset,
  padSequences,
  TextVectorization,
  Tokenizer,
} from 'recurra';

const REPETITIONS = 3;
/** Texts that the subword tokenizers take: one of them is slow. */
const SUBWORD_BYTES = 1_000_000;

async function least(f: () => unknown): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < REPETITIONS; i++) {
    const start = performance.now();
    await f();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Runs the tasks over a file of JSON lines with a `text` each. */
export async function main([file, language]: readonly string[]): Promise<void> {
  const rows = await jsonlDataset<{ text: string }>(file!).toArray();
  const texts = rows.map((row) => row.text);
  const bytes = texts.reduce((n, text) => n + Buffer.byteLength(text), 0);
  const characters = language === 'zh';
  const results: Record<string, number> = {};
  const fresh = (): Tokenizer => new Tokenizer({ oovToken: '<OOV>', charLevel: characters });
  results['fit'] = await least(() => fresh().fitOnTexts(texts));
  const tokenizer = fresh();
  tokenizer.fitOnTexts(texts);
  let sequences: number[][] = [];
  results['encode'] = await least(() => {
    sequences = tokenizer.textsToSequences(texts);
  });
  const vectorization = (): TextVectorization =>
    new TextVectorization({ maxTokens: 20_000, split: characters ? 'character' : 'whitespace' });
  results['adapt'] = await least(() => vectorization().adapt(texts));
  const layer = vectorization();
  layer.adapt(texts);
  results['vectorize'] = await least(() => {
    for (let i = 0; i < texts.length; i += 256) layer.call(texts.slice(i, i + 256));
  });
  results['pad'] = await least(() => padSequences(sequences, { maxLength: 200 }));
  results['batches'] = await least(async () => {
    for await (const batch of Dataset.fromArray(sequences).paddedBatch(32)) void batch;
  });

  const some: string[] = [];
  for (let i = 0, n = 0; i < texts.length && n < SUBWORD_BYTES; i++) {
    some.push(texts[i]!);
    n += Buffer.byteLength(texts[i]!);
  }
  const subwordBytes = some.reduce((n, text) => n + Buffer.byteLength(text), 0);
  results['subword train'] = await least(() => BytePairTokenizer.train(some, { vocabularySize: 4000 }));
  const pairs = BytePairTokenizer.train(some, { vocabularySize: 4000 });
  const json = pairs.toJson();
  results['subword encode'] = await least(() => {
    const own = BytePairTokenizer.fromJson(json);
    for (const text of some) own.encode(text);
  });
  const theirs = await HuggingFaceTokenizer.fromJson(json);
  results['subword encode, @huggingface/tokenizers'] = await least(() => {
    for (const text of some) theirs.encode(text);
  });
  console.log(JSON.stringify({ texts: texts.length, bytes, subwordBytes, words: tokenizer.wordIndex.size, results }));
}
