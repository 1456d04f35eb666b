import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import type { Graph } from './base/graph.js';
import type { AnyLayer } from './base/layer.js';
import type { Model } from './base/model.js';
import type { SymbolicTensor } from './base/symbolic.js';
import { describeTree, isRecord, leavesOf } from './base/tree.js';
import { InputLayer } from './layers/input.js';
import { type LayerShapes, shapesOf, shapesText } from './shapes.js';

/** Options of {@link plotModel}; those of Keras. */
export interface PlotOptions {
  /** Shapes of inputs and outputs; false. */
  readonly showShapes?: boolean;
  /** The dtype of outputs; false. */
  readonly showDtype?: boolean;
  /** Names beside classes; false. */
  readonly showLayerNames?: boolean;
  /** From where to where: 'TB' (top to bottom, default), 'BT', 'LR' or 'RL'. */
  readonly rankdir?: 'TB' | 'BT' | 'LR' | 'RL';
  /** Models within as frames around their layers; false. */
  readonly expandNested?: boolean;
  /** Activations of layers that have one; false. */
  readonly showLayerActivations?: boolean;
  /** Which layers are trained; false. */
  readonly showTrainable?: boolean;
}

const OPTIONS: Rules<PlotOptions> = {
  showShapes: rules.flag,
  showDtype: rules.flag,
  showLayerNames: rules.flag,
  rankdir: rules.oneOf('TB', 'BT', 'LR', 'RL'),
  expandNested: rules.flag,
  showLayerActivations: rules.flag,
  showTrainable: rules.flag,
};

/** One layer's box: a title, and lines below it. */
interface Box {
  readonly id: string;
  readonly layer: AnyLayer;
  readonly title: string;
  readonly lines: readonly { readonly text: string; readonly kind: 'plain' | 'trained' | 'frozen' }[];
  readonly frame: string | null;
}

/** A model within: a frame around the boxes of its layers. */
interface Frame {
  readonly id: string;
  readonly name: string;
  readonly frame: string | null;
}

const CHARACTER = 7.3;
const LINE = 20;
const PADDING = 10;

/**
 * The layers of a model and what leads from each to the next, as an SVG image (a text): put it into a page or a file. Laid out by `@dagrejs/dagre`, which is
 * loaded at the first call. A model that writes `call` is one box. Keras `plot_model`.
 *
 * ```ts
 * await writeFile('model.svg', await plotModel(model, { showShapes: true, showLayerNames: true }));
 * ```
 *
 * Throws `ValueError` for what is no model, for a model without weights yet, and for options that there are not.
 */
export async function plotModel(model: Model<never, never> | AnyLayer, options: PlotOptions = {}): Promise<string> {
  if (!isModel(model)) throw new ValueError(`plotModel: expected a model, received ${describeTree(model)}`);
  checkRules('plotModel', options, OPTIONS);
  const { rankdir = 'TB' } = options;
  if (!model.built)
    throw new ValueError(
      `plotModel: expected a built model, received "${model.name}" without weights. Begin it with Input, call build(shape), or apply it to data first.`,
    );
  const drawing = new Drawing(options);
  drawing.add(model, null, null);
  const dagre = await import('@dagrejs/dagre');
  const layout = new dagre.graphlib.Graph({ compound: true, multigraph: true });
  layout.setGraph({ rankdir, nodesep: 30, ranksep: 40, marginx: 12, marginy: 12 });
  for (const frame of drawing.frames) layout.setNode(frame.id, {});
  for (const box of drawing.boxes.values()) layout.setNode(box.id, sizeOf(box));
  for (const { id, frame } of [...drawing.frames, ...drawing.boxes.values()]) if (frame) layout.setParent(id, frame);
  drawing.edges.forEach(({ from, to }, i) => {
    layout.setEdge(from, to, {}, String(i));
  });
  dagre.layout(layout);
  return svg(model, drawing, layout as unknown as Layout);
}

/** Boxes, frames and edges of a model. */
class Drawing {
  readonly boxes = new Map<AnyLayer, Box>();
  readonly frames: Frame[] = [];
  readonly edges: { readonly from: string; readonly to: string }[] = [];

  constructor(private readonly options: PlotOptions) {}

