import type { Json, JsonObject, KerasObject, LayerWeights, ModelFile, NamedTensor } from '@recurra/formats';
import { readJsonObject, tensorsOf } from '@recurra/formats/extend';
import { modelFromFile, shapesOf, toModelFile } from '@recurra/layers/extend';
import { RecurraError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import { open } from './read.js';
import { bytesText, counted, oneLine, table } from './text.js';

interface WeightReport {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

interface LayerReport {
  readonly name: string;
  readonly class: string;
  /** `null` for a size that is open; `null` as a whole where the layer's class is not known here. */
  readonly outputShape: Json;
  readonly parameters: number;
  readonly weights: readonly WeightReport[];
}

/** What `inspect` tells, and prints with `--json`. */
export interface Report {
  readonly path: string;
  readonly bytes: number;
  readonly format: string;
  readonly title: string;
  readonly model: {
    readonly class: string;
    readonly name: string | null;
    readonly layers: readonly LayerReport[];
  } | null;
  readonly weights: { readonly count: number; readonly parameters: number; readonly tensors: readonly WeightReport[] };
  readonly compile: { readonly optimizer: Json; readonly loss: Json; readonly metrics: Json } | null;
  readonly optimizer: { readonly name: string; readonly variables: number; readonly parameters: number } | null;
  readonly assets: readonly { readonly name: string; readonly kind: string; readonly bytes: number }[];
  readonly notes: readonly string[];
}

const isObject = (value: Json | undefined): value is JsonObject => isRecord(value);
const described = ({ name, value }: NamedTensor): WeightReport => ({ name, dtype: value.dtype, shape: value.shape });
const parametersOf = (weights: readonly WeightReport[]): number =>
  weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** The weights of a file, as it names them. */
function weightsOf({ weights, layers, named }: ModelFile): readonly NamedTensor[] {
  if (weights)
    return [...tensorsOf(weights)].map(({ path, name, value }) => ({ name: [...path, name].join('/'), value }));
  if (layers) return layers.flatMap(({ variables }) => variables);
  return [...(named ?? [])].map(([name, value]) => ({ name, value }));
}

/** The weights of the layers of a model, by their names: what is within a layer counts as its own. */
function byLayers(file: ModelFile): ReadonlyMap<string, readonly WeightReport[]> {
  const list: LayerWeights[] = file.weights
    ? [...(file.weights.children.get('layers')?.children.values() ?? [])].map((group) => ({
        name: group.name ?? '',
        variables: [...tensorsOf(group)].map(({ layers, name, value }) => ({
          name: [...layers.slice(1), name].join('/'),
          value,
        })),
      }))
    : [...(file.layers ?? [])];
  return new Map(list.map(({ name, variables }) => [name, variables.map(described)]));
}

/** What the file holds as this package has it: weights by their names, and the output shapes of layers. `null` where classes are not known here. */
function builtHere(
  file: ModelFile,
): { readonly file: ModelFile; readonly shapes: ReadonlyMap<string, unknown> } | null {
  try {
    const model = modelFromFile(file, { compile: false });
    return {
      file: toModelFile(model),
      shapes: new Map([...shapesOf(model as never)].map(([layer, { output }]) => [layer.name, output])),
    };
  } catch (error) {
    if (!(error instanceof RecurraError)) throw error;
    return null;
  }
}

/** A tree of shapes as plain data. */
function plainShapes(tree: unknown): Json {
  if (typeof tree !== 'object' || tree === null) return typeof tree === 'number' ? tree : null;
  if (Array.isArray(tree)) return tree.map(plainShapes);
  if ('shape' in tree) return plainShapes(tree.shape);
  return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, plainShapes(child)]));
}

function modelReport(file: ModelFile, model: KerasObject, shapes: ReadonlyMap<string, unknown>): Report['model'] {
  const { class_name, config } = model;
  const listed = Array.isArray(config['layers']) ? (config['layers'] as readonly Json[]) : [];
  const weights = byLayers(file);
  return {
    class: class_name,
    name: typeof config['name'] === 'string' ? config['name'] : null,
    layers: listed.filter(isObject).map((layer) => {
      const own = isObject(layer['config']) ? layer['config'] : {};
      const name = String(layer['name'] ?? own['name'] ?? '');
      const tensors = weights.get(name) ?? [];
      return {
        name,
        class: String(layer['class_name']),
        outputShape: plainShapes(own['batch_shape'] ?? shapes.get(name) ?? null),
        parameters: parametersOf(tensors),
        weights: tensors,
      };
    }),
  };
}

