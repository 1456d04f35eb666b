import { vjp } from '@recurra/autograd';
import { type Cell, GRUCell, LSTMCell, runSequence, SimpleRNNCell, StackedCells } from '@recurra/cells';
import type * as layers from '@recurra/layers';
import { deserializeLayer, Sequential, type SerializedLayer, Variable, withValues } from '@recurra/layers';
import { camelCase, type DType, isFloating, Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, type GoldenTensor, type GoldenWeight, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Layers that exist here. */
const CLASSES = new Set([
  'InputLayer',
  'Dense',
  'Embedding',
  'Activation',
  'Dropout',
  'Masking',
  'SimpleRNN',
  'LSTM',
  'GRU',
  'Bidirectional',
]);
/** Keras settings that are at their (only supported) default when null, or that say nothing about the computation. */
const IGNORED =
  /_regularizer$|_constraint$|^dtype$|^seed$|^quantization_config$|^lora_rank$|^implementation$|^sparse$|^ragged$|^optional$|^noise_shape$/;

/** Keras' configuration of a layer as ours; null where the class does not exist here. */
export function fromKeras(className: string, config: Json): SerializedLayer | null {
  if (!CLASSES.has(className)) return null;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries<Json>(config)) {
    if (IGNORED.test(key)) {
      if (/_regularizer$|_constraint$/.test(key) && value !== null) return null;
      continue;
    }
    if (key === 'batch_shape') result['shape'] = value.slice(1);
    else if (key.endsWith('_initializer')) result[camelCase(key)] = keras(value);
    else if ((key === 'layer' || key === 'backward_layer') && value) {
      const nested = fromKeras(value.class_name, value.config);
      if (!nested) return null;
      result[camelCase(key)] = nested;
    } else result[camelCase(key)] = value;
  }
  return { className, config: result };
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
  for (const [name, expected] of golden) comparison.tensor(name, value[name], expected, TOLERANCES.layerOutput);
  let exact: ReturnType<typeof run> | null = null;
  const compare = (what: string, kind: 'inputs' | 'weights', i: number, expected: GoldenTensor): void => {
    const arbiter = (): ArrayLike<number> => {
      exact ??= run(start('float64'), inputs);
      return exact.gradients[kind][i]!.data;
    };
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
  if (className === 'RNN') return replayStack(c, comparison);
  if (className === 'Sequential') return replayChain(c, comparison);
  const serialized = fromKeras(className, config);
  if (!serialized) return false;
  const layer = deserializeLayer(serialized);
  const weights = c['weights'] as GoldenWeight[];
  const first = Object.values<GoldenTensor>(c['inputs'])[0]!;
  layer.build([null, ...first.shape.slice(1)]);
  if (c['initial_bias']) {
    const [bias] = Object.values<GoldenTensor>(c['initial_bias']);
    comparison.tensor('initial bias', layer.weights[layer.weights.length - 1]!.value, bias!, TOLERANCES.exact);
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
  const args = c['call_arguments'] ?? {};
  const stateNames = Object.keys(c['inputs']).slice(1);
  // Keras drops the mask that an input carries when initial_state is given; an explicit mask counts.
  const implicit =
    c['input_masks'] && stateNames.length === 0 ? toTensor(Object.values<GoldenTensor>(c['input_masks'])[0]!) : null;
  const mask = args.mask ? toTensor(args.mask) : implicit;
  await replayModule(c, comparison, layer.weights, (inputs) => {
    const x = inputs[Object.keys(inputs)[0]!]!;
    const options = {
      mask,
      training: args.training ?? false,
      initialState: stateNames.length > 0 ? stateNames.map((n) => inputs[n]!) : null,
    };
    let outputs: Record<string, Tensor> = {};
    for (let i = 0; i < calls; i++)
      outputs = { ...outputs, ...nameOutputs(layer.applyAll(x, options), calls > 1 ? `call${i + 1}_` : '') };
    return outputs;
  });
  if (c['output_masks']) {
    const x = toTensor(first);
    const given = c['input_masks'] ? toTensor(Object.values<GoldenTensor>(c['input_masks'])[0]!) : mask;
    const found = layer.computeMask(x, given);
    for (const [name, expected] of Object.entries<GoldenTensor>(c['output_masks']))
      comparison.tensor(`mask of ${name}`, found ?? undefined, expected, TOLERANCES.exact);
  }
  if (c['states_after'])
    (c['states_after'] as GoldenTensor[]).forEach((expected, i) => {
      comparison.tensor(`state ${i}`, (layer as layers.LSTM).currentStates[i], expected, TOLERANCES.layerOutput);
    });
  return true;
}

async function replayChain(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const model = buildSequential(c['config'].config);
  if (!model) return false;
  const first = Object.values<GoldenTensor>(c['inputs'])[0]!;
  model.build([null, ...first.shape.slice(1)]);
  model.setWeights((c['weights'] as GoldenWeight[]).map(toTensor));
  comparison.equal('count_params', model.countParams(), c['count_params']);
  const expectMask = c['output_masks'] as Record<string, GoldenTensor> | undefined;
  for (const expected of Object.values(expectMask ?? {}))
    comparison.tensor('output mask', model.forward(toTensor(first)).mask ?? undefined, expected, TOLERANCES.exact);
  await replayModule(c, comparison, model.weights, (inputs) => ({ out: model.apply(Object.values(inputs)[0]!) }));
  return true;
}

/** A Sequential from Keras' configuration; null where a layer does not exist here. */
export function buildSequential(config: Json): Sequential | null {
  const all = (config.layers as Json[]).map((l) => fromKeras(l.class_name, l.config));
  if (all.some((l) => l === null)) return null;
  return Sequential.fromConfig({ name: config.name, layers: all as SerializedLayer[] });
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

/** `RNN` over one cell or a list of them, through `StackedCells` and `runSequence`. */
async function replayStack(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const {
    cell: description,
    return_sequences: sequences,
    return_state: returnState,
    go_backwards: reverse,
  } = c['config'].config;
  const list: Json[] = description.class_name === 'StackedRNNCells' ? description.config.cells : [description];
  const made = list.map((d) => makeCell(d.class_name, d.config));
  if (made.some((m) => m === null)) return false;
  const variables = variablesOf(c);
  const stack = new StackedCells(made as Cell<Json, Json>[]);
  const mask = c['input_masks'] ? toTensor(c['input_masks'].x) : null;
  await replayModule(c, comparison, variables, (inputs) => {
    const params = made.map((_, i) => cellParams(variables.slice(3 * i, 3 * i + 3)));
    const { outputs, output, state } = runSequence(stack, params, inputs['x']!, { reverse, ...(mask ? { mask } : {}) });
    const y = sequences ? (reverse ? outputs!.flip(1) : outputs!) : output;
    return nameOutputs([y, ...(returnState ? state.flatMap(fromState) : [])]);
  });
  return true;
}
