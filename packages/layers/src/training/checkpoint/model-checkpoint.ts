import type { Format } from '@recurra/formats';
import { FormatError, ValueError } from '@recurra/tensor';
import { checkOptions, checkRules, describeValue, rules } from '@recurra/tensor/extend';
import type { SerializedLayer } from '../../base/describe.js';
import type { Model } from '../../base/model.js';
import { isRecord } from '../../base/tree.js';
import { copyOf, type Variable } from '../../base/variable.js';
import { type DeserializeOptions, deserializeLayer } from '../../serialize.js';
import type { CallbackModel } from '../callback.js';
import { expectPath, type Storage, storageFor } from '../storage.js';
import { decodeCheckpoint, encodeCheckpoint, type NamedTensor } from './checkpoint-file.js';

/** Where a checkpoint is. */
export interface CheckpointOptions {
  /** Files, in Node. */
  readonly storage?: Storage | null;
}

/** Options of {@link saveCheckpoint}. */
export interface SaveCheckpointOptions extends CheckpointOptions {
  /** Leave out the model's configuration; false. */
  readonly weightsOnly?: boolean;
}

/** Endings that promise files of other programs. */
const FOREIGN = /\.(json|pt|pth|npz|pkl)$/i;
const OWN = /\.ckpt$/i;

/** The format that a path promises; `null` for that of checkpoints. Throws `ValueError` for one of other programs. */
export async function promisedFormatOf(label: string, path: string): Promise<Format | null> {
  if (OWN.test(path)) return null;
  const { promisedFormat } = await import('@recurra/formats/extend');
  const format = promisedFormat(path);
  const [, ending] = (!format && FOREIGN.exec(path)) || [];
  if (ending !== undefined)
    throw new ValueError(
      `${label}: expected a path for a format that is written here, received "${path}", which promises a .${ending} file. Let it end in .ckpt or .keras.`,
    );
  return format;
}

const named = (variables: readonly Variable[]): NamedTensor[] =>
  variables.map((v) => ({ path: v.path, value: v.value }));

/**
 * Writes the weights of a model, the optimizer's state if it is compiled, and (unless `weightsOnly`) its configuration to one file, which is replaced
 * as a whole. Throws `ValueError` for a path that promises another format, and for a configuration that holds functions.
 */
export async function saveCheckpoint(
  model: CallbackModel,
  path: string,
  options: SaveCheckpointOptions = {},
): Promise<void> {
  const label = 'saveCheckpoint';
  checkRules(label, options, { storage: rules.anything, weightsOnly: rules.flag });
  expectModel(label, model);
  const storage = storageFor(label, options.storage);
  const to = expectPath(label, 'the path', path);
  const format = await promisedFormatOf(label, to);
  if (format)
    throw new ValueError(
      `${label}: expected a path for Recurra's own format, received "${to}", which promises ${format.title}. Let it end in .ckpt, or use model.${format.holds.has('model') ? 'save' : 'saveWeights'}.`,
    );
  const meta = options.weightsOnly
    ? { kind: 'weights' }
    : {
        kind: 'model',
        model: { className: model.className, config: model.getConfig(), buildConfig: model.getBuildConfig() },
      };
  const file = encodeCheckpoint({
    meta,
    groups: {
      weights: named(model.weights),
      ...(model.compiled ? { optimizer: named(model.optimizer.variables) } : {}),
    },
  });
  await storage.write(to, file);
}

/** Throws `ValueError` for what has no weights, as models have them. */
function expectModel(label: string, model: unknown): void {
  const given = model as Partial<CallbackModel> | null | undefined;
  if (!Array.isArray(given?.weights) || typeof given.getConfig !== 'function')
    throw new ValueError(`${label}: expected a model, received ${describeValue(model)}`);
}

