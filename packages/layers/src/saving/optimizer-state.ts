import type { NamedTensor, OptimizerWeights } from '@recurra/formats';
import { FormatError, scalar, type Tensor, zeros } from '@recurra/tensor';
import { formatShape, snakeCase } from '@recurra/tensor/extend';
import { sameElements, type Variable } from '../base/variable.js';
import type { Kept, ModelOptimizer } from '../training/model-optimizer.js';

/** A place in Keras' list of an optimizer's variables: a variable, or (for what Keras keeps and we do not) a value in its place. */
interface Place {
  readonly name: string;
  readonly variable: Variable | null;
  readonly value: () => Tensor;
}

/** A slot of one weight, or what stands for it. */
type Slot = (parameter: Variable, kept: Kept) => Omit<Place, 'name'> | null;

const slot =
  (name: string): Slot =>
  (_parameter, { slots }) => {
    const variable = slots[name];
    return variable ? { variable, value: () => sameElements(variable.value) } : null;
  };
/** What Keras keeps of a weight, without a use of it. */
const orElse =
  (name: string, value: (parameter: Variable) => Tensor): Slot =>
  (parameter, kept) =>
    slot(name)(parameter, kept) ?? { variable: null, value: () => value(parameter) };

/**
 * In which order Keras makes what its optimizers keep of weights: block by block, in each by weights, of each in this order. By default all that there is in one
 * block.
 */
const BLOCKS: Readonly<Record<string, readonly (readonly (readonly [string, Slot])[])[]>> = {
  Adam: [['momentum', 'velocity'], ['velocityHat']].map((names) => names.map((name) => [name, slot(name)])),
  RMSprop: ['velocity', 'momentum', 'averageGradient'].map((name) => [[name, slot(name)]]),
  Adafactor: [
    [
      ['rows', orElse('rows', () => scalar(0))],
      ['columns', orElse('columns', () => scalar(0))],
      ['velocity', orElse('velocity', ({ shape, dtype }) => zeros([...shape], dtype))],
    ],
  ],
};

/** What Keras calls slots that have another name here. */
const NAMES: Readonly<Record<string, string>> = { accumulatedDelta: 'accumulated_delta_var' };

const of = (name: string, variable: Variable): Place => ({ name, variable, value: () => sameElements(variable.value) });

/** The variables of an optimizer in Keras' order, for these weights. */
function placesOf(optimizer: ModelOptimizer, parameters: readonly Variable[]): Place[] {
  const { iteration, rate, shared, kept } = optimizer.parts(parameters);
  const inner = optimizer.innerName;
  const head = [of('iteration', iteration), ...(rate ? [of('learning_rate', rate)] : [])];
  const places: Place[] = [...head];
  const left = { ...shared };
  if (inner !== null)
    for (const name of ['stepCounter', 'dynamicScale']) {
      places.push(of(snakeCase(name), left[name]!));
      delete left[name];
    }
  if (!optimizer.built) return places;
  // The optimizer around another one has a counter and a rate of its own.
  if (inner !== null) places.push(...head);
  const path = (parameter: Variable): string => parameter.path.replaceAll('/', '_');
  for (const [what, name] of [
    ['average', 'average'],
    ['accumulator', 'gradient_accumulator'],
  ] as const)
    kept.forEach((own, i) => {
      const variable = own[what];
      if (variable) places.push(of(`${path(parameters[i]!)}_${name}`, variable));
    });
  const blocks = BLOCKS[inner ?? optimizer.name] ?? [
    [...new Set(kept.flatMap(({ slots }) => Object.keys(slots)))].map((name) => [name, slot(name)] as const),
  ];
  for (const block of blocks)
    kept.forEach((own, i) => {
      for (const [name, find] of block) {
        const found = find(parameters[i]!, own);
        if (found) places.push({ name: `${path(parameters[i]!)}_${NAMES[name] ?? snakeCase(name)}`, ...found });
      }
    });
  for (const [name, variable] of Object.entries(left)) places.push(of(snakeCase(name), variable));
  return places;
}

/** The state of an optimizer as Keras' files have it. */
export function optimizerToFile(optimizer: ModelOptimizer, parameters: readonly Variable[]): OptimizerWeights {
  if (optimizer.built) optimizer.prepare(parameters);
  const name = String(optimizer.getConfig()['name'] ?? snakeCase(optimizer.name));
  const places = placesOf(optimizer, parameters);
  const variables: NamedTensor[] = places.map((place) => ({
    name: `${name}/${place.name}`,
    value: place.value(),
  }));
  if (optimizer.innerName === null || !optimizer.built) return { name, variables };
  const own = places.findIndex((place, i) => i > 0 && place.name === 'iteration');
  return { name, variables, inner: { name: snakeCase(optimizer.innerName), variables: variables.slice(own) } };
}

/**
 * Puts the state that a file has in an optimizer: what it keeps of these weights, too, where the file has it. Throws `FormatError` where they do not fit.
 */
export function assignOptimizer(
  optimizer: ModelOptimizer,
  parameters: readonly Variable[],
  state: OptimizerWeights,
  label = 'loadModel',
): void {
  const given = state.variables;
  // Of an optimizer that took no step, files have only its own variables.
  const bare = placesOf(optimizer, optimizer.built ? parameters : []);
  if (given.length > bare.length) optimizer.prepare(parameters);
  const places = given.length === bare.length && !optimizer.built ? bare : placesOf(optimizer, parameters);
  if (given.length !== places.length)
    throw new FormatError(
      `${label}: expected ${places.length} variables of ${optimizer.name} for ${parameters.length} trained weights, received ${given.length}. Load with { compile: false }, and compile anew.`,
    );
  places.forEach((place, i) => {
    const { value, name } = given[i]!;
    const shape = place.variable?.shape ?? place.value().shape;
    if (value.shape.join() !== shape.join())
      throw new FormatError(
        `${label}: expected the optimizer's ${place.name} to have shape ${formatShape(shape)}, received ${formatShape(value.shape)} ("${name}")`,
      );
  });
  places.forEach(({ variable }, i) => {
    variable?.assign(sameElements(given[i]!.value.cast(variable.dtype)));
  });
}
