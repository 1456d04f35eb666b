import type { Evaluation, Prediction } from './classifier.js';
import type { Sample } from './data.js';
import { columnsOf, oneLine, padEnd, padStart } from './terminal.js';

/** How many samples there are of each label. */
export function dataSummary(title: string, samples: readonly Sample[]): string {
  const counts = new Map<string, number>();
  for (const { label } of samples) counts.set(label!, (counts.get(label!) ?? 0) + 1);
  const list = [...counts].sort((a, b) => a[0].localeCompare(b[0])).map(([label, n]) => `${oneLine(label)} ${n}`);
  const shown = list.length > 12 ? [...list.slice(0, 12), `... ${list.length} classes`] : list;
  return `${title}: ${samples.length} texts (${shown.join(', ')})`;
}

/** 91.7 % */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Rows are actual labels, columns predicted ones. */
export function confusionTable({ confusion }: Evaluation, labels: readonly string[]): string {
  const corner = 'actual \\ predicted';
  const shown = labels.map(oneLine);
  const first = Math.max(...[corner, ...shown].map(columnsOf)) + 1;
  const width = Math.max(6, ...[...shown, ...confusion.flat().map(String)].map(columnsOf)) + 1;
  const line = (head: string, cells: readonly string[]): string =>
    padEnd(head, first) + cells.map((cell) => padStart(cell, width)).join('');
  return [line(corner, shown), ...confusion.map((row, i) => line(shown[i]!, row.map(String)))].join('\n');
}

/** One answer a line. */
export function predictionLines(predictions: readonly Prediction[]): string {
  // Not the widest of many: one long label would move all others away.
  const width = Math.max(12, ...new Set(predictions.map((p) => Math.min(30, columnsOf(oneLine(p.label))))));
  return predictions
    .map((p) => `  ${padEnd(oneLine(p.label), width)} ${percent(p.probability).padStart(8)}  ${oneLine(p.text)}`)
    .join('\n');
}
