import { vjp } from '@recurra/autograd';
import { isCompiling } from '@recurra/compiler';
import { Command } from '@recurra/kernels';
import { arange, type Shape, ShapeError, softmax, Tensor, where, zeros } from '@recurra/tensor';
import {
  type Block,
  bind,
  checkRules,
  checkValue,
  definePrimitive,
  formatShape,
  type LowerContext,
  type Primitive,
  promoteTypes,
  type Rules,
  rules,
  toFloating,
} from '@recurra/tensor/extend';
import { pullbackOf } from './floating.js';

/** Options of {@link dotProductAttention}. */
export interface DotProductAttentionOptions {
  /**
   * bool: which keys may be looked at. [batch, keys], or [batch, heads, queries, keys] with 1 where one is for all. A query that may look at no key looks at
   * all of them alike.
   */
  readonly mask?: Tensor | null;
  /** Each query sees the keys up to its own place alone; false. */
  readonly causal?: boolean;
  /** What scores are multiplied by; 1 / sqrt(depth), and 1 for no depth at all. */
  readonly scale?: number;
}

const TENSOR = rules.instanceOf(Tensor, 'a tensor');
const OPTIONS = {
  mask: rules.orNull(TENSOR),
  causal: rules.flag,
  scale: rules.anyNumber,
} satisfies Rules<DotProductAttentionOptions>;

interface AttentionParams {
  readonly mask: boolean;
  readonly causal: boolean;
  readonly scale: number;
}

/** What stands for the scores of keys that do not count: below all others of float32 (Keras). */
export const MASKED = -2.3819763e38;

/** Which keys count for which query: by a mask, and where `causal` those up to the query's own place, [queries, keys]; `null`: all. */
export function allowedKeys(mask: Tensor | null, causal: boolean, queries: number, keys: number): Tensor | null {
  if (!causal) return mask;
  const past = arange(keys)
    .reshape([1, keys])
    .lessEqual(arange(queries).reshape([queries, 1]));
  return mask ? mask.logicalAnd(past) : past;
}

/** The formula, in operations of tensors. */
function composed(inputs: readonly Tensor[], { causal, scale }: AttentionParams): Tensor {
  const [q, k, v, mask] = inputs as readonly [Tensor, Tensor, Tensor, Tensor | undefined];
  const heads = (t: Tensor): Tensor => t.transpose([0, 2, 1, 3]);
  let scores = heads(q)
    .matmul(k.transpose([0, 2, 3, 1]))
    .mul(scale);
  const allowed = allowedKeys(mask ?? null, causal, q.shape[1]!, k.shape[1]!);
  if (allowed) scores = where(allowed, scores, MASKED);
  return softmax(scores).matmul(heads(v)).transpose([0, 2, 1, 3]);
}

/** Words that both passes have: sizes and inputs. */
function head(context: LowerContext<AttentionParams>) {
  const [q, k, v, mask] = context.inputs as readonly [Block, Block, Block, Block];
  const [batch, queries, heads, depth] = q.shape as readonly [number, number, number, number];
  const { causal, scale, mask: masked } = context.params;
  const keys = k.shape[1]!;
  // Bytes from one sample, head and query of the mask to the next: none where it has one for all.
  const [samples, rows, lines] = masked ? mask.shape : [1, 1, 1];
  return {
    ...{ batch, heads, queries, keys, depth, valueDepth: v.shape[3]!, causal: causal ? 1 : 0, scale },
    ...{ maskSample: samples === 1 ? 0 : rows! * lines! * keys, maskHead: rows === 1 ? 0 : lines! * keys },
    ...{ maskQuery: lines === 1 ? 0 : keys, q, k, v, mask: masked ? mask : null },
  };
}

function workOf({ inputs: [q, k] }: LowerContext<AttentionParams>): number {
  const [batch, queries, heads, depth] = q!.shape as readonly [number, number, number, number];
  return batch * heads * queries * k!.shape[1]! * (depth * 0.5 + 6);
}

/** Attention in one blocked kernel. Outputs: the mixed values, and the logarithms of the rows' sums for the backward pass. */
const attention: Primitive<AttentionParams> = definePrimitive<AttentionParams>({
  name: 'attention',
  abstract: ([q, , v]) => {
    const [batch, queries, heads] = q!.shape as readonly [number, number, number];
    return [
      { shape: [batch, queries, heads, v!.shape[3]!], dtype: 'float32' },
      { shape: [batch, heads, queries], dtype: 'float32' },
    ];
  },
  evaluate: (arrays, params, [, sums]) => [
    composed(
      arrays.map((a) => new Tensor(a.shape, a.dtype, a)),
      params,
    ).concrete('attention'),
    zeros(sums!.shape).concrete('attention'),
  ],
  lower: (context) => {
    const [out, sums] = context.outputs;
    const [batch, queries, heads] = context.inputs[0]!.shape as readonly [number, number, number];
    const rows = sums ?? context.scratch(batch * queries * heads * 4);
    context.emit(Command.attentionForward, { ...head(context), out: out!, sums: rows }, workOf(context));
  },
  vjp: ({ inputs, outputs, cotangents, params, bind: apply }) => {
    const gradients = apply(attentionBackward, [...inputs, ...outputs, cotangents[0]!], params);
    return params.mask ? [...gradients, null] : gradients;
  },
  samples: [],
});

