import { isDeepStrictEqual } from 'node:util';
import { treeMap, vjp } from '@recurra/autograd';
import { jit, setThreadedWork, setThreads } from '@recurra/compiler';
import {
  type AnyLayer,
  decodeModel,
  deserializeLayer,
  encodeModel,
  Input,
  type LayerClass,
  type LayerConfig,
  Model,
  SymbolicTensor,
  serializeLayer,
} from '@recurra/layers';
import { maskOf, type PartialShape, type Spec, withMask, withValues } from '@recurra/layers/extend';
import { SGD } from '@recurra/optim';
import { concat, randomKey, randomNormal, splitKey, Tensor, tensor, ValueError } from '@recurra/tensor';
import { formatShape, isFloating } from '@recurra/tensor/extend';

/** A tensor, or lists and records of them. */
type TensorTree = Tensor | readonly TensorTree[] | { readonly [key: string]: TensorTree };

/** What {@link checkLayer} needs of a layer. */
export interface LayerSample {
  /** Makes the layer: the same one each time. */
  readonly make: () => AnyLayer;
  /** What it is called with: a tensor, or a list or record of tensors. */
  readonly inputs: TensorTree;
  /** Further arguments of the call (`initialState`). */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Weights to begin with; by default those that it is built with. */
  readonly weights?: readonly Tensor[];
  /** The mask of the inputs (bool, their leading axes). By default, steps of inputs of rank 3 or more are masked; `null`: the layer takes none. */
  readonly mask?: Tensor | null;
  /** Can its configuration be written down? true. If false, `getConfig` has to throw `ValueError`. */
  readonly serializable?: boolean;
  /** Does a step of training move its weights although it is frozen, as Keras' `SpectralNormalization`? false. */
  readonly changesFrozen?: boolean;
  /** Classes of one's own, by name, as `deserializeLayer` takes them; by default that of the layer. */
  readonly customObjects?: Readonly<Record<string, LayerClass>>;
}

/**
 * The contract of layers, checked for one: it builds once; `spec` and `computeOutputShape` say what comes out; configuration and weights survive a round trip, in a `.keras` file too; masks go
 * where `computeMask` says, also through a model; one that says that it computes each sample by itself does; gradients for inputs and weights agree with finite differences in float64; compiled steps compute what
 * eager calls do, on two threads to the bit what one does; a training step changes the weights that are trained, and lowers the loss; a frozen layer stays as it is.
 *
 * Throws an `Error` that lists what does not hold. What has no numbers to differentiate (integer outputs) is not trained here.
 */