  add(model: AnyLayer, frame: string | null, shapes: LayerShapes | null): void {
    const layers = model.children();
    const { graph } = model as { readonly graph?: Graph | null };
    if (!graph && model.className !== 'Sequential') {
      this.box(model, frame, shapes);
      return;
    }
    const inner = shapesOf(model, shapes);
    for (const layer of layers) {
      if (this.boxes.has(layer)) continue;
      if (this.isExpanded(layer)) {
        const id = `frame-${this.frames.length + 1}`;
        this.frames.push({ id, name: layer.name, frame });
        this.add(layer, id, inner.get(layer) ?? null);
      } else this.box(layer, frame, inner.get(layer) ?? null);
    }
    if (graph)
      for (const call of graph.calls)
        call.sources.forEach((source, place) => {
          this.edge(this.source(source), this.target(call.operation as unknown as AnyLayer, place));
        });
    else for (let i = 1; i < layers.length; i++) this.edge(this.last(layers[i - 1]!), this.target(layers[i]!, 0));
  }

  private isExpanded(layer: AnyLayer): boolean {
    const isGraph = Boolean((layer as { readonly graph?: Graph | null }).graph);
    return (
      this.options.expandNested === true && layer.children().length > 0 && (isGraph || layer.className === 'Sequential')
    );
  }

  private edge(from: AnyLayer, to: AnyLayer): void {
    const [a, b] = [this.boxes.get(from), this.boxes.get(to)];
    if (!a || !b) return;
    if (!this.edges.some((e) => e.from === a.id && e.to === b.id)) this.edges.push({ from: a.id, to: b.id });
  }

  /** The layer whose box gives a tensor. */
  private source(tensor: SymbolicTensor): AnyLayer {
    const layer = tensor.call.operation as unknown as AnyLayer;
    if (!this.isExpanded(layer)) return layer;
    const { graph } = layer as { readonly graph?: Graph | null };
    return graph ? this.source(leavesOf(graph.outputs)[tensor.index] as SymbolicTensor) : this.last(layer);
  }

  /** The layer whose box gives what a chain gives. */
  private last(layer: AnyLayer): AnyLayer {
    if (!this.isExpanded(layer)) return layer;
    const { graph } = layer as { readonly graph?: Graph | null };
    return graph ? this.source(leavesOf(graph.outputs)[0] as SymbolicTensor) : this.last(layer.children().at(-1)!);
  }

  /** The layer whose box takes the input of this place. */
  private target(layer: AnyLayer, place: number): AnyLayer {
    if (!this.isExpanded(layer)) return layer;
    const { graph } = layer as { readonly graph?: Graph | null };
    if (!graph) return this.target(layer.children()[0]!, place);
    const input = leavesOf(graph.inputs)[place] ?? leavesOf(graph.inputs)[0];
    return (input as SymbolicTensor).call.operation as unknown as AnyLayer;
  }

  private box(layer: AnyLayer, frame: string | null, shapes: LayerShapes | null): void {
    const { showLayerNames, showLayerActivations, showShapes, showDtype, showTrainable } = this.options;
    const lines: Box['lines'][number][] = [];
    const plain = (text: string): void => {
      lines.push({ text, kind: 'plain' });
    };
    const activation = showLayerActivations ? activationOf(layer) : null;
    if (activation !== null) plain(`Activation: ${activation}`);
    if (showShapes) {
      if (!(layer instanceof InputLayer)) plain(`Input shape: ${shapesText(shapes?.input ?? null)}`);
      plain(`Output shape: ${shapesText(shapes?.output ?? null)}`);
    }
    if (showDtype) plain(`Output dtype: ${shapes?.dtype ?? '?'}`);
    if (showTrainable && layer.weights.length > 0)
      lines.push(layer.trainable ? { text: 'Trainable', kind: 'trained' } : { text: 'Non-trainable', kind: 'frozen' });
    const title = showLayerNames ? `${layer.name} (${layer.className})` : layer.className;
    this.boxes.set(layer, { id: `layer-${this.boxes.size + 1}`, layer, title, lines, frame });
  }
}

