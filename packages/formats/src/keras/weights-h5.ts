import { FormatError, type Tensor } from '@recurra/tensor';
import { writeHdf5 } from '../hdf5/write.js';
import type { ModelFile, NamedTensor, OptimizerWeights, WeightGroup } from '../model-file.js';
import type { Hdf5Group } from './hdf5.js';

/** Where Keras keeps the variables of a group, by their numbers. */
const VARIABLES = 'vars';
/** Where the state of the optimizer is. */
const OPTIMIZER = 'optimizer';

/** What `.weights.h5` holds: weights, and the optimizer's state. */
interface WeightsFile {
  readonly weights: WeightGroup;
  readonly optimizer: OptimizerWeights | null;
}

/** The variables of a group in their order. Throws `FormatError` where their numbers have gaps. */
function variablesOf(group: Hdf5Group | undefined, label: string): readonly NamedTensor[] {
  if (!group) return [];
  return Array.from({ length: group.datasets.size }, (_, i) => {
    const value = group.datasets.get(String(i));
    if (!value)
      throw new FormatError(
        `${label}: expected variables 0 to ${group.datasets.size - 1}, received ${[...group.datasets.keys()].join(', ').slice(0, 80)}`,
      );
    return { name: String(i), value };
  });
}

const nameOf = (group: Hdf5Group | undefined): string | null => {
  const name = group?.attributes.get('name');
  return typeof name === 'string' ? name : null;
};

function groupFrom(group: Hdf5Group, label: string, path = ''): WeightGroup {
  if (group.datasets.size > 0)
    throw new FormatError(
      `${label}: ${path || '/'}: expected variables in groups "${VARIABLES}", received ${[...group.datasets.keys()].join(', ').slice(0, 80)}. Is it a file of Keras 3's weights?`,
    );
  const variables = group.groups.get(VARIABLES);
  const children = [...group.groups].filter(([key]) => key !== VARIABLES);
  return {
    name: nameOf(variables),
    variables: variablesOf(variables, `${label}: ${path || '/'}`),
    children: new Map(children.map(([key, child]) => [key, groupFrom(child, label, `${path}/${key}`)])),
  };
}

/** Weights and optimizer's state of a file's tree. */
export function weightsFromHdf5(root: Hdf5Group, label: string): WeightsFile {
  const { [OPTIMIZER]: optimizer, ...rest } = Object.fromEntries(root.groups);
  const weights = groupFrom({ ...root, groups: new Map(Object.entries(rest)) }, label);
  if (!optimizer) return { weights, optimizer: null };
  const own = optimizer.groups.get(VARIABLES);
  return {
    weights,
    optimizer: { name: nameOf(own) ?? OPTIMIZER, variables: variablesOf(own, `${label}: /${OPTIMIZER}`) },
  };
}

const leaf = (name: string | null, values: readonly NamedTensor[]): Hdf5Group => ({
  attributes: new Map(name === null ? [] : [['name', name]]),
  groups: new Map(),
  datasets: new Map<string, Tensor>(values.map(({ value }, i) => [String(i), value])),
});

function groupToHdf5({ name, variables, children }: WeightGroup): Hdf5Group {
  const groups = new Map([...children].map(([key, child]) => [key, groupToHdf5(child)]));
  // Lists have no variables of their own.
  if (name !== null || variables.length > 0) groups.set(VARIABLES, leaf(name, variables));
  return { attributes: new Map(), groups, datasets: new Map() };
}

function optimizerToHdf5({ name, variables, inner }: OptimizerWeights): Hdf5Group {
  const groups = new Map([[VARIABLES, leaf(name, variables)]]);
  if (inner) groups.set('inner_optimizer', optimizerToHdf5(inner));
  return { attributes: new Map(), groups, datasets: new Map() };
}

/** Weights and optimizer's state as a file's tree. */
export function weightsToHdf5({ weights, optimizer }: WeightsFile): Hdf5Group {
  const root = groupToHdf5(weights);
  if (!optimizer) return root;
  return { ...root, groups: new Map([...root.groups, [OPTIMIZER, optimizerToHdf5(optimizer)]]) };
}

/** Weights, and the optimizer's state where there is one, as a `.weights.h5` file, which Keras reads. Throws `FormatError` without weights. */
export async function writeWeightsH5({ weights, optimizer }: ModelFile): Promise<Uint8Array> {
  if (!weights) throw new FormatError('.weights.h5: expected weights by the names of attributes, received none');
  return writeHdf5(weightsToHdf5({ weights, optimizer }));
}
