import type { Evaluation, Prediction } from './classifier.js';
import type { Sample } from './data.js';

/** How many samples there are of each label. */
export function dataSummary(title: string, samples: readonly Sample[]): string {
  const counts = new Map<string, number>();
  for (const { label } of samples) counts.set(label!, (counts.get(label!) ?? 0) + 1);
  const list = [...counts].sort((a, b) => a[0].localeCompare(b[0])).map(([label, n]) => `${label} ${n}`);
  const shown = list.length > 12 ? [...list.slice(0, 12), `... ${list.length} classes`] : list;
  return `${title}: ${samples.length} texts (${shown.join(', ')})`;
}

/** 91.7 % */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Rows are actual labels, columns predicted ones. */
export function confusionTable(evaluation: Evaluation, labels: readonly string[]): string {
  const width = Math.max(6, ...labels.map((l) => l.length)) + 1;
  const head = `${'actual \\ predicted'.padEnd(20)}${labels.map((l) => l.padStart(width)).join('')}`;
  const rows = evaluation.confusion.map(
    (row, i) => `${labels[i]!.padEnd(20)}${row.map((n) => String(n).padStart(width)).join('')}`,
  );
  return [head, ...rows].join('\n');
}

/** A text on one line, without what a terminal takes for commands. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
const oneLine = (text: string): string => text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();

/** One answer a line. */
export function predictionLines(predictions: readonly Prediction[]): string {
  return predictions
    .map((p) => `  ${p.label.padEnd(12)} ${percent(p.probability).padStart(8)}  ${oneLine(p.text)}`)
    .join('\n');
}
