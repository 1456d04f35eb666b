import { vjp } from '@recurra/autograd';
import { type Cell, GRUCell, LSTMCell, SimpleRNNCell } from '@recurra/cells';
import type * as layers from '@recurra/layers';
import {
  type AnyLayer,
  deserializeLayer,
  type LayerClass,
  type Model,
  modelFromConfig,
  type SerializedLayer,
  Variable,
} from '@recurra/layers';
import { layerClasses, maskOf, withMask, withoutRecordedMasks, withValues } from '@recurra/layers/extend';
import { type DType, Tensor } from '@recurra/tensor';
import { camelCase, isFloating } from '@recurra/tensor/extend';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, type GoldenTensor, type GoldenWeight, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Keys of Keras' configurations in camelCase, names among their values too. */
export function fromKerasConfig(value: Json): Json {
  if (Array.isArray(value)) return value.map(fromKerasConfig);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries<Json>(value).map(([key, child]) => [
      camelCase(key),
      // Activations are written in Keras' spelling.
      typeof child === 'string' && /activation$/.test(key) ? camelCase(child) : fromKerasConfig(child),
    ]),
  );
}

/** Does a configuration have only classes that exist here? */
function known(className: string, config: Json): boolean {
  if (!layerClasses().has(className)) return false;
  return [config.layer, config.backward_layer].every((inner) => !inner || known(inner.class_name, inner.config));
}

/** Keras' configuration of a layer as ours; null where the class does not exist here. */
export function fromKeras(className: string, config: Json): SerializedLayer | null {
  if (!known(className, config)) return null;
  return { className, config: fromKerasConfig(config) };
}

/** A serialized Keras object as ours; settings that are null or a seed are left out. */
export const keras = ({ class_name, config }: Json): SerializedLayer => ({
  className: class_name,
  config: Object.fromEntries(
    Object.entries<Json>(config).flatMap(([k, v]) =>
      v === null || k === 'seed' || k === 'input_axes' || k === 'output_axes'
        ? []
        : [[camelCase(k), typeof v === 'string' ? camelCase(v) : v]],
    ),
  ),
});

/** Replays outputs, and gradients for inputs and weights, of something with variables. */
async function replayModule(
  c: GoldenCase,
  comparison: Comparison,
  variables: readonly Variable[],
  call: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  layer: AnyLayer | null = null,
): Promise<void> {
  const inputs = Object.fromEntries(Object.entries<GoldenTensor>(c['inputs']).map(([k, v]) => [k, toTensor(v)]));
  const names = Object.keys(inputs).filter((k) => isFloating(inputs[k]!.dtype));
  const golden = Object.entries<GoldenTensor>(c['outputs']);
  if (!c['gradients']) {
    const outputs = await comparison.run(call, inputs);
    for (const [name, expected] of golden) comparison.tensor(name, outputs[name], expected, TOLERANCES.layerOutput);
    return;
  }
  interface Start {
    readonly inputs: Tensor[];
    readonly weights: Tensor[];
  }
  const start = (dtype: DType): Start => ({
    inputs: names.map((n) => inputs[n]!.cast(dtype)),
    weights: variables.map((v) => v.value.cast(dtype)),
  });
  const run = (
    from: Start,
    others: Record<string, Tensor>,
  ): { value: Record<string, Tensor>; gradients: { inputs: Tensor[]; weights: Tensor[] } } => {
    const { value, pullback } = vjp(
      (values: Start) =>
        withValues(variables, values.weights, () =>
          call({ ...others, ...Object.fromEntries(names.map((n, i) => [n, values.inputs[i]!])) }),
        ),
      from,
    );
    const cotangents = Object.fromEntries(
      Object.entries(value).map(([name, v]) => {
        const given = c['gradients'].cotangent[name];
        return [name, given === undefined ? v.zerosLike() : toTensor(given).cast(v.dtype)];
      }),
    );
    return { value, gradients: pullback(cotangents)[0] };
  };
  const { value, gradients } = await comparison.run(run, start('float32'), inputs);
  let exact: ReturnType<typeof run> | null = null;
  const exactly = (): ReturnType<typeof run> => {
    if (!exact) {
      if (layer) layer.dtype = 'float64';
      exact = run(start('float64'), inputs);
      if (layer) layer.dtype = 'float32';
    }
    return exact;
  };
  for (const [name, expected] of golden)
    comparison.tensor(name, value[name], expected, TOLERANCES.layerOutput, () => exactly().value[name]!.data);
  const compare = (what: string, kind: 'inputs' | 'weights', i: number, expected: GoldenTensor): void => {
    const arbiter = (): ArrayLike<number> => exactly().gradients[kind][i]!.data;
    comparison.tensor(`gradient of ${what}`, gradients[kind][i], expected, TOLERANCES.layerGradient, arbiter);
  };
  names.forEach((name, i) => {
    compare(name, 'inputs', i, c['gradients'].inputs[name]);
  });
  (c['gradients'].weights as GoldenWeight[]).forEach((expected, i) => {
    compare(expected.name, 'weights', i, expected);
  });
}

