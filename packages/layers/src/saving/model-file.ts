import type { JsonObject, KerasObject, ModelFile } from '@recurra/formats';
import { FormatError } from '@recurra/tensor';
import { registeredName, withCustomObjects } from '@recurra/tensor/extend';
import { describeLayer, type SerializedLayer } from '../base/describe.js';
import { asFormatError } from '../base/graph-from-config.js';
import { Model } from '../base/model.js';
import { Sequential } from '../base/sequential.js';
import { isRecord } from '../base/tree.js';
import { type DeserializeOptions, deserializeLayer, layerClasses } from '../serialize.js';
import { compileFromKeras, compileToKeras, withoutSharedIds } from './compile-config.js';
import { fromKerasNames, toKerasNames } from './keras-names.js';
import { assignOptimizer, optimizerToFile } from './optimizer-state.js';
import { withoutMasksWithin } from './recorded-masks.js';
import { withVocabularies } from './vocabularies.js';
import { assignLayerWeights, assignWeights, layerWeightsToFile, weightsToFile } from './weights.js';

// biome-ignore lint/suspicious/noExplicitAny: a model of any inputs and outputs
export type AnyModel = Model<any, any>;

/** Options of {@link toModelFile}. */
export interface ToModelFileOptions {
  /** Optimizer, loss and metrics, and the optimizer's state; true. */
  readonly compile?: boolean;
}

/** Options of {@link modelFromFile}. */
export interface FromModelFileOptions extends DeserializeOptions {
  /** Compile the model as it was, with the optimizer's state; true. */
  readonly compile?: boolean;
}

/** Classes that Keras has not: it finds them where a program registers them. */
const OURS: ReadonlySet<string> = new Set(['CRF', 'PositionEmbedding', 'SequenceMask', 'SinePositionEncoding']);
const KERAS_MODELS: ReadonlySet<string> = new Set(['Functional', 'Sequential']);

/** Descriptions of layers that Keras has not, or that are a program's own, without a module of Keras'. */
function withoutForeignModules(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutForeignModules);
  if (!isRecord(value)) return value;
  const own = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutForeignModules(child)]));
  const { module, className } = own;
  if (module !== 'keras.layers' || typeof className !== 'string') return own;
  const isKeras = (layerClasses().has(className) || /Cells?$/.test(className)) && !OURS.has(className);
  return isKeras ? own : { ...own, module: null, registeredName: className };
}

/** A model as Keras' JSON, without weights and compile configuration. Throws `ValueError` where it holds functions. */
export function describeModel(model: AnyModel): KerasObject {
  const described = describeLayer(model as never);
  const known = KERAS_MODELS.has(model.className);
  const build = model.graph ? { inputShape: null } : model.getBuildConfig();
  const registered = registeredName(model.constructor);
  const named = known ? described : { ...described, module: null, registeredName: registered ?? model.className };
  return toKerasNames(withoutForeignModules({ ...named, buildConfig: build })) as KerasObject;
}

/**
 * A model as a plain value: what codecs write. Throws `ValueError` for a model whose weights are not there, and for one that holds functions without a name.
 */
export function toModelFile(model: AnyModel, options: ToModelFileOptions = {}): ModelFile {
  const compile = (options.compile ?? true) && model.compiled;
  const { compileOptions } = model;
  return {
    model: describeModel(model),
    compile: compile && compileOptions ? compileToKeras(compileOptions, model.optimizer) : null,
    weights: weightsToFile(model as never),
    layers: layerWeightsToFile(model),
    optimizer: compile ? optimizerToFile(model.optimizer, model.trainableWeights) : null,
    assets: new Map(),
  };
}

/**
 * The weights of a model, and the optimizer's state once compiled: what formats of weights write. The architecture is named alone, so that models with functions of their
 * own have weights to save, too.
 */
export function weightsFile(model: AnyModel): ModelFile {
  return {
    model: { module: null, class_name: model.className, config: {}, registered_name: null },
    compile: null,
    weights: weightsToFile(model as never),
    layers: layerWeightsToFile(model),
    optimizer: model.compiled ? optimizerToFile(model.optimizer, model.trainableWeights) : null,
    assets: new Map(),
  };
}

/** Is it the description of a model in a file? */
function expectDescribed(label: string, value: unknown): SerializedLayer {
  if (!isRecord(value) || typeof value['className'] !== 'string' || !isRecord(value['config']))
    throw new FormatError(`${label}: expected a model as { class_name, config }, received another form`);
  return value as unknown as SerializedLayer;
}

/**
 * The model of a file, with its weights, compiled where the file says how, with the optimizer's state: training goes on. Throws `FormatError` for
 * classes that are not known, and for weights that do not fit.
 */
export function modelFromFile(file: ModelFile, options: FromModelFileOptions = {}, label = 'loadModel'): AnyModel {
  const { compile = true, customObjects } = options;
  return withCustomObjects(customObjects, () => {
    if (file.model === null)
      throw new FormatError(
        `${label}: expected a whole model, received weights alone. Make the model, and use loadWeights.`,
      );
    const data = expectDescribed(
      label,
      withoutSharedIds(
        fromKerasNames(withoutMasksWithin(withVocabularies(withoutCompile(file.model), file.assets, label))),
      ),
    );
    const model = deserializeLayer(data, customObjects ? { customObjects } : {}) as unknown as AnyModel;
    if (!(model instanceof Model))
      throw new FormatError(`${label}: expected a model, received the layer ${data.className}`);
    if (!model.built && model instanceof Sequential) buildChain(model, data);
    if (file.weights) assignWeights(model as never, file.weights, label);
    else if (file.layers) assignLayerWeights(model as never, file.layers, label);
    if (compile && file.compile) compileAs(model, file, label);
    return model;
  });
}

/** Keras writes `compile_config` of models within models, which are not trained by themselves. */
function withoutCompile(model: KerasObject): JsonObject {
  const { compile_config: _compile, ...rest } = model;
  return rest;
}

/** Chains without a declared input say in their configuration what they were built for. */
function buildChain(model: Sequential, { config, buildConfig }: SerializedLayer): void {
  const shape = config['buildInputShape'] ?? (isRecord(buildConfig) ? buildConfig['inputShape'] : null);
  if (Array.isArray(shape)) asFormatError('loadModel', () => model.build(shape as never));
}

function compileAs(model: AnyModel, file: ModelFile, label: string): void {
  const options = compileFromKeras(file.compile!);
  if (!options) return;
  asFormatError(label, () => model.compile(options));
  if (file.optimizer) assignOptimizer(model.optimizer, model.trainableWeights, file.optimizer, label);
}
