/**
 * Files that were written here: beside the graph they hold the architecture, so that reading gives the layers themselves. The graph stays the truth:
 * the architecture is taken only if it becomes exactly the graph that is there.
 */
import { FormatError, type Tensor, tensor } from '@recurra/tensor';
import { readJson } from '../json.js';
import type { JsonObject, KerasObject, ModelFile, NamedTensor, WeightGroup } from '../model-file.js';
import type { Constant, GraphBuilder, Limits } from './graph.js';
import { isObject } from './layer-call.js';

/** Where the architecture lies in a file. */
export const METADATA = { model: 'recurra.model', weights: 'recurra.weights' } as const;

/** How deep groups of weights may lie in each other. */
const DEEPEST = 64;

/** Names, shapes and dtypes of weights, and the values of those that the graph does not hold: states of random generators and the like. */
export function describeWeights(group: WeightGroup, read: ReadonlySet<Tensor>): JsonObject {
  return {
    name: group.name,
    variables: group.variables.map(({ name, value }) => ({
      name,
      shape: [...value.shape],
      dtype: value.dtype,
      ...(read.has(value) ? {} : { data: [...value.data].map(Number) }),
    })),
    children: [...group.children].map(([key, child]) => [key, describeWeights(child, read)]),
  };
}

/** The values of the weights that are written out may be NaN. */
const jsonOf = (what: string, text: string): unknown => readJson(text, { label: `ONNX: ${what}`, python: true });

/** Weights whose elements are numbers of their own, 1, 2, ...: where they come to lie in the graph shows where the values are. */
class Labels {
  private next = 1;
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  get count(): number {
    return this.next - 1;
  }

  /** The group that was described. */
  group(given: unknown, depth = 0): WeightGroup {
    if (depth > DEEPEST || !isObject(given)) throw misfit('groups of weights');
    const { name, variables, children } = given;
    if (!Array.isArray(variables) || !Array.isArray(children)) throw misfit('variables and children');
    return {
      name: typeof name === 'string' ? name : null,
      variables: variables.map((v) => this.variable(v)),
      children: new Map(
        (children as readonly unknown[]).map((entry) => {
          if (!Array.isArray(entry) || typeof entry[0] !== 'string') throw misfit('children by name');
          return [entry[0], this.group(entry[1], depth + 1)];
        }),
      ),
    };
  }

  private variable(given: unknown): NamedTensor {
    if (!isObject(given) || typeof given['name'] !== 'string' || !Array.isArray(given['shape']))
      throw misfit('variables with names and shapes');
    const { name, shape, data, dtype } = given as JsonObject & { readonly name: string };
    const sizes = shape as readonly unknown[];
    if (sizes.length > 16 || !sizes.every((d) => Number.isInteger(d) && (d as number) >= 0)) throw misfit('shapes');
    const size = (sizes as readonly number[]).reduce((a, b) => a * b, 1);
    if (data !== undefined) {
      if (!Array.isArray(data) || data.length !== size || !data.every((n) => typeof n === 'number'))
        throw misfit('values of weights');
      if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool' && dtype !== 'float64') throw misfit('dtypes');
      return { name, value: tensor(data as number[], { shape: sizes as number[] }).cast(dtype) };
    }
    const from = this.next;
    // No more elements than the file has: checked before they are made.
    if (!(from - 1 + size <= this.most)) throw misfit('weights that are in the file');
    this.next += size;
    const labels = Float64Array.from({ length: size }, (_, i) => from + i);
    return { name, value: tensor(labels, { shape: sizes as number[] }) };
  }
}

const misfit = (what: string): FormatError => new FormatError(`ONNX: ${METADATA.weights}: expected ${what}`);

/** The group with the values of its labels. */
function filled(group: WeightGroup, values: Float64Array): WeightGroup {
  return {
    name: group.name,
    variables: group.variables.map(({ name, value }) => ({
      name,
      value:
        value.dtype === 'float64'
          ? tensor(
              Float32Array.from(value.data as Float64Array, (label) => values[label]!),
              { shape: [...value.shape] },
            )
          : value,
    })),
    children: new Map([...group.children].map(([key, child]) => [key, filled(child, values)])),
  };
}

/** Writes the graph of a model: `graphOf`, handed in so that modules do not circle. */
type WriteGraph = (file: Pick<ModelFile, 'model' | 'weights'>, limits: Limits) => { readonly builder: GraphBuilder };

/**
 * The model that the metadata describe, with the weights of the constants in the file. Throws `FormatError` where they do not fit the graph; whether the whole
 * graph is what the model becomes remains to be seen.
 */
export function ownModel(
  metadata: ReadonlyMap<string, string>,
  constants: ReadonlyMap<string, Constant>,
  nodes: number,
  write: WriteGraph,
): Pick<ModelFile, 'model' | 'weights'> {
  const model = jsonOf(METADATA.model, metadata.get(METADATA.model)!);
  if (!isObject(model) || !isObject(model['config']))
    throw new FormatError(`ONNX: ${METADATA.model}: expected { class_name, config }`);
  const described = jsonOf(METADATA.weights, metadata.get(METADATA.weights) ?? 'null');
  const elements = [...constants.values()].reduce((n, { value }) => n + value.size, 0);
  const labels = new Labels(elements);
  const group = described === null ? null : labels.group(described);
  const { builder } = write(
    { model: model as KerasObject, weights: group },
    { constants: elements + 64, steps: 20 * nodes + 1000 },
  );
  const values = new Float64Array(labels.count + 1);
  for (const name of builder.weights) {
    const own = builder.constants.get(name)!.value;
    const found = constants.get(name)?.value;
    if (!found || found.size !== own.size)
      throw new FormatError(`ONNX: expected an initializer "${name}" of shape [${own.shape.join(', ')}]`);
    for (let i = 0; i < own.size; i++) values[Number(own.data[i])] = Number(found.data[i]);
  }
  return { model: model as KerasObject, weights: group && filled(group, values) };
}
