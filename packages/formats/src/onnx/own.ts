import type { WeightGroup } from '../model-file.js';
/** Where the architecture lies in a file. */
export const METADATA = { model: 'recurra.model', weights: 'recurra.weights' } as const;
export function describeWeights(group: WeightGroup): object {
  return {
    name: group.name,
    variables: group.variables.map(({ name, value }) => ({ name, shape: value.shape, dtype: value.dtype })),
    children: Object.fromEntries([...group.children].map(([key, child]) => [key, describeWeights(child)])),
  };
}
