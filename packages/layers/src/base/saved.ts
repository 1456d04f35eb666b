import { snakeCase } from '@recurra/tensor/extend';
import { Layer } from './layer.js';
import { isRecord } from './tree.js';
import type { Variable } from './variable.js';

/** A variable that files hold, and the name of it that they show. */
export interface SavedVariable {
  readonly name: string;
  readonly variable: Variable;
}

/** What files hold of a layer: its variables, and those of what it is made of, by the names of Keras' attributes. */
export interface SavedGroup {
  /** The name of the layer; `null` for a list of layers. */
  readonly name: string | null;
  readonly variables: readonly SavedVariable[];
  readonly children: ReadonlyMap<string, SavedGroup>;
}

/** Is it a group that a layer made by itself? */
function isGroup(value: unknown): value is SavedGroup {
  return isRecord(value) && Array.isArray(value['variables']) && value['children'] instanceof Map;
}

/** Keras walks attributes in the order of the alphabet, those that begin with `_` last. */
const attributeKey = (name: string): string => (name.startsWith('_') ? `~${name}` : name);

/** Names in a list: the class of each in snake_case, numbered. */
function numbered(): (name: string) => string {
  const used = new Map<string, number>();
  return (name) => {
    const n = used.get(name);
    used.set(name, n === undefined ? 0 : n + 1);
    return n === undefined ? name : `${name}_${n + 1}`;
  };
}

/**
 * What files hold of a layer, as Keras' `saving_lib` finds it: in the attributes of each layer, sorted, every layer once, where it is met first; in lists by the
 * names of the classes. Keys are part of the format.
 */
export function savedGroupOf(layer: Layer<never, unknown>, seen: Set<unknown> = new Set()): SavedGroup {
  seen.add(layer);
  const children = new Map<string, SavedGroup>();
  const visit = (key: string, value: unknown, into: Map<string, SavedGroup>): void => {
    if (value instanceof Layer) {
      if (!seen.has(value)) into.set(key, savedGroupOf(value as Layer<never, unknown>, seen));
    } else if (isGroup(value)) into.set(key, value);
    else if (Array.isArray(value) || isRecord(value)) {
      const inside = new Map<string, SavedGroup>();
      const name = numbered();
      for (const item of Object.values(value))
        if (item instanceof Layer) visit(name(snakeCase(item.className)), item, inside);
        else if (Array.isArray(item) || isRecord(item)) visit(name('container'), item, inside);
      if (inside.size > 0) into.set(key, { name: null, variables: [], children: inside });
    }
  };
  const parts = Object.entries(layer.savedParts());
  // Of chains and graphs their layers come first, whatever else a class of one's own has.
  const first = layer.savedFirst;
  const rank = ([key]: readonly [string, unknown]): string => (key === first ? '' : attributeKey(key));
  parts.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  for (const [key, value] of parts) visit(key, value, children);
  return {
    name: layer.name,
    variables: layer.savedVariables().map((variable) => ({ name: variable.name, variable })),
    children,
  };
}