/** The name of a layer's activation; `null` where it has none, or not a name. */
function activationOf(layer: AnyLayer): string | null {
  let config: Readonly<Record<string, unknown>>;
  try {
    config = layer.getConfig();
  } catch {
    // A function of one's own has no name that could be written down.
    return 'custom';
  }
  const { activation } = config;
  if (typeof activation === 'string') return activation;
  return isRecord(activation) && typeof activation['className'] === 'string' ? activation['className'] : null;
}

const isModel = (value: unknown): value is AnyLayer & { readonly built: boolean } =>
  typeof value === 'object' && value !== null && 'fit' in value && 'children' in value;

/** Characters of East Asian scripts take two places. */
const widthOf = (text: string): number =>
  [...text].reduce((n, c) => n + (c.codePointAt(0)! >= 0x1100 ? 2 : 1), 0) * CHARACTER;

function sizeOf({ title, lines }: Box): { width: number; height: number } {
  const widest = Math.max(widthOf(title), ...lines.map((l) => widthOf(l.text)));
  return { width: Math.ceil(widest + 2 * PADDING), height: (1 + lines.length) * LINE + PADDING };
}

/** What stands in XML as itself. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no place for these
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
      .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
  );
}

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Layout {
  graph(): { readonly width?: number; readonly height?: number };
  node(id: string): Placed;
  edges(): readonly { readonly v: string; readonly w: string; readonly name?: string }[];
  edge(edge: { readonly v: string; readonly w: string }): { readonly points: readonly { x: number; y: number }[] };
}

const COLORS = { plain: '#24292f', trained: '#1a7f37', frozen: '#cf222e' } as const;

function svg(model: AnyLayer, drawing: Drawing, layout: Layout): string {
  const { width = 0, height = 0 } = layout.graph();
  const n = (x: number): string => String(Math.round(x * 10) / 10);
  const rectangle = ({ x, y, width: w, height: h }: Placed, style: string): string =>
    `<rect x="${n(x - w / 2)}" y="${n(y - h / 2)}" width="${n(w)}" height="${n(h)}" ${style}/>`;
  const text = (content: string, x: number, y: number, style: string): string =>
    `<text x="${n(x)}" y="${n(y)}" ${style}>${escaped(content)}</text>`;
  const frames = drawing.frames.map(({ id, name }) => {
    const place = layout.node(id);
    return [
      `<g class="model" data-model="${escaped(name)}">`,
      rectangle(place, 'rx="6" fill="none" stroke="#57606a" stroke-dasharray="5 4"'),
      text(name, place.x - place.width / 2 + 6, place.y - place.height / 2 + 14, 'fill="#57606a"'),
      '</g>',
    ].join('');
  });
  const names = new Map([...drawing.boxes.values()].map((box) => [box.id, box.layer.name]));
  const edges = layout.edges().map((edge) => {
    const { points } = layout.edge(edge);
    const path = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${n(x)} ${n(y)}`).join('');
    const ends = `data-from="${escaped(names.get(edge.v)!)}" data-to="${escaped(names.get(edge.w)!)}"`;
    return `<path class="edge" ${ends} d="${path}" fill="none" stroke="#57606a" marker-end="url(#arrow)"/>`;
  });
  const boxes = [...drawing.boxes.values()].map((box) => {
    const place = layout.node(box.id);
    const top = place.y - place.height / 2;
    const head: Placed = { ...place, y: top + (LINE + PADDING / 2) / 2, height: LINE + PADDING / 2 };
    return [
      `<g class="layer" data-layer="${escaped(box.layer.name)}" data-class="${escaped(box.layer.className)}">`,
      rectangle(place, 'rx="4" fill="#ffffff" stroke="#24292f"'),
      rectangle(head, 'rx="4" fill="#24292f"'),
      text(box.title, place.x, top + 17, 'text-anchor="middle" fill="#ffffff" font-weight="bold"'),
      ...box.lines.map(({ text: line, kind }, i) =>
        text(line, place.x, top + 17 + (i + 1) * LINE + 2, `text-anchor="middle" fill="${COLORS[kind]}"`),
      ),
      '</g>',
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${n(width)} ${n(height)}" width="${n(width)}" height="${n(height)}" role="img" aria-label="${escaped(`Layers of the model ${model.name}`)}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>',
    ...frames,
    ...edges,
    ...boxes,
    '</svg>',
    '',
  ].join('\n');
}
