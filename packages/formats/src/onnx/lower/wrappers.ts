import { masked, type Size, type Value } from '../graph.js';
import { isObject, type LayerCall, type LayerNode } from '../layer-call.js';
import type { Lower } from './simple.js';

/** The layer within a layer. */
function innerLayer(call: LayerCall): LayerNode {
  const { className, config } = call.object('layer');
  const name = isObject(config) && typeof config['name'] === 'string' ? config['name'] : className;
  return { className, name, config, group: call.child('layer'), path: `${call.layer.path}/${name}` };
}

/** The same layer at every step: steps become samples, and samples steps again. */
export const timeDistributed: Lower = (call: LayerCall) => {
  const { g } = call;
  const xs = call.list;
  const [first] = xs as [Value];
  for (const x of xs) if (x.shape.length < 3) call.fail('expected inputs of rank 3 or more [batch, time, ...]');
  const [batch, time] = [g.dim(first, 0), g.dim(first, 1)];
  const all: Size =
    typeof batch === 'number' && typeof time === 'number'
      ? batch * time
      : g.node('Mul', [g.sizes([batch]), g.sizes([time])], { shape: [1], type: 'int64' });
  const rest = (x: Value, from: number): Size[] => x.shape.slice(from).map((_, i) => g.dim(x, from + i));
  const flat = xs.map((x) => {
    const inner = x.mask && x.mask.shape.length > 2 ? g.reshape(x.mask, [all, ...rest(x.mask, 2)]) : null;
    return masked(g.reshape(x, [all, ...rest(x, 2)]), inner);
  });
  const outputs = call.lower(innerLayer(call), xs.length === 1 ? flat[0]! : flat);
  const outer = xs.find((x) => x.mask?.shape.length === 2)?.mask ?? null;
  const within = xs.find((x) => x.mask && x.mask.shape.length > 2)?.mask ?? null;
  return outputs.map((y) => {
    const apart = (v: Value): Value => g.reshape(v, [batch, time, ...rest(v, 1)]);
    const own = y.mask ? apart(y.mask) : null;
    // A step counts in which anything did.
    const any =
      within &&
      g.any(
        within,
        Array.from({ length: within.shape.length - 2 }, (_, i) => i + 2),
      );
    return masked(apart(y), outer ?? own ?? any);
  });
};

/** Inference uses the kernel as it stands. Its weights are those of the layer within, which Keras saves there. */
export const spectralNormalization: Lower = (call: LayerCall) => {
  const inner = innerLayer(call);
  return call.lower(inner, call.inputs);
};