/** A checkpoint of weights or a model. */
async function readFrom(label: string, path: string, options: CheckpointOptions) {
  const storage = storageFor(label, options.storage);
  const file = await storage.read(expectPath(label, 'the path', path));
  if (file === null) throw new ValueError(`${label}: expected a checkpoint at "${path}", found none`);
  const checkpoint = decodeCheckpoint(file, `${label}: ${path}`);
  const { kind } = checkpoint.meta;
  if ((kind !== 'weights' && kind !== 'model') || !checkpoint.groups['weights'])
    throw new FormatError(`${label}: ${path}: expected a checkpoint of a model, received one of kind ${String(kind)}`);
  return checkpoint;
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Puts tensors in variables, all or none. Names of layers may differ, those of weights (kernel, bias, ...) may not. */
function assign(label: string, what: string, variables: readonly Variable[], tensors: readonly NamedTensor[]): void {
  const describe = (path: string, shape: readonly number[], dtype: string): string =>
    `${lastPart(path)} ${dtype} [${shape.join(', ')}]`;
  const wanted = variables.map((v) => describe(v.path, v.shape, v.dtype));
  const found = tensors.map(({ path, value }) => describe(path, value.shape, value.dtype));
  const at = wanted.findIndex((text, i) => text !== found[i]);
  if (wanted.length !== found.length || at >= 0)
    throw new ValueError(
      `${label}: expected a checkpoint with the ${what} of this model (${wanted.length}${at >= 0 ? `, with ${wanted[at]} as "${variables[at]!.path}"` : ''}), received one with ${found.length}${at >= 0 ? `, with ${found[at] ?? 'none there'}` : ''}. Load it into a model of the same layers.`,
    );
  variables.forEach((v, i) => {
    v.assign(copyOf(tensors[i]!.value));
  });
}

/**
 * Puts the weights of a checkpoint in a model of the same layers, which has its weights already; if it is compiled, and the checkpoint has one, the
 * optimizer's state, too: training goes on. Throws `ValueError` for a checkpoint of another model, `FormatError` for a file that is torn, edited or none.
 */
export async function loadCheckpoint(
  model: CallbackModel,
  path: string,
  options: CheckpointOptions = {},
): Promise<void> {
  const label = 'loadCheckpoint';
  checkRules(label, options, { storage: rules.anything });
  expectModel(label, model);
  const { groups } = await readFrom(label, path, options);
  if (model.weights.length === 0 && groups['weights']!.length > 0)
    throw new ValueError(
      `${label}: expected a model whose weights are there, received one without. Declare its input, or call build(shape) first.`,
    );
  assign(label, 'weights', model.weights, groups['weights']!);
  if (!model.compiled || !groups['optimizer']) return;
  const kept = groups['optimizer'];
  // Before the first step there is less of it: what is kept of each parameter comes with that.
  model.optimizer.prepare(model.trainableWeights);
  assign(label, "optimizer's state", model.optimizer.variables, kept);
}

/**
 * The model of a checkpoint, with its weights, not compiled: `compile` it, and {@link loadCheckpoint} brings the optimizer's state back. Throws `FormatError` for
 * a checkpoint of weights alone, and for classes that are not known.
 */
export async function modelFromCheckpoint(
  path: string,
  options: CheckpointOptions & DeserializeOptions = {},
): Promise<Model> {
  const label = 'modelFromCheckpoint';
  checkOptions<object>(label, options, { storage: true, customObjects: true });
  const { storage, ...rest } = options;
  const { meta, groups } = await readFrom(label, path, storage === undefined ? {} : { storage });
  if (!isRecord(meta['model']))
    throw new FormatError(
      `${label}: ${path}: expected a checkpoint of a whole model, received one of weights alone. Make the model, and use loadCheckpoint.`,
    );
  const { buildConfig, ...described } = meta['model'];
  const model = deserializeLayer(described as unknown as SerializedLayer, rest) as unknown as Model;
  if (!model.built && isRecord(buildConfig)) model.buildFromConfig(buildConfig);
  assign(label, 'weights', model.weights, groups['weights']!);
  return model;
}
