import { isRecord, leavesOf } from '../base/tree.js';

type Config = Readonly<Record<string, unknown>>;

/** Layers, and what else stands in a graph as Keras wrote it. */
interface Entry {
  readonly module?: unknown;
  readonly class_name?: unknown;
  readonly name?: unknown;
  readonly inbound_nodes?: readonly { readonly args?: unknown; readonly kwargs?: Config }[];
}

/** What masks are computed by, for files that do not say where a class is from (`.h5`). */
const OPERATIONS: ReadonlySet<unknown> = new Set(['NotEqual', 'LogicalOr', 'LogicalAnd', 'Any', 'All']);

/** Does a tree of arguments refer to one of these? */
function refersTo(names: ReadonlySet<unknown>, tree: unknown): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  if (isRecord(tree) && tree['class_name'] === '__keras_tensor__') {
    const history = isRecord(tree['config']) ? tree['config']['keras_history'] : null;
    return Array.isArray(history) && names.has(history[0]);
  }
  return Object.values(tree).some((child) => refersTo(names, child));
}

/**
 * Keras' configuration of a graph without what it records of masks: operations that compute them (`NotEqual` of ids and 0, `LogicalOr` where tensors meet), and the
 * arguments `mask` that refer to those. Here masks travel with their tensors, so that they are there without. A graph whose layers use such an operation
 * for anything else comes back as it is.
 */
export function withoutRecordedMasks<C extends Config>(config: C): C {
  if (!Array.isArray(config['layers'])) return config;
  const entries = (config['layers'] as readonly unknown[]).filter(isRecord) as readonly Entry[];
  const isOperation = ({ module, class_name: className }: Entry): boolean =>
    typeof module === 'string' ? /^keras\.src\.ops\b/.test(module) : OPERATIONS.has(className);
  const names: ReadonlySet<unknown> = new Set(entries.filter(isOperation).map(({ name }) => name));
  if (names.size === 0) return config;
  const layers = entries
    .filter((entry) => !isOperation(entry))
    .map((layer) => ({
      ...layer,
      ...(Array.isArray(layer.inbound_nodes)
        ? {
            inbound_nodes: layer.inbound_nodes.map((node) => {
              if (!isRecord(node) || !isRecord(node['kwargs'])) return node;
              const { mask, ...rest } = node['kwargs'];
              return { ...node, kwargs: refersTo(names, mask) ? rest : node['kwargs'] };
            }),
          }
        : {}),
    }));
  const used = [layers.map((layer) => layer.inbound_nodes), config['output_layers']];
  const outputs = leavesOf(config['output_layers']);
  return refersTo(names, used) || outputs.some((name) => names.has(name)) ? config : { ...config, layers };
}

/** A tree of descriptions as Keras wrote it, all graphs in it without recorded masks. */
export function withoutMasksWithin(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMasksWithin);
  if (!isRecord(value)) return value;
  const own = Array.isArray(value['layers']) && 'output_layers' in value ? withoutRecordedMasks(value) : value;
  return Object.fromEntries(Object.entries(own).map(([key, child]) => [key, withoutMasksWithin(child)]));
}
