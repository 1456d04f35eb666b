import type { Tensor } from '@recurra/tensor';
import { masked, type Size, type Value } from '../graph.js';
import { type Argument, isValue, type LayerCall } from '../layer-call.js';
import type { Lower } from './simple.js';

/** Masks of the inputs: as the call is given them, else as they came. */
function masksOf(call: LayerCall, xs: readonly Value[]): (Value | null)[] {
  const given = call.kwargs['mask'];
  if (given === undefined || given === null) return xs.map((x) => x.mask);
  const list: readonly Argument[] = Array.isArray(given) ? given : [given];
  return xs.map((_, i) => {
    const mask = list[i] ?? null;
    if (mask !== null && !isValue(mask)) call.fail('expected masks that are tensors of the graph');
    return mask as Value | null;
  });
}

const asked = (call: LayerCall, key: string): boolean => {
  const value = call.kwargs[key] ?? false;
  if (typeof value !== 'boolean') call.fail(`expected ${key} to be true or false`);
  return value;
};

/** bool [queries, keys]: keys up to the query's own place. */
function causal(call: LayerCall, query: Value, key: Value): Value {
  const { g } = call;
  const queries = g.unsqueeze(g.range(query, 1), [1]);
  const keys = g.unsqueeze(g.range(key, 1), [0]);
  return g.node('Not', [g.greater(keys, queries)]);
}

const scored =
  (scores: (call: LayerCall, q: Value, k: Value) => Value): Lower =>
  (call: LayerCall) => {
    const { g } = call;
    const { list } = call;
    if (list.length < 2 || list.length > 3)
      call.fail(`expected [query, value] or [query, value, key], received ${list.length} inputs`);
    const [query, value, key = value] = list.map((x) => g.cast(x, 'float32')) as [Value, Value, Value?];
    for (const x of [query, value, key]) call.rank(x, 3, '[batch, steps, features]');
    const [queryMask, valueMask] = masksOf(call, list);
    let s = scores(call, query, key);
    let allowed = valueMask ? g.unsqueeze(g.cast(valueMask, 'bool'), [1]) : null;
    if (asked(call, 'use_causal_mask')) {
      const past = causal(call, query, key);
      allowed = allowed ? g.and(allowed, past) : past;
    }
    if (allowed) s = g.where(allowed, s, g.sub(s, g.number(1e9)));
    const shares = g.softmax(s, -1);
    let y = g.matmul(shares, value);
    if (queryMask) y = g.where(g.unsqueeze(g.cast(queryMask, 'bool'), [2]), y, g.number(0));
    y = masked(y, queryMask ?? null);
    return asked(call, 'return_attention_scores') ? [y, shares] : y;
  };

/** q + k for each pair, [batch, queries, keys, features]. */
const sums = (call: LayerCall, q: Value, k: Value): Value =>
  call.g.add(call.g.unsqueeze(q, [2]), call.g.unsqueeze(k, [1]));

export const attention: Lower = scored((call, q, k) => {
  const { g } = call;
  const scale = call.flag('use_scale', false) ? call.weight(0, 'scale', 0) : null;
  const scaled = (x: Value): Value => (scale ? g.mul(x, scale) : x);
  if (call.text('score_mode', ['dot', 'concat'], 'dot') === 'dot')
    return scaled(g.matmul(q, g.transpose(k, [0, 2, 1])));
  const weight = call.weight(scale ? 1 : 0, 'concat_score_weight', 0);
  return g.mul(g.sum(g.unary('Tanh', scaled(sums(call, q, k))), [3]), weight);
});

export const additiveAttention: Lower = scored((call, q, k) => {
  const { g } = call;
  const bent = g.unary('Tanh', sums(call, q, k));
  return g.sum(call.flag('use_scale', true) ? g.mul(bent, call.weight(0, 'scale', 1)) : bent, [3]);
});

/** What stands for the scores of keys that do not count: below all others of float32 (Keras). */
const MASKED = -2.3819763e38;

/** All elements along one axis. */
const flat = (t: Tensor): Tensor => t.reshape([t.size]);

