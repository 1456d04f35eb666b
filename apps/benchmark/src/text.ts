import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Times {
  readonly texts: number;
  readonly words: number;
  readonly bytes?: number;
  readonly subwordBytes?: number;
  readonly results: Readonly<Record<string, number>>;
}

const LABELS: Readonly<Record<string, string>> = {
  fit: 'fit a vocabulary (`Tokenizer.fitOnTexts`)',
  encode: 'encode (`textsToSequences`)',
  adapt: '`TextVectorization.adapt`',
  vectorize: '`TextVectorization`, batches of 256',
  pad: '`padSequences`, to 200',
  batches: 'padded batches of 32',
};

/** The last line that a program prints, as JSON; `null` where it fails. */
function timesOf(command: string, args: readonly string[]): Times | null {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status === 0) return JSON.parse(stdout.trim().split('\n').pop()!) as Times;
  console.error(`bench: ${command} ${args[0]} failed\n${stderr.slice(-2000)}`);
  return null;
}

function least(rounds: readonly Times[]): Record<string, number> {
  const best: Record<string, number> = {};
  for (const { results } of rounds)
    for (const [task, ms] of Object.entries(results)) best[task] = Math.min(best[task] ?? Infinity, ms);
  return best;
}

/**
 * Preparation of text beside Keras in Python (and `@huggingface/tokenizers` in the same process as ours), in rounds that take turns: MB/s (MB of
 * UTF-8) and ratios, as Markdown. Files of JSON lines with a `text` each, from the folder that BENCH_DATA names.
 */
export function text(rounds: number): number {
  const folder = process.env['BENCH_DATA'];
  const files = [
    ['English', 'imdb-10k/train.jsonl.gz', 'en'],
    ['Chinese, by character', 'hotel-reviews-zh/train.jsonl.gz', 'zh'],
  ] as const;
  if (!folder || files.some(([, file]) => !existsSync(join(folder, file)))) {
    console.error(`bench: expected BENCH_DATA to name a folder with ${files.map(([, file]) => file).join(' and ')}`);
    return 1;
  }
  const python = process.env['BENCH_PY'] ?? join(process.cwd(), '.bench-env/py/bin/python');
  const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  for (const [title, file, language] of files) {
    const path = join(folder, file);
    const ours: Times[] = [];
    const keras: Times[] = [];
    for (let round = 0; round < rounds; round++) {
      const own = timesOf(process.execPath, [local('../bin/text-worker.js'), path, language]);
      if (!own) return 1;
      ours.push(own);
      const theirs = existsSync(python) ? timesOf(python, [local('../peers/text.py'), path, language]) : null;
      if (theirs) keras.push(theirs);
    }
    const { bytes, texts, words, subwordBytes } = ours[0]!;
    const [a, b] = [least(ours), least(keras)];
    const rate = (ms: number | undefined, of = bytes!): string => (ms === undefined ? '' : (of / 1000 / ms).toFixed(1));
    console.log(`\n### ${title}: ${texts} texts, ${(bytes! / 1e6).toFixed(1)} MB, ${words} different words\n`);
    console.log('| MB/s | ours | Keras | ratio |\n| --- | ---: | ---: | ---: |');
    for (const [task, label] of Object.entries(LABELS)) {
      const ratio = b[task] === undefined ? '' : (b[task] / a[task]!).toFixed(2);
      console.log(`| ${label} | ${rate(a[task])} | ${rate(b[task])} | ${ratio} |`);
    }
    if (keras.length > 0 && keras[0]!.words !== words)
      console.log(`\nNot the same: Keras found ${keras[0]!.words} words.`);
    const theirs = a['subword encode, @huggingface/tokenizers']!;
    console.log(
      `\nByte pairs, 4000 tokens, on ${(subwordBytes! / 1e6).toFixed(1)} MB: trained at ${rate(a['subword train'], subwordBytes)} MB/s; encoded at ${rate(a['subword encode'], subwordBytes)} MB/s, by @huggingface/tokenizers at ${rate(theirs, subwordBytes)} (ratio ${(theirs / a['subword encode']!).toFixed(2)}).`,
    );
  }
  if (!existsSync(python)) console.log('\nKeras is absent (BENCH_PY).');
  return 0;
}