/** What travels with the model, by name and kind. */
function assetsOf(assets: ModelFile['assets']): Report['assets'] {
  return [...assets].map(([path, bytes]) => {
    const [, name, ending] = /^recurra\/(.*)\.(json|bin)$/.exec(path) ?? [];
    if (name === undefined) return { name: path, kind: 'file', bytes: bytes.length };
    const kind = ending === 'bin' ? 'bytes' : String(readJsonObject(bytes, { label: path, python: true })['kind']);
    return { name, kind, bytes: bytes.length };
  });
}

/** What a file of a model holds. */
export async function inspect(path: string): Promise<Report> {
  const { file, notes, bytes, format, title } = await open(path);
  const { model, compile, optimizer } = file;
  const built = model && builtHere(file);
  const whole = built ? built.file : file;
  const tensors = weightsOf(whole).map(described);
  return {
    ...{ path, bytes, format, title },
    model: model && modelReport(whole, model, built?.shapes ?? new Map()),
    weights: { count: tensors.length, parameters: parametersOf(tensors), tensors },
    compile: compile && {
      optimizer: compile['optimizer'] ?? null,
      loss: compile['loss'] ?? null,
      metrics: compile['metrics'] ?? null,
    },
    optimizer: optimizer && {
      name: optimizer.name,
      variables: optimizer.variables.length,
      parameters: parametersOf(optimizer.variables.map(described)),
    },
    assets: assetsOf(file.assets),
    notes,
  };
}

/** A loss, a metric or an optimizer as a person would call it. */
function called(value: Json): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.map((item: Json) => called(item)).join(', ');
  if (!isRecord(value)) return String(value);
  if (typeof value['class_name'] === 'string')
    return value['class_name'] === 'function' && typeof value['config'] === 'string'
      ? value['config']
      : value['class_name'];
  return Object.entries(value)
    .map(([key, child]) => `${key}: ${called(child as Json)}`)
    .join(', ');
}

const isShape = (value: Json): value is readonly (number | null)[] =>
  Array.isArray(value) && value.every((size) => size === null || typeof size === 'number');

/** Shapes as Keras prints them; `?` for those that are not known. */
function shapeText(tree: Json): string {
  if (tree === null || typeof tree !== 'object') return '?';
  if (isShape(tree)) return `(${tree.map((size) => size ?? 'None').join(', ')}${tree.length === 1 ? ',' : ''})`;
  if (Array.isArray(tree)) return tree.map(shapeText).join(', ');
  return Object.entries(tree)
    .map(([key, child]) => `${key}: ${shapeText(child)}`)
    .join(', ');
}

const weightText = ({ name, dtype, shape }: WeightReport): string =>
  `${name} [${shape.join(', ')}]${dtype === 'float32' ? '' : ` ${dtype}`}`;

/** A report for people. */
export function reportText(report: Report): string {
  const { model, weights, compile, optimizer, assets } = report;
  const lines = [`${oneLine(report.path)}: ${report.title}, ${bytesText(report.bytes)}`];
  if (model) {
    lines.push(
      `Model: ${oneLine(model.class)}${model.name === null ? '' : ` "${oneLine(model.name)}"`}, ${counted(model.layers.length, 'layer')}`,
    );
    const rows = model.layers.map((layer) => [
      oneLine(layer.name),
      oneLine(layer.class),
      oneLine(shapeText(layer.outputShape)),
      layer.parameters.toLocaleString('en'),
      oneLine(layer.weights.map(weightText).join(', ')),
    ]);
    if (rows.length > 0) lines.push(table([['layer', 'class', 'output', 'parameters', 'weights'], ...rows]));
  } else {
    lines.push('Model: none, weights alone');
    if (weights.count > 0)
      lines.push(
        table([
          ['weight', 'dtype', 'shape'],
          ...weights.tensors.map(({ name, dtype, shape }) => [oneLine(name), dtype, `[${shape.join(', ')}]`]),
        ]),
      );
  }
  lines.push(`Weights: ${counted(weights.count, 'tensor')}, ${counted(weights.parameters, 'parameter')}`);
  lines.push(
    compile
      ? `Compiled: optimizer ${oneLine(called(compile.optimizer))}; loss ${oneLine(called(compile.loss))}; metrics ${oneLine(called(compile.metrics))}`
      : 'Compiled: no',
  );
  lines.push(
    optimizer
      ? `Optimizer's state: ${oneLine(optimizer.name)}, ${counted(optimizer.variables, 'variable')}, ${counted(optimizer.parameters, 'number')}`
      : "Optimizer's state: none",
  );
  lines.push(
    assets.length > 0
      ? `Assets: ${assets.map(({ name, kind, bytes }) => oneLine(`${name} (${kind}, ${bytesText(bytes)})`)).join(', ')}`
      : 'Assets: none',
  );
  for (const note of report.notes) lines.push(`Also: ${oneLine(note)}`);
  return lines.join('\n');
}
