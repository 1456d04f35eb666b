import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { csvDataset, RowReport } from 'recurra';

const WORDS = 'the quick brown fox jumps over a lazy dog while seven wizards box with five daft sphinxes'.split(' ');

/** Writes rows `id,text,value,label`: some texts quoted, with commas and doubled quotes, one bad row in a million. */
async function generate(path: string, bytes: number): Promise<{ rows: number; bad: number }> {
  const out = createWriteStream(path, { highWaterMark: 1 << 20 });
  out.write('id,text,value,label\n');
  let written = 0;
  let rows = 0;
  let bad = 0;
  let state = 1;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  while (written < bytes) {
    let block = '';
    for (let i = 0; i < 2000; i++) {
      const words = Array.from({ length: 4 + random(16) }, () => WORDS[random(WORDS.length)]!);
      const text = rows % 10 === 0 ? `"${words.join(', ')}, ""so it goes"""` : words.join(' ');
      if (rows % 1_000_000 === 999_999) {
        block += `${rows},${text}\n`;
        bad++;
      } else block += `${rows},${text},${(random(2_000_000) / 1e6 - 1).toFixed(6)},${random(3)}\n`;
      rows++;
    }
    written += Buffer.byteLength(block);
    if (!out.write(block)) await new Promise<void>((resolve) => out.once('drain', () => resolve()));
  }
  out.end();
  await finished(out);
  return { rows, bad };
}

/** Streams a generated file of so many MiB through `csvDataset` into batches, and reports the rate and the resident memory on the way. */
export async function csv(megabytes: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-csv-'));
  const path = join(folder, 'rows.csv');
  try {
    const expected = await generate(path, megabytes * 2 ** 20);
    const { size } = statSync(path);
    const report = new RowReport();
    const resident = (): number => process.memoryUsage().rss / 2 ** 20;
    const before = resident();
    const samples: number[] = [];
    let peak = 0;
    const start = performance.now();
    const batches = csvDataset(path, {
      ...{ numeric: ['value', 'label'], required: ['label'], onBadRow: 'collect', report },
      onProgress: ({ bytes }) => {
        const now = resident();
        peak = Math.max(peak, now);
        if (bytes / size >= (samples.length + 1) / 8) samples.push(Math.round(now));
      },
    })
      .map((row) => ({ x: row['value'] as number, y: row['label'] as number }))
      .batch(256);
    let rows = 0;
    for await (const { x } of batches) rows += x.shape[0]!;
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `${(size / 2 ** 20).toFixed(0)} MiB, ${rows} rows in batches of 256 and ${report.bad} bad ones (of ${expected.rows}): ${seconds.toFixed(1)} s, ${(size / 1e6 / seconds).toFixed(1)} MB/s`,
    );
    console.log(
      `resident memory: ${before.toFixed(0)} MiB before, ${samples.join(', ')} MiB on the way, ${peak.toFixed(0)} MiB at most`,
    );
    return rows === expected.rows - expected.bad && report.bad === expected.bad ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