/** Query, value and key of a call with heads: one input, a list, or arguments behind each other. */
function headed(call: LayerCall): { xs: readonly [Value, Value, Value]; masks: (Value | null)[] } {
  const named = ['value', 'key'].map((k) => call.kwargs[k]).filter(isValue);
  const list = [...call.list, ...named];
  const single = list.length === 1;
  if (list.length > 3) call.fail(`expected query, value and key, received ${list.length} inputs`);
  const [q, v = q, k = v] = list as [Value, Value?, Value?];
  for (const x of [q, v, k]) call.rank(x, 3, '[batch, steps, features]');
  const given = masksOf(call, list);
  const of = (i: number, key: string): Value | null => {
    const own = call.kwargs[key];
    return isValue(own) ? own : (given[i] ?? null);
  };
  const masks = [of(0, 'query_mask'), single ? given[0]! : of(1, 'value_mask'), single ? null : of(2, 'key_mask')];
  return { xs: [q, v, k], masks };
}

/** Attention in heads: as Keras' MultiHeadAttention, and with fewer heads of keys, GroupedQueryAttention. */
const heads =
  (names: { queries: string; keys: string; depth: string; valueDepth: string | null }): Lower =>
  (call: LayerCall) => {
    const { g } = call;
    const { xs, masks } = headed(call);
    const [q, v, k] = xs.map((x) => g.cast(x, 'float32')) as [Value, Value, Value];
    const [queryHeads, keyHeads, depth] = [call.count(names.queries), call.count(names.keys), call.count(names.depth)];
    const valueDepth = names.valueDepth === null ? depth : call.count(names.valueDepth, depth);
    const axes = call.get('attention_axes') ?? null;
    if (axes !== null && call.axes('attention_axes', 3).join() !== '1') call.fail('expected attention over axis 1');
    if (queryHeads % keyHeads !== 0) call.fail('expected heads of keys that divide those of queries');
    const useBias = call.flag('use_bias', true);
    const project = (x: Value, attribute: string): Value => {
      const group = call.child(attribute) ?? call.child(`_${attribute}`);
      const path = `${call.layer.path}/${attribute.replace(/_dense$/, '')}`;
      // [features, heads, depth] as a matrix.
      const kernel = g.weight(`${path}/kernel`, () => {
        const t = call.tensor(0, `${attribute} kernel`, 3, group);
        return t.reshape([t.shape[0]!, t.shape[1]! * t.shape[2]!]);
      });
      let y = g.matmul(x, kernel);
      if (useBias)
        y = g.add(
          y,
          g.weight(`${path}/bias`, () => flat(call.tensor(1, `${attribute} bias`, 2, group))),
        );
      return y;
    };
    const split = (y: Value, x: Value, n: number, size: number): Value =>
      g.reshape(y, [g.dim(x, 0), g.dim(x, 1), n, size]);
    const repeated = (y: Value, x: Value, size: number): Value => {
      const times = queryHeads / keyHeads;
      if (times === 1) return y;
      const wide = g.expand(g.unsqueeze(y, [3]), [g.dim(x, 0), g.dim(x, 1), keyHeads, times, size]);
      return g.reshape(wide, [g.dim(x, 0), g.dim(x, 1), queryHeads, size]);
    };
    const queries = g.transpose(split(project(q, 'query_dense'), q, queryHeads, depth), [0, 2, 1, 3]);
    const keys = g.transpose(repeated(split(project(k, 'key_dense'), k, keyHeads, depth), k, depth), [0, 2, 3, 1]);
    const values = g.transpose(
      repeated(split(project(v, 'value_dense'), v, keyHeads, valueDepth), v, valueDepth),
      [0, 2, 1, 3],
    );
    const allowed = allowedPairs(call, q, k, masks);
    let scores = g.matmul(g.mul(queries, g.number(1 / Math.sqrt(depth))), keys);
    if (allowed) scores = g.where(allowed, scores, g.number(MASKED));
    let shares = g.softmax(scores, -1);
    const wantsScores = asked(call, 'return_attention_scores');
    // Where no key counts: all alike in Keras' fused attention, none at all where it computes the scores by themselves.
    if (allowed && (wantsScores || call.number('dropout', 0) > 0)) shares = g.where(allowed, shares, g.number(0));
    let mixed: Value = g.transpose(g.matmul(shares, values), [0, 2, 1, 3]);
    const joined: Size[] = [g.dim(q, 0), g.dim(q, 1), queryHeads * valueDepth];
    mixed = g.reshape(mixed, joined);
    if (call.flag('use_gate', false)) mixed = g.mul(mixed, g.unary('Sigmoid', project(q, 'gate_dense')));
    const group = call.child('output_dense') ?? call.child('_output_dense');
    const shape = call.get('output_shape') ?? null;
    const outputRank = shape === null ? 1 : call.ints('output_shape').length;
    const kernel = g.weight(`${call.layer.path}/output/kernel`, () => {
      const t = call.tensor(0, 'output_dense kernel', 2 + outputRank, group);
      return t.reshape([t.shape[0]! * t.shape[1]!, t.size / (t.shape[0]! * t.shape[1]!)]);
    });
    let y = g.matmul(mixed, kernel);
    if (useBias) {
      const bias = g.weight(`${call.layer.path}/output/bias`, () => {
        const t = call.tensor(1, 'output_dense bias', outputRank, group);
        return t.reshape([t.size]);
      });
      y = g.add(y, bias);
    }
    if (outputRank > 1) y = g.reshape(y, [g.dim(q, 0), g.dim(q, 1), ...call.ints('output_shape')]);
    y = masked(y, masks[0] ?? null);
    return wantsScores ? [y, shares] : y;
  };

