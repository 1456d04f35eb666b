import type { AnyLayer } from './base/layer.js';
import type { Model } from './base/model.js';
import type { PartialShape, SymbolicTensor } from './base/symbolic.js';
import { InputLayer } from './layers/input.js';

const shapeText = (shape: PartialShape): string =>
  `(${shape.map((d) => d ?? 'None').join(', ')}${shape.length === 1 ? ',' : ''})`;

/** Keras' table of layers, output shapes (where they are known), numbers of parameters, and for graphs what each layer is connected to. */
export function summaryTable(model: Model): string {
  const graph = model.graph;
  const rows: string[][] = [];
  const count = (layer: AnyLayer): string =>
    layer.built ? layer.countParams().toLocaleString('en-US') : '0 (unbuilt)';
  if (graph) {
    for (const layer of model.children()) {
      const calls = graph.calls.filter((call) => call.operation === layer);
      const outputs = layer instanceof InputLayer ? [layer.output] : calls.flatMap((call) => call.results);
      const from = [...new Set(calls.flatMap((call) => call.sources))];
      rows.push([
        `${layer.name} (${layer.className})`,
        outputs.map((o) => shapeText(o.shape)).join(', '),
        layer instanceof InputLayer ? '0' : count(layer),
        from.length === 0 ? '-' : from.map((t) => `${t.name}[${callIndex(t, model)}][${t.index}]`).join(', '),
      ]);
    }
  } else {
    let shape: unknown = model.inputShape;
    for (const layer of model.children()) {
      shape = shape && layer.computeOutputShape(shape);
      rows.push([`${layer.name} (${layer.className})`, shape ? shapesText(shape) : '?', count(layer)]);
    }
  }
  const head = ['Layer (type)', 'Output Shape', 'Param #', ...(graph ? ['Connected to'] : [])];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((r) => r[i]!.length)));
  const bar = (l: string, m: string, r: string, fill: string): string =>
    l + widths.map((w) => fill.repeat(w + 2)).join(m) + r;
  const row = (cells: readonly string[], edge: string): string =>
    `${edge} ${cells.map((c, i) => (i === 2 ? c.padStart(widths[i]!) : c.padEnd(widths[i]!))).join(` ${edge} `)} ${edge}`;
  const sum = (variables: Model['weights']): { n: number; bytes: number } =>
    variables.reduce(
      ({ n, bytes }, v) => ({
        n: n + v.value.size,
        bytes: bytes + v.value.size * (v.value.dtype === 'float64' ? 8 : 4),
      }),
      { n: 0, bytes: 0 },
    );
  const size = (variables: Model['weights']): string => {
    const { n, bytes } = sum(variables);
    return `${n.toLocaleString('en-US')} (${formatBytes(bytes)})`;
  };
  return [
    `Model: "${model.name}"`,
    bar('┏', '┳', '┓', '━'),
    row(head, '┃'),
    bar('┡', '╇', '┩', '━'),
    ...rows.flatMap((r, i) => [...(i > 0 ? [bar('├', '┼', '┤', '─')] : []), row(r, '│')]),
    bar('└', '┴', '┘', '─'),
    ` Total params: ${size(model.weights)}`,
    ` Trainable params: ${size(model.trainableWeights)}`,
    ` Non-trainable params: ${size(model.nonTrainableWeights)}`,
  ].join('\n');
}

/** Shapes of one or several outputs. */
function shapesText(shape: unknown): string {
  if (Array.isArray(shape) && shape.every((d) => d === null || typeof d === 'number')) return shapeText(shape);
  return Array.isArray(shape) ? shape.map(shapesText).join(', ') : '?';
}

function callIndex(tensor: SymbolicTensor, model: Model): number {
  const calls = model.graph!.calls.filter((call) => call.operation === tensor.call.operation);
  return Math.max(0, calls.indexOf(tensor.call));
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}.00 B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(2)} KB` : `${(bytes / 1024 ** 2).toFixed(2)} MB`;
}
