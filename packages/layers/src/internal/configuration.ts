import { ValueError } from '@recurra/tensor';
import { describeTree, isRecord } from '../base/tree.js';

/** Throws `ValueError` for what is no configuration, as `getConfig` gives it. */
export function expectConfig(label: string, config: unknown): asserts config is Readonly<Record<string, unknown>> {
  if (!isRecord(config))
    throw new ValueError(
      `${label}: expected an object of options, as getConfig gives it, received ${describeTree(config)}`,
    );
}