/** bool [batch or 1, heads or 1, queries or 1, keys]: which query may look at which key; `null`: all. */
function allowedPairs(call: LayerCall, q: Value, k: Value, masks: readonly (Value | null)[]): Value | null {
  const { g } = call;
  const found: Value[] = [];
  masks.forEach((mask, i) => {
    if (mask) found.push(g.unsqueeze(g.cast(mask, 'bool'), i === 0 ? [1, 3] : [1, 2]));
  });
  if ((call.get('sliding_window') ?? null) !== null) {
    const apart = g.sub(g.unsqueeze(g.range(q, 1), [1]), g.unsqueeze(g.range(k, 1), [0]));
    found.push(g.less(g.unary('Abs', apart), g.number(call.count('sliding_window'), 'int64')));
  }
  const given = call.kwargs['attention_mask'] ?? null;
  if (given !== null) {
    if (!isValue(given)) return call.fail('expected an attention_mask that is a tensor of the graph');
    const pairs = g.cast(given, 'bool');
    found.push(pairs.shape.length === 3 ? g.unsqueeze(pairs, [1]) : pairs);
  }
  if (asked(call, 'use_causal_mask')) found.push(causal(call, q, k));
  return found.length === 0 ? null : found.reduce((a, b) => g.and(a, b));
}

export const multiHeadAttention: Lower = heads({
  queries: 'num_heads',
  keys: 'num_heads',
  depth: 'key_dim',
  valueDepth: 'value_dim',
});

export const groupedQueryAttention: Lower = heads({
  queries: 'num_query_heads',
  keys: 'num_key_value_heads',
  depth: 'head_dim',
  valueDepth: null,
});

/** The first step that positions are counted from. */
function startOf(call: LayerCall): number {
  const start = call.kwargs['start_index'] ?? call.kwargs['positions'] ?? 0;
  if (typeof start !== 'number' || !Number.isInteger(start) || start < 0)
    call.fail('expected start_index to be a whole number');
  return start;
}

export const positionEmbedding: Lower = (call: LayerCall) => {
  const { g, x } = call;
  const rank = x.shape.length;
  const time = rank - 2;
  const start = startOf(call);
  const table = call.weight(0, 'embeddings', 2);
  const ids = start === 0 ? g.range(x, time) : g.add(g.range(x, time), g.number(start, 'int64'));
  const rows = g.node('Gather', [table, ids], { shape: [x.shape[time]!, table.shape[1]!] }, { axis: { int: 0 } });
  return masked(
    g.expand(
      rows,
      x.shape.map((_, i) => g.dim(x, i)),
    ),
    x.mask,
  );
};

export const sinePositionEncoding: Lower = (call: LayerCall) => {
  const { g, x } = call;
  const rank = x.shape.length;
  const features = call.known(x, rank - 1);
  const start = startOf(call);
  const longest = call.number('max_wavelength', 10000);
  const row = (name: string, f: (i: number) => number): Value =>
    g.table(name, [1, features], (data) => {
      for (let i = 0; i < features; i++) data[i] = f(i);
    });
  const frequencies = row('frequencies', (i) => longest ** ((-2 * Math.floor(i / 2)) / features));
  const even = row('even', (i) => (i % 2 === 0 ? 1 : 0));
  const steps = g.cast(g.range(x, rank - 2), 'float32');
  const angles = g.mul(g.unsqueeze(start === 0 ? steps : g.add(steps, g.number(start)), [1]), frequencies);
  const waves = g.where(g.greater(even, g.number(0)), g.unary('Sin', angles), g.unary('Cos', angles));
  return masked(
    g.expand(
      waves,
      x.shape.map((_, i) => g.dim(x, i)),
    ),
    x.mask,
  );
};
