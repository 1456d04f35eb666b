import type { Layer, PartialShape } from './layer.js';

/** Keras' table of layers, output shapes (where the input shape is known) and numbers of parameters. */
export function summaryTable(name: string, layers: readonly Layer[], inputShape: PartialShape | null): string {
  const rows: string[][] = [];
  let shape: PartialShape | null = inputShape;
  for (const layer of layers) {
    shape = shape && layer.computeOutputShape(shape);
    const known = shape ? `(${shape.map((d) => d ?? 'None').join(', ')})` : '?';
    rows.push([
      `${layer.name} (${layer.className})`,
      known,
      layer.built ? layer.countParams().toLocaleString('en-US') : '0 (unbuilt)',
    ]);
  }
  const head = ['Layer (type)', 'Output Shape', 'Param #'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((r) => r[i]!.length)));
  const bar = (l: string, m: string, r: string, fill: string): string =>
    l + widths.map((w) => fill.repeat(w + 2)).join(m) + r;
  const row = (cells: string[], edge: string): string =>
    `${edge} ${cells.map((c, i) => (i === 2 ? c.padStart(widths[i]!) : c.padEnd(widths[i]!))).join(` ${edge} `)} ${edge}`;
  const total = layers.reduce((sum, l) => sum + l.countParams(), 0);
  const trainable = layers.reduce((sum, l) => sum + l.trainableWeights.reduce((s, w) => s + w.value.size, 0), 0);
  const count = (n: number): string => `${n.toLocaleString('en-US')} (${formatBytes(n * 4)})`;
  return [
    `Model: "${name}"`,
    bar('┏', '┳', '┓', '━'),
    row(head, '┃'),
    bar('┡', '╇', '┩', '━'),
    ...rows.flatMap((r, i) => [...(i > 0 ? [bar('├', '┼', '┤', '─')] : []), row(r, '│')]),
    bar('└', '┴', '┘', '─'),
    ` Total params: ${count(total)}`,
    ` Trainable params: ${count(trainable)}`,
    ` Non-trainable params: ${count(total - trainable)}`,
  ].join('\n');
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}.00 B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(2)} KB` : `${(bytes / 1024 ** 2).toFixed(2)} MB`;
}