/** Names outputs as the golden files do. */
function nameOutputs(outputs: readonly Tensor[], prefix = ''): Record<string, Tensor> {
  if (outputs.length === 1) return { [`${prefix}out`]: outputs[0]! };
  return Object.fromEntries(outputs.map((o, i) => [`${prefix}out${i}`, o]));
}

/** Replays one case of the area `layers`. */
export async function replayLayer(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const { class_name: className, config, calls = 1 } = c['config'];
  if (className.endsWith('Cell')) return replayCell(c, comparison);
  if (className === 'Sequential') return replayChain(c, comparison);
  const serialized = fromKeras(className, config);
  if (!serialized) return false;
  const layer = deserializeLayer(serialized);
  const weights = c['weights'] as GoldenWeight[];
  // What is no state is an input; several stand in a list.
  const [stateNames, names] = [true, false].map((state) =>
    Object.keys(c['inputs']).filter((key) => /^s(tate)?\d+$/.test(key) === state),
  ) as [string[], string[]];
  const list = <T>(values: readonly T[]): T => (values.length === 1 ? values[0]! : (values as T));
  layer.build(list(names.map((name) => [null, ...(c['inputs'][name] as GoldenTensor).shape.slice(1)])));
  if (c['initial_bias']) {
    const tail = (path: string): string => path.slice(path.indexOf('/'));
    for (const [name, bias] of Object.entries<GoldenTensor>(c['initial_bias'])) {
      const own = layer.weights.find((w) => tail(w.path) === tail(name));
      comparison.tensor(`initial ${name}`, own?.value, bias, TOLERANCES.exact);
    }
  }
  comparison.equal(
    'weight shapes',
    layer.weights.map((w) => w.value.shape),
    weights.map((w) => w.shape),
  );
  comparison.equal(
    'weight names',
    layer.weights.map((w) => w.path.split('/').pop()),
    weights.map((w) => w.name.split('/').pop()),
  );
  layer.setWeights(weights.map(toTensor));
  comparison.equal('count_params', layer.countParams(), c['count_params']);
  const own = withoutNames(layer.getConfig());
  const theirs = withoutNames(serialized.config);
  for (const key of new Set([...Object.keys(own), ...Object.keys(theirs)]))
    comparison.equal(`configuration (${key})`, own[key], theirs[key]);
  const args = Object.fromEntries(
    Object.entries<Json>(c['call_arguments'] ?? {}).map(([key, value]) => [
      camelCase(key),
      typeof value === 'object' && value !== null ? toTensor(value) : value,
    ]),
  );
  const masked = (inputs: Record<string, Tensor>): Tensor =>
    list(
      names.map((name) => {
        const mask = c['input_masks']?.[name];
        return withMask(inputs[name]!, mask ? toTensor(mask) : null);
      }),
    );
  const outputsOf = (result: unknown): readonly Tensor[] =>
    Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
  const call = (inputs: Record<string, Tensor>): Record<string, Tensor> => {
    let outputs: Record<string, Tensor> = {};
    for (let i = 0; i < calls; i++) {
      const result = layer.apply(masked(inputs), {
        ...args,
        training: args['training'] ?? false,
        ...(stateNames.length > 0 ? { initialState: stateNames.map((n) => inputs[n]!) } : {}),
      });
      outputs = { ...outputs, ...nameOutputs(outputsOf(result), calls > 1 ? `call${i + 1}_` : '') };
    }
    return outputs;
  };
  await replayModule(c, comparison, layer.weights, call, layer);
  const inputs = Object.fromEntries(Object.entries<GoldenTensor>(c['inputs']).map(([k, v]) => [k, toTensor(v)]));
  if (c['non_trainable_weights_after']) {
    layer.setWeights(weights.map(toTensor));
    await comparison.run(call, inputs);
    (c['non_trainable_weights_after'] as GoldenWeight[]).forEach((expected, i) => {
      comparison.tensor(expected.name, layer.nonTrainableWeights[i]?.value, expected, TOLERANCES.layerOutput);
    });
  }
  if (c['output_masks']) {
    const states = layer.variables.map((v) => v.value);
    const { training: _training, initialState: _states, ...given } = args;
    const masks = outputsOf(layer.apply(masked(inputs), given)).map(maskOf);
    layer.variables.forEach((v, i) => {
      v.assign(states[i]!);
    });
    Object.entries<GoldenTensor>(c['output_masks']).forEach(([name, expected], i) => {
      comparison.tensor(`mask of ${name}`, masks[i % masks.length] ?? undefined, expected, TOLERANCES.exact);
    });
  }
  if (c['states_after'])
    (c['states_after'] as GoldenTensor[]).forEach((expected, i) => {
      comparison.tensor(`state ${i}`, (layer as layers.LSTM).currentStates[i], expected, TOLERANCES.layerOutput);
    });
  return true;
}