export async function checkLayer(sample: LayerSample): Promise<void> {
  const failures: string[] = [];
  const check = async (name: string, f: () => void | Promise<void>): Promise<void> => {
    try {
      await f();
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const layer = start(sample);
  await check('build', () => builds(sample, layer));
  await check('output shape', () => saysShapes(sample, layer));
  await check('configuration', () => keepsConfiguration(sample, layer));
  await check('weights', () => keepsWeights(sample, layer));
  await check('files', () => keepsFiles(sample));
  await check('mask', () => passesMasks(sample, layer));
  await check('samples', () => keepsSamplesApart(sample, layer));
  await check('gradient', () => differentiates(sample));
  await check('compiled', () => compiles(sample, layer));
  await check('training', () => trains(sample));
  await check('frozen', () => staysFrozen(sample));
  if (failures.length > 0)
    throw new Error(`${layer.className}: expected a layer that keeps the contract:\n- ${failures.join('\n- ')}`);
}

/** A new layer of the sample, built. */
function start(sample: LayerSample): AnyLayer {
  const layer = sample.make();
  callOf(layer, sample);
  if (sample.weights) layer.setWeights(sample.weights);
  layer.resetStates();
  return layer;
}

function callOf(
  layer: AnyLayer,
  sample: LayerSample,
  inputs: TensorTree = sample.inputs,
  options: object = {},
): TensorTree {
  return layer.apply(inputs, { ...sample.options, ...options }) as TensorTree;
}

/** The outputs, from the states that a fresh layer has. */
function outputsOf(layer: AnyLayer, sample: LayerSample, inputs: TensorTree = sample.inputs): Tensor[] {
  layer.resetStates();
  return leaves(callOf(layer, sample, inputs));
}

function builds(sample: LayerSample, layer: AnyLayer): void {
  expect(layer.built, 'a layer that is built by its first call');
  const count = layer.weights.length;
  callOf(layer, sample);
  expect(layer.weights.length === count, `${count} weights after a second call, received ${layer.weights.length}`);
  const paths = layer.weights.map((w) => w.path);
  expect(new Set(paths).size === paths.length, `weights of different paths, received ${paths.join(', ')}`);
}

function saysShapes(sample: LayerSample, layer: AnyLayer): void {
  const outputs = outputsOf(layer, sample);
  const compare = (what: string, shapes: readonly PartialShape[]): void => {
    expect(
      shapes.length === outputs.length,
      `${outputs.length} outputs, as the call gives, ${what} says ${shapes.length}`,
    );
    shapes.forEach((shape, i) => {
      const real = outputs[i]!.shape;
      expect(
        shape.length === real.length && shape.every((d, k) => d === null || d === real[k]),
        `shape ${formatShape(real)} of output ${i}, ${what} says [${shape.map(String).join(', ')}]`,
      );
    });
  };
  const symbolic = specs(layer.apply(symbolicOf(sample.inputs), symbolicOptions(sample)));
  compare(
    'a symbolic call',
    symbolic.map((s) => s.shape),
  );
  symbolic.forEach(({ dtype }, i) => {
    expect(dtype === outputs[i]!.dtype, `dtype ${outputs[i]!.dtype} of output ${i}, a symbolic call says ${dtype}`);
  });
  if (sample.options) return;
  for (const open of [false, true]) {
    const shapes = treeMap((x) => [open ? null : x.shape[0]!, ...x.shape.slice(1)], sample.inputs);
    compare('computeOutputShape', shapesIn(layer.computeOutputShape(shapes as never), outputs.length));
  }
}

function keepsConfiguration(sample: LayerSample, layer: AnyLayer): void {
  if (sample.serializable === false) {
    let thrown: unknown;
    try {
      layer.getConfig();
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof ValueError, 'getConfig to throw ValueError');
    return;
  }
  const written = JSON.parse(JSON.stringify(serializeLayer(layer))) as ReturnType<typeof serializeLayer>;
  const made = layer.constructor as unknown as LayerClass;
  const copy = deserializeLayer(written, {
    customObjects: sample.customObjects ?? { [written.className]: made },
  });
  const again = JSON.parse(JSON.stringify(copy.getConfig())) as LayerConfig;
  expect(
    isDeepStrictEqual(again, written.config),
    `${JSON.stringify(written.config)}, received ${JSON.stringify(again)}`,
  );
  callOf(copy, sample);
  copy.setWeights(layer.getWeights());
  equal(outputsOf(copy, sample), outputsOf(layer, sample), 'of the layer that its configuration makes');
}

function keepsWeights(sample: LayerSample, layer: AnyLayer): void {
  const other = sample.make();
  callOf(other, sample);
  const weights = layer.getWeights();
  other.setWeights(weights);
  equal(other.getWeights(), weights, 'of weights that were set');
  equal(outputsOf(other, sample), outputsOf(layer, sample), 'of a layer with the same weights');
  let refused = false;
  try {
    other.setWeights([...weights, tensor([1])]);
  } catch {
    refused = true;
  }
  expect(refused, 'setWeights to refuse a weight too many');
}

/** A model of the layer is the same after it was a `.keras` file. */
async function keepsFiles(sample: LayerSample): Promise<void> {
  if (sample.serializable === false || sample.options) return;
  const layer = start(sample);
  const inputs = symbolicOf(sample.inputs);
  const model = new Model({ inputs, outputs: layer.apply(inputs) } as never) as Model;
  const customObjects = sample.customObjects ?? { [layer.className]: layer.constructor as unknown as LayerClass };
  const again = await decodeModel(await encodeModel(model as never), { customObjects: customObjects as never });
  equal(again.getWeights(), model.getWeights(), 'of weights from a file');
  const outputs = (m: { apply(x: never): unknown }): Tensor[] => leaves(m.apply(sample.inputs as never));
  equal(outputs(again as never), outputs(model as never), 'of outputs of a model from a file');
}

/** The mask of an input: that of the sample, or some steps. */
function maskFor(x: Tensor, sample: LayerSample): Tensor | null {
  if (sample.mask === null) return null;
  if (sample.mask) return sample.mask;
  if (x.rank < 3) return null;
  const [batch, time] = x.shape as [number, number];
  const values = Array.from({ length: batch * time }, (_, i) =>
    i % time < Math.max(1, time - Math.floor(i / time)) ? 1 : 0,
  );
  return tensor(Int32Array.from(values), { shape: [batch, time] }).cast('bool');
}

async function passesMasks(sample: LayerSample, layer: AnyLayer): Promise<void> {
  const { warn } = console;
  // A layer that stops masks says so once for each.
  console.warn = () => {};
  try {
    const masked = treeMap((x) => withMask(x.add(0).cast(x.dtype), maskFor(x, sample)), sample.inputs);
    if (leaves(masked).every((x) => maskOf(x) === null)) return;
    const masks = treeMap(maskOf, masked);
    layer.resetStates();
    const outputs = callOf(layer, sample, masked);
    const found = leaves(outputs).map(maskOf);
    const computed = layer.computeMask(masked as never, masks as never, outputs as never) as unknown;
    const expected = leavesOf(computed);
    found.forEach((mask, i) => {
      const rule = expected[i] ?? null;
      expect(
        (mask === null) === (rule === null),
        `the mask of output ${i} that computeMask gives (${rule === null ? 'none' : 'one'})`,
      );
      if (!mask) return;
      equal([mask], [rule as Tensor], `of the mask of output ${i}, as computeMask gives it`);
      const { shape } = leaves(outputs)[i]!;
      expect(
        mask.dtype === 'bool' && mask.shape.every((d, k) => d === shape[k]),
        `a mask (bool) of the leading axes of output ${i} ${formatShape(shape)}, received ${mask.dtype} ${formatShape(mask.shape)}`,
      );
    });
    if (sample.options) return;
    const symbolic = symbolicOf(sample.inputs);
    const model = new Model({ inputs: symbolic, outputs: layer.apply(symbolic) } as never);
    layer.resetStates();
    const through = leaves(model.apply(masked as never)).map(maskOf);
    through.forEach((mask, i) => {
      const direct = found[i] ?? null;
      expect((mask === null) === (direct === null), `the mask of output ${i} of a model as that of the layer in it`);
      if (mask) equal([mask], [direct as Tensor], `of the mask of output ${i} of a model`);
    });
  } finally {
    console.warn = warn;
  }
}

/** Samples one by one give what they give together, if the layer says so. */
function keepsSamplesApart(sample: LayerSample, layer: AnyLayer): void {
  if (!layer.keepsSamplesApart || sample.options) return;
  const together = outputsOf(layer, sample);
  const batch = leaves(sample.inputs)[0]!.shape[0]!;
  const parts = Array.from({ length: batch }, (_, i) =>
    outputsOf(
      layer,
      sample,
      treeMap((x) => withMask(x.narrow(0, i, 1), null), sample.inputs),
    ),
  );
  together.forEach((whole, k) => {
    const joined = concat(parts.map((part) => part[k]!));
    const error = whole.cast('float64').sub(joined.cast('float64')).abs().max().item();
    expect(error <= 1e-5, `output ${k} of samples one by one as of all together, received a difference of ${error}`);
  });
}

/** The derivative of a sum of the outputs along random directions, beside central differences, in float64. */
function differentiates(sample: LayerSample): void {
  const layer = start(sample);
  if (outputsOf(layer, sample).every((y) => !isFloating(y.dtype))) return;
  layer.dtype = 'float64';
  const states = layer.variables.map((v) => v.value);
  const others = layer.variables.filter((v) => v.role === 'state');
  const all = leaves(sample.inputs);
  const floating = all.filter((x) => isFloating(x.dtype));
  const weights = layer.trainableWeights;
  const from = [...floating, ...weights.map((w) => w.value)].map((x) => x.cast('float64'));
  if (from.length === 0) return;
  const run = (values: readonly Tensor[]): Tensor[] => {
    let i = 0;
    const inputs = treeMap((x) => (isFloating(x.dtype) ? values[i++]! : x), sample.inputs);
    return withValues(
      [...weights, ...others],
      [...values.slice(floating.length), ...others.map((v) => v.value.cast('float64'))],
      () => leaves(callOf(layer, sample, inputs)).filter((y) => isFloating(y.dtype)),
    );
  };
  const { value, pullback } = vjp(run, from);
  const keys = splitKey(randomKey(7), value.length + 4 * from.length);
  const cotangents = value.map((y, i) => randomNormal(y.shape, { key: keys[i]!, dtype: 'float64' }));
  const [gradients] = pullback(cotangents);
  const loss = (values: readonly Tensor[]): number =>
    run(values).reduce((sum, y, i) => sum + y.mul(cotangents[i]!).sum().item(), 0);
  const step = 1e-6;
  for (let k = 0; k < 4; k++) {
    const directions = from.map((x, i) =>
      randomNormal(x.shape, { key: keys[value.length + k * from.length + i]!, dtype: 'float64' }),
    );
    const at = (h: number): number => loss(from.map((x, i) => x.add(directions[i]!.mul(h))));
    const numeric = (at(step) - at(-step)) / (2 * step);
    const exact = gradients.reduce((sum, g, i) => sum + g.mul(directions[i]!).sum().item(), 0);
    const scale = Math.max(1, Math.abs(numeric));
    expect(
      Math.abs(numeric - exact) <= 1e-5 * scale,
      `a derivative of ${numeric} along a direction, received ${exact}`,
    );
  }
  layer.variables.forEach((v, i) => {
    v.assign(states[i]!);
  });
}

/** Copies of each sample, so that a step is worth threads. */
const COPIES = 128;

async function compiles(sample: LayerSample, layer: AnyLayer): Promise<void> {
  const many = treeMap((x) => (x.rank === 0 ? x : concat(Array<Tensor>(COPIES).fill(x))), sample.inputs);
  const own = sample.options ? sample.inputs : many;
  const eager = outputsOf(layer, sample, own);
  const results: Tensor[][] = [];
  try {
    for (const count of [1, 2]) {
      await setThreads(count);
      setThreadedWork(count === 1 ? null : 0);
      layer.resetStates();
      const step = jit((inputs: TensorTree) => leaves(callOf(layer, sample, inputs)));
      results.push((await step(own)).map((y) => y.add(0).cast(y.dtype)));
      step.dispose();
    }
  } finally {
    setThreadedWork(null);
    await setThreads('auto');
  }
  equal(results[1]!, results[0]!, 'on two threads, as on one');
  eager.forEach((y, i) => {
    const z = results[0]![i]!;
    expect(
      z.dtype === y.dtype && formatShape(z.shape) === formatShape(y.shape),
      `output ${i} of the compiled call as of the eager one`,
    );
    y.data.forEach((value: number, k: number) => {
      const other = z.data[k]!;
      const near = Math.abs(value - other) <= 1e-5 + 1e-5 * Math.abs(value);
      expect(
        near || Object.is(value, other),
        `${value} at ${k} of output ${i} of the compiled call, received ${other}`,
      );
    });
  });
}

/** A model of only this layer, for squared errors; null where there is nothing to train. */
function modelOf(layer: AnyLayer, sample: LayerSample): { model: Model; targets: Tensor[] } | null {
  const outputs = outputsOf(layer, sample);
  if (sample.options || outputs.some((y) => !isFloating(y.dtype)) || layer.trainableWeights.length === 0) return null;
  layer.resetStates();
  const inputs = symbolicOf(sample.inputs);
  const model = new Model({ inputs, outputs: layer.apply(inputs) } as never) as Model;
  model.compile({ optimizer: new SGD({ learningRate: 1e-3 }), loss: outputs.map(() => 'meanSquaredError') as never });
  const keys = splitKey(randomKey(13), outputs.length + 1);
  return { model, targets: outputs.map((y, i) => randomNormal(y.shape, { key: keys[i]! })) };
}

async function trains(sample: LayerSample): Promise<void> {
  const layer = start(sample);
  const made = modelOf(layer, sample);
  if (!made) return;
  const { model, targets } = made;
  const y = targets.length === 1 ? targets[0]! : targets;
  const fixed = layer.weights.filter((w) => !w.trainable);
  const before = layer.trainableWeights.map((w) => tensor(w.value.data.slice()));
  const kept = fixed.map((w) => tensor(w.value.data.slice()));
  layer.resetStates();
  const first = await model.testOnBatch(sample.inputs as never, y as never);
  equal(
    fixed.map((w) => w.value.reshape([-1])),
    kept.map((w) => w.reshape([-1])),
    'of weights that are not trained, after a test',
  );
  layer.resetStates();
  await model.trainOnBatch(sample.inputs as never, y as never);
  layer.resetStates();
  const second = await model.testOnBatch(sample.inputs as never, y as never);
  const moved = layer.trainableWeights.filter((w, i) =>
    w.value.data.some((v: number, k: number) => v !== before[i]!.data[k]),
  );
  expect(moved.length > 0, 'weights that change in a step of training, received none');
  // Statistics that training gathers move the outputs of inference too.
  if (fixed.length === 0)
    expect(
      second['loss']! < first['loss']!,
      `a lower loss after a step of training, received ${second['loss']} after ${first['loss']}`,
    );
  model.dispose();
}

async function staysFrozen(sample: LayerSample): Promise<void> {
  const layer = start(sample);
  const made = modelOf(layer, sample);
  if (!made || sample.changesFrozen) return;
  const { model, targets } = made;
  layer.trainable = false;
  expect(layer.trainableWeights.length === 0, 'a frozen layer without trained weights');
  const before = layer.weights.map((w) => tensor(w.value.data.slice()));
  await model.trainOnBatch(sample.inputs as never, (targets.length === 1 ? targets[0]! : targets) as never);
  equal(
    layer.weights.map((w) => tensor(w.value.data.slice())),
    before,
    'of weights of a frozen layer',
  );
  model.dispose();
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected ${what}`);
}

/** Throws unless tensors are the same, to the bit. */
function equal(actual: readonly Tensor[], expected: readonly Tensor[], what: string): void {
  expect(actual.length === expected.length, `${expected.length} tensors ${what}, received ${actual.length}`);
  expected.forEach((x, i) => {
    const y = actual[i]!;
    expect(
      x.dtype === y.dtype && formatShape(x.shape) === formatShape(y.shape),
      `${x.dtype} ${formatShape(x.shape)} ${what}, received ${y.dtype} ${formatShape(y.shape)}`,
    );
    const at = x.data.findIndex((value: number, k: number) => !Object.is(value, y.data[k]) && value !== y.data[k]);
    expect(at < 0, `${x.data[at]} at ${at} ${what}, received ${y.data[at]}`);
  });
}

/** The leaves of lists and records: what is no list and no plain object. */
function leavesOf(tree: unknown): unknown[] {
  if (Array.isArray(tree)) return tree.flatMap(leavesOf);
  if (typeof tree === 'object' && tree !== null && Object.getPrototypeOf(tree) === Object.prototype)
    return Object.values(tree).flatMap(leavesOf);
  return [tree];
}

function leaves(tree: unknown): Tensor[] {
  return leavesOf(tree) as Tensor[];
}

function specs(tree: unknown): Spec[] {
  return leavesOf(tree).filter((leaf) => leaf instanceof SymbolicTensor);
}

function symbolicOf(tree: unknown): never {
  return treeMap((x) => Input({ shape: x.shape.slice(1), dtype: x.dtype as never }), tree) as never;
}

/** Options with symbolic tensors in the place of tensors. */
function symbolicOptions({ options = {} }: LayerSample): never {
  const visit = (value: unknown): unknown => {
    if (value instanceof Tensor) return symbolicOf(value);
    return Array.isArray(value) ? value.map(visit) : value;
  };
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [key, visit(value)])) as never;
}

/** The shapes in a tree of them. */
function shapesIn(tree: unknown, count: number): PartialShape[] {
  const isShape = (node: unknown): node is PartialShape =>
    Array.isArray(node) && node.every((d) => d === null || typeof d === 'number');
  if (isShape(tree) && (count === 1 || tree.length > 0)) return [tree];
  return Object.values(tree as Record<string, unknown>).flatMap((child) => shapesIn(child, 1));
}
