import { withoutInitialValues } from '@recurra/cells/extend';
import type { JsonObject, KerasObject, ModelFile, NamedTensor, WeightGroup } from '@recurra/formats';
import { FormatError } from '@recurra/tensor';
import { registeredName, withCustomObjects } from '@recurra/tensor/extend';
import { describeLayer, describeTogether, type SerializedLayer } from '../base/describe.js';
import { asFormatError } from '../base/graph-from-config.js';
import { Model } from '../base/model.js';
import { Sequential } from '../base/sequential.js';
import { isRecord } from '../base/tree.js';
import type { Variable } from '../base/variable.js';
import { type DeserializeOptions, deserializeLayer, deserializeTogether, layerClasses } from '../serialize.js';
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
  const described = describeTogether(() => describeLayer(model as never));
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
  return named(label, () =>
    withCustomObjects(customObjects, () => {
      if (file.model === null)
        throw new FormatError(
          `${label}: expected a whole model, received weights alone. Make the model, and use loadWeights.`,
        );
      const data = expectDescribed(
        label,
        withoutSharedIds(
          fromKerasNames(withoutMasksWithin(withVocabularies(withoutCompile(file.model), file.assets, label))),
          isLayer,
        ),
      );
      const made = (): AnyModel => madeFrom(data, customObjects ? { customObjects } : {}, label);
      let model = withoutInitialValues(limitFor(file, label), made);
      const assigned = assignTo(model, file, label);
      // What files do not hold has the values that it begins with.
      if (model.weights.some((variable) => variable.role === 'weight' && !assigned.has(variable))) {
        model = made();
        assignTo(model, file, label);
      }
      if (compile && file.compile) compileAs(model, file, label);
      return model;
    }),
  );
}

/** Runs `f`; all that it throws is a fault of the file, which the error names. */
function named<R>(label: string, f: () => R): R {
  try {
    return f();
  } catch (error) {
    if (error instanceof FormatError && error.message.startsWith(label)) throw error;
    if (error instanceof FormatError)
      throw Object.assign(new FormatError(`${label}: ${error.message}`), { cause: error });
    return asFormatError(label, () => {
      throw error;
    });
  }
}

/** The model of a description, built, if it says for what. */
function madeFrom(data: SerializedLayer, options: DeserializeOptions, label: string): AnyModel {
  const model = deserializeTogether(() => deserializeLayer(data, options)) as unknown as AnyModel;
  if (!(model instanceof Model))
    throw new FormatError(`${label}: expected a model, received the layer ${data.className}`);
  if (!model.built && model instanceof Sequential) buildChain(model, data);
  return model;
}

function assignTo(model: AnyModel, { weights, layers }: ModelFile, label: string): ReadonlySet<Variable> {
  if (weights) return assignWeights(model as never, weights, label);
  return layers ? assignLayerWeights(model as never, layers, label) : new Set();
}

/** How many numbers the weights of a file are; `null` where it has none. */
function elementsOf({ weights, layers }: ModelFile): number | null {
  const sum = (variables: readonly NamedTensor[]): number => variables.reduce((n, { value }) => n + value.size, 0);
  const within = (group: WeightGroup): number =>
    [...group.children.values()].reduce((n, child) => n + within(child), sum(group.variables));
  if (weights) return within(weights);
  return layers?.reduce((n, { variables }) => n + sum(variables), 0) ?? null;
}

/** Numbers that any configuration may ask for as weights, and those that one without weights may: 4 MB and 1 GB. */
const FEW = 2 ** 20;
const MOST = 2 ** 28;

/** Refuses weights that are several times those that the file has, before they are allocated. */
function limitFor(file: ModelFile, label: string): (elements: number) => void {
  const count = elementsOf(file);
  const most = count === null ? MOST : Math.max(FEW, 4 * count);
  let asked = 0;
  return (elements) => {
    asked += elements;
    if (!(asked <= most))
      throw new FormatError(
        `${label}: expected a configuration that asks for ${count === null ? `at most ${most} numbers` : `the ${count} numbers that the file has`} as weights, received one that asks for ${asked} and more. The file is damaged.`,
      );
  };
}

/** Is it the description of a layer, rather than of a policy, an initializer, ...? */
const isLayer = ({ module, className, config }: Readonly<Record<string, unknown>>): boolean =>
  typeof className === 'string' &&
  isRecord(config) &&
  typeof config['name'] === 'string' &&
  !className.endsWith('Policy') &&
  (module === null || module === undefined || /^keras(\.layers|\.models|\.src\.models\.\w+)?$/.test(String(module)));

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