/** The gradients for q, k and v. Inputs: those of {@link attention}, its outputs, and the gradient of the first. */
const attentionBackward: Primitive<AttentionParams> = definePrimitive<AttentionParams>({
  name: 'attentionBackward',
  abstract: (inputs) => inputs.slice(0, 3).map(({ shape, dtype }) => ({ shape, dtype })),
  evaluate: (arrays, params) =>
    gradients(
      arrays.map((a) => new Tensor(a.shape, a.dtype, a)),
      params,
    ).map((t) => t.concrete('attention')),
  lower: (context) => {
    const [out, sums, gradient] = context.inputs.slice(-3) as [Block, Block, Block];
    const [dq = null, dk = null, dv = null] = context.outputs;
    const fields = { ...head(context), out, sums, gradient, dq, dk, dv };
    context.emit(Command.attentionBackward, fields, workOf(context) * 2.5);
  },
  vjp: ({ inputs, cotangents, params }) => pullbackOf((own) => gradients(own, params), inputs, cotangents),
  samples: [],
});

function gradients(inputs: readonly Tensor[], params: AttentionParams): Tensor[] {
  const rest = inputs.slice(3, -3);
  const { pullback } = vjp((own: Tensor[]) => composed([...own, ...rest], params), inputs.slice(0, 3));
  return pullback(inputs[inputs.length - 1]!)[0];
}

/** A mask as [batch or 1, heads or 1, queries or 1, keys]. Throws `ShapeError` where it does not fit. */
function maskOver(mask: Tensor, scores: readonly [number, number, number, number]): Tensor {
  const [batch, , , keys] = scores;
  const shape: Shape = mask.rank === 2 && mask.shape[0] === batch ? [batch, 1, 1, mask.shape[1]!] : mask.shape;
  const fits = shape.length === 4 && shape.every((d, i) => d === scores[i] || (d === 1 && (mask.rank === 4 || i < 3)));
  if (!fits)
    throw new ShapeError(
      `dotProductAttention: expected a mask of shape [${batch}, ${keys}], or ${formatShape(scores)} with 1 where one is for all, received ${formatShape(mask.shape)}`,
    );
  return mask.reshape(shape).broadcastTo([...shape.slice(0, 3), keys]);
}

/**
 * Scaled dot-product attention: softmax(q k^T * scale) v, for each head.
 *
 * q [batch, queries, heads, depth], k [batch, keys, heads, depth], v [batch, keys, heads, valueDepth] -> [batch, queries, heads,
 * valueDepth]. In a compiled step it is one kernel that never holds the matrix of all scores, forward or backward. All three
 * are cast to their common floating-point dtype (`float32` for integers and booleans). Throws
 * `ShapeError` where shapes do not fit, `ValueError` for a scale that is no number. `keras.ops.dot_product_attention`; Vaswani et al. 2017, Dao et al. 2022.
 */
export function dotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: DotProductAttentionOptions = {}): Tensor {
  checkRules('dotProductAttention', options, OPTIONS);
  for (const [what, value] of Object.entries({ q, k, v })) checkValue('dotProductAttention', what, value, TENSOR);
  const fits = q.rank === 4 && k.rank === 4 && v.rank === 4;
  const [batch, , heads, depth] = q.shape;
  if (
    !fits ||
    k.shape[0] !== batch ||
    v.shape[0] !== batch ||
    k.shape[2] !== heads ||
    v.shape[2] !== heads ||
    k.shape[3] !== depth ||
    k.shape[1] !== v.shape[1]
  )
    throw new ShapeError(
      `dotProductAttention: expected q [batch, queries, heads, depth], k [batch, keys, heads, depth] and v [batch, keys, heads, valueDepth], received ${[q, k, v].map((t) => formatShape(t.shape)).join(', ')}`,
    );
  const { mask: given = null, causal = false, scale = depth === 0 ? 1 : 1 / Math.sqrt(depth!) } = options;
  const mask = given && maskOver(given, [batch!, heads!, q.shape[1]!, k.shape[1]!]);
  const params: AttentionParams = { mask: mask !== null, causal, scale };
  const dtype = toFloating([q, k, v].map((t) => t.dtype).reduce(promoteTypes));
  const inputs = [...[q, k, v].map((t) => t.cast(dtype)), ...(mask ? [mask.cast('bool')] : [])];
  const kernel = isCompiling() && dtype === 'float32';
  return kernel ? bind(attention, inputs, params)[0]! : composed(inputs, params);
}
