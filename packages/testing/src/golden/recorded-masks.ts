// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** The names of the operations that Keras wrote into a graph beside its layers. */
function operationsOf(config: Json): ReadonlySet<string> {
  const entries = (config.layers ?? []) as Json[];
  return new Set(entries.filter(({ module }) => /^keras\.src\.ops\b/.test(module ?? '')).map(({ name }) => name));
}

/** Does a tree of arguments refer to one of these? */
function refersTo(names: ReadonlySet<string>, tree: Json): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  if (tree.class_name === '__keras_tensor__') return names.has(tree.config.keras_history[0]);
  return Object.values(tree).some((child) => refersTo(names, child));
}

/**
 * Keras' configuration of a graph without what it records of masks: operations that compute them (`NotEqual` of ids and 0, `LogicalOr` where tensors meet), and the
 * arguments `mask` that refer to those. Here masks travel with their tensors, so that they are there without. A graph whose layers use such an operation
 * for anything else comes back as it is.
 */
export function withoutRecordedMasks(config: Json): Json {
  const names = operationsOf(config);
  if (names.size === 0) return config;
  const layers = (config.layers as Json[])
    .filter(({ name }) => !names.has(name))
    .map((layer) => ({
      ...layer,
      inbound_nodes: (layer.inbound_nodes as Json[]).map(({ args, kwargs }) => {
        const { mask, ...rest } = kwargs;
        return { args, kwargs: refersTo(names, mask) ? rest : kwargs };
      }),
    }));
  const used = [layers.map((layer) => layer.inbound_nodes), config.output_layers];
  const outputs = [config.output_layers].flat(2) as unknown[];
  return refersTo(names, used) || outputs.some((name) => names.has(name as string)) ? config : { ...config, layers };
}
