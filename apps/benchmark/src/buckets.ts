import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Dataset, jsonlDataset, Tokenizer } from 'recurra';
import { segmenter } from 'recurra/extend';

/**
 * The share of steps that are padding, on two real sets: all texts padded to the longest, to the longest of their batch, and in buckets of
 * similar length. Batches of 32, shuffled. Texts longer than 400 words are cut, as one would for training.
 */
export async function buckets(): Promise<number> {
  const folder = process.env['BENCH_DATA'];
  const files = [
    ['imdb-10k/train.jsonl.gz', undefined],
    ['hotel-reviews-zh/train.jsonl.gz', segmenter()],
  ] as const;
  if (!folder || files.some(([file]) => !existsSync(join(folder, file)))) {
    console.error(`bench: expected BENCH_DATA to name a folder with ${files.map(([file]) => file).join(' and ')}`);
    return 1;
  }
  const LIMIT = 400;
  console.log('| padded steps | texts | median length | one length | longest of the batch | buckets |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [file, analyzer] of files) {
    const texts = (await jsonlDataset<{ text: string }>(join(folder, file)).toArray()).map((row) => row.text);
    const tokenizer = new Tokenizer(analyzer ? { analyzer } : {});
    tokenizer.fitOnTexts(texts);
    const sequences = tokenizer.textsToSequences(texts).map((s) => s.slice(0, LIMIT));
    const lengths = sequences.map((s) => s.length).sort((a, b) => a - b);
    const words = lengths.reduce((a, b) => a + b, 0);
    const quantile = (q: number): number => lengths[Math.floor(q * (lengths.length - 1))]!;
    const boundaries = [...new Set([0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.94, 0.98].map(quantile))];
    const data = Dataset.fromArray(sequences).shuffle({ seed: 1 });
    const steps = async (batches: Dataset<{ readonly size: number }>): Promise<number> => {
      let n = 0;
      for await (const batch of batches) n += batch.size;
      return n;
    };
    const share = (n: number): string => `${(100 * (1 - words / n)).toFixed(1)} %`;
    const whole = lengths[lengths.length - 1]! * lengths.length;
    const batched = await steps(data.paddedBatch(32));
    const bucketed = await steps(data.bucketByLength({ boundaries, batchSize: 32 }));
    console.log(
      `| ${file.split('/')[0]} | ${texts.length} | ${quantile(0.5)} | ${share(whole)} | ${share(batched)} | ${share(bucketed)} |`,
    );
  }
  return 0;
}