/** A configuration without what differs from one layer to the next of one class, and what says nothing about the computation. */
function withoutNames(config: Json): Json {
  if (Array.isArray(config)) return config.map(withoutNames);
  if (typeof config !== 'object' || config === null) return config;
  const named = typeof config.className === 'string';
  // Cells are no layers here: they have no names of their own.
  if (named && /Cells?$/.test(config.className)) {
    const { name: _name, trainable: _trainable, dtype: _dtype, ...own } = config.config;
    return { className: config.className, config: withoutNames(own) };
  }
  return Object.fromEntries(
    Object.entries<Json>(config)
      .filter(([key]) => !['implementation', 'buildConfig'].includes(key) && !(named && key === 'registeredName'))
      .map(([key, value]) => [key, withoutNames(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

async function replayChain(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const model = buildModel('Sequential', c['config'].config);
  if (!model) return false;
  const first = Object.values<GoldenTensor>(c['inputs'])[0]!;
  model.build([null, ...first.shape.slice(1)]);
  model.setWeights((c['weights'] as GoldenWeight[]).map(toTensor));
  comparison.equal('count_params', model.countParams(), c['count_params']);
  const expectMask = c['output_masks'] as Record<string, GoldenTensor> | undefined;
  for (const expected of Object.values(expectMask ?? {}))
    comparison.tensor('output mask', maskOf(model.apply(toTensor(first))) ?? undefined, expected, TOLERANCES.exact);
  await replayModule(
    c,
    comparison,
    model.weights,
    (inputs) => ({ out: model.apply(Object.values(inputs)[0]!) }),
    model,
  );
  return true;
}

/** A model from Keras' configuration; null where a layer does not exist here. */
export function buildModel(
  className: string,
  config: Json,
  customObjects: Readonly<Record<string, LayerClass>> = {},
): Model | null {
  const own = withoutRecordedMasks(config);
  const all = own.layers as Json[];
  if (className !== 'Sequential' && className !== 'Functional') return null;
  if (all.some((layer) => !known(layer.class_name, layer.config))) return null;
  return modelFromConfig(fromKerasConfig(own), { customObjects }) as unknown as Model;
}

function makeCell(className: string, config: Json): Cell<Json, Json> | null {
  const { units, ...rest } = config;
  const options = Object.fromEntries(
    Object.entries<Json>(rest).flatMap(([k, v]) =>
      /^(activation|recurrent_activation|use_bias|reset_after)$/.test(k) ? [[camelCase(k), v]] : [],
    ),
  );
  if (className === 'SimpleRNNCell') return new SimpleRNNCell(units, options);
  if (className === 'LSTMCell') return new LSTMCell(units, options);
  if (className === 'GRUCell') return new GRUCell(units, options);
  return null;
}

const cellParams = ([kernel, recurrentKernel, bias]: readonly Variable[]): Json => ({
  kernel: kernel!.value,
  recurrentKernel: recurrentKernel!.value,
  ...(bias ? { bias: bias.value } : {}),
});
const toState = (states: readonly Tensor[]): Json =>
  states.length === 2 ? { h: states[0]!, c: states[1]! } : states[0]!;
const fromState = (state: Json): Tensor[] => (state instanceof Tensor ? [state] : [state.h, state.c]);
const variablesOf = (c: GoldenCase): Variable[] =>
  (c['weights'] as GoldenWeight[]).map((w) => new Variable(toTensor(w), w.name));

async function replayCell(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const cell = makeCell(c['config'].class_name, c['config'].config);
  if (!cell) return false;
  const variables = variablesOf(c);
  await replayModule(c, comparison, variables, (inputs) => {
    const states = Object.keys(inputs)
      .filter((k) => k.startsWith('state'))
      .map((k) => inputs[k]!);
    const { output, state } = cell.step(cellParams(variables), inputs['x']!, toState(states));
    return nameOutputs([output, ...fromState(state)]);
  });
  return true;
}
