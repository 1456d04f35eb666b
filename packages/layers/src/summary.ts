import { ValueError } from '@recurra/tensor';
import { checkRules, describeValue, type Rules, rules } from '@recurra/tensor/extend';
import type { Graph } from './base/graph.js';
import { callNumbers } from './base/graph-config.js';
import type { AnyLayer } from './base/layer.js';
import type { Model } from './base/model.js';
import type { SymbolicTensor } from './base/symbolic.js';
import type { Variable } from './base/variable.js';
import { formatTable } from './internal/table.js';
import { type LayerShapes, shapesOf, shapesText } from './shapes.js';

/** Options of `summary`; those of Keras. */
export interface SummaryOptions {
  /** Write it to the console; true. */
  readonly print?: boolean;
  /** Characters of a line; `null` (default): those of the terminal (80 without one) less 4, at most 88 (108 with connections, 12 more with `showTrainable`). */
  readonly lineLength?: number | null;
  /** Where columns end, as shares of the line; `null`: Keras' ones. */
  readonly positions?: readonly number[] | null;
  /** Show the layers of models within; false. */
  readonly expandNested?: boolean;
  /** Show which layers are trained; false. */
  readonly showTrainable?: boolean;
  /** The first and the last layer to show: names, or patterns that they begin with; `null`: all. */
  readonly layerRange?: readonly [string, string] | null;
}

const OPTIONS: Rules<SummaryOptions> = {
  print: rules.flag,
  lineLength: rules.orNull(rules.count),
  positions: rules.orNull(rules.numbers),
  expandNested: rules.flag,
  showTrainable: rules.flag,
  // What looks for the layers says more.
  layerRange: rules.anything,
};

/** Is it a single chain: no layer with several inputs, none called twice, no branch? Then the table needs no connections. */
function isChain(graph: Graph, inputs: readonly SymbolicTensor[]): boolean {
  if (inputs.length !== 1) return false;
  const operations = new Set<unknown>();
  const sources = new Set<unknown>();
  return graph.calls.every((call) => {
    const from = call.sources[0]?.call;
    const once = call.sources.length === 1 && !operations.has(call.operation) && !sources.has(from);
    operations.add(call.operation);
    sources.add(from);
    return once;
  });
}

/** Keras' table of layers, output shapes (where they are known), numbers of parameters, and for graphs what each layer is connected to. */
export function summaryTable(model: Model<never, never>, options: SummaryOptions = {}): string {
  checkRules('summary', options, OPTIONS);
  const { expandNested = false, showTrainable = false, layerRange = null } = options;
  const graph = model.graph as Graph | null;
  const chain = !graph || isChain(graph, model.inputSpecs as readonly SymbolicTensor[]);
  const numbers = graph && !chain ? callNumbers(graph) : null;

  const connections = (layer: AnyLayer): string =>
    graph!.calls
      .filter((call) => call.operation === layer)
      .flatMap((call) => call.sources)
      .map((t) => `${t.name}[${numbers!.get(t.call) ?? 0}][${t.index}]`)
      .join(', ') || '-';
  const rows: string[][] = [];
  const add = (layer: AnyLayer, known: LayerShapes | null, level: number): void => {
    rows.push([
      `${level > 0 ? `${'   '.repeat(level)}└ ` : ''}${layer.name} (${layer.className})`,
      shapesText(known?.output ?? null),
      layer.built ? layer.countParams().toLocaleString('en-US') : '0 (unbuilt)',
      ...(numbers ? [connections(layer)] : []),
      ...(showTrainable ? [layer.weights.length === 0 ? '-' : layer.trainable ? 'Y' : 'N'] : []),
    ]);
    if (!expandNested || !isModel(layer)) return;
    const inner = shapesOf(layer, known);
    for (const child of layer.layers as unknown as readonly AnyLayer[]) add(child, inner.get(child) ?? null, level + 1);
  };
  const shapes = shapesOf(model as never);
  const layers = model.layers as unknown as readonly AnyLayer[];
  for (const layer of inRange(layers, layerRange)) add(layer, shapes.get(layer) ?? null, 0);

  let positions = options.positions ?? (chain ? [0.45, 0.8, 1] : [0.3, 0.56, 0.74, 1]);
  if (showTrainable && !options.positions) positions = [...positions.map((p) => p * 0.9), 1];
  const columns = [
    { title: 'Layer (type)', align: 'left' },
    { title: 'Output Shape', align: 'left' },
    { title: 'Param #', align: 'right' },
    ...(chain ? [] : [{ title: 'Connected to', align: 'left' } as const]),
    ...(showTrainable ? [{ title: 'Trainable', align: 'center' } as const] : []),
  ] as const;
  if (positions.length !== columns.length)
    throw new ValueError(`summary: expected ${columns.length} positions, one a column, received ${positions.length}`);
  const most = (chain ? 88 : 108) + (showTrainable ? 12 : 0);
  const lineLength = options.lineLength ?? Math.min(most, terminalColumns() - 4);

  const optimizer = model.builtOptimizer?.variables ?? [];
  const size = (variables: readonly Variable[]): string => {
    const count = variables.reduce((n, v) => n + v.value.size, 0);
    const bytes = variables.reduce((n, v) => n + v.value.size * (v.value.dtype === 'float64' ? 8 : 4), 0);
    return `${count.toLocaleString('en-US')} (${formatBytes(bytes)})`;
  };
  return [
    `Model: "${model.name}"`,
    ...formatTable(columns, rows, positions, lineLength),
    ` Total params: ${size([...model.weights, ...optimizer])}`,
    ` Trainable params: ${size(model.trainableWeights)}`,
    ` Non-trainable params: ${size(model.nonTrainableWeights)}`,
    ...(model.builtOptimizer ? [` Optimizer params: ${size(optimizer)}`] : []),
  ].join('\n');
}

/** Is it a model, whose layers can be shown? */
const isModel = (layer: AnyLayer): layer is Model<never, never> => 'layers' in layer && 'fit' in layer;

function inRange(layers: readonly AnyLayer[], range: readonly [string, string] | null): readonly AnyLayer[] {
  if (range === null) return layers;
  if (!Array.isArray(range) || range.length !== 2 || !range.every((name) => typeof name === 'string'))
    throw new ValueError(`summary: expected layerRange to be two names or patterns, received ${describeValue(range)}`);
  const begins = (pattern: string): number[] => {
    const expression = new RegExp(`^(?:${pattern})`);
    const found = layers.flatMap((layer, i) => (expression.test(layer.name) ? [i] : []));
    if (found.length === 0)
      throw new ValueError(
        `summary: expected layerRange to name layers (${layers.map((l) => l.name).join(', ')}), received ${describeValue(pattern)}`,
      );
    return found;
  };
  const [first, last] = range.map(begins) as [number[], number[]];
  if (Math.min(...first) > Math.max(...last)) return layers.slice(Math.min(...last), Math.max(...first) + 1);
  return layers.slice(Math.min(...first), Math.max(...last) + 1);
}

function terminalColumns(): number {
  const { process } = globalThis as { process?: { stdout?: { columns?: number } } };
  return process?.stdout?.columns || 80;
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(2)} ${units[unit]}`;
}
