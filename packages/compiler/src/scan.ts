import { treeLeaves, treeUnflatten, vjp } from '@recurra/autograd';
import { expectTensors, treeLeavesLike } from '@recurra/autograd/extend';
import { type Shape, ShapeError, stack, Tensor, unstack, ValueError, zeros } from '@recurra/tensor';
import {
  bind,
  checkRules,
  checkValue,
  definePrimitive,
  describeValue,
  formatShape,
  isFloating,
  type NDArray,
  type Primitive,
  type Rules,
  rules,
  sameShape,
} from '@recurra/tensor/extend';
import type { Graph, Value } from './graph.js';
import { isZero, Tracer } from './tracer.js';
import { insideLoop } from './tracers.js';

/** Parameters of the primitive: the body takes [carries, elements, constants] and gives [next carries, results]. */
export interface ScanParams {
  readonly body: Graph;
  readonly carries: number;
  readonly elements: number;
  readonly length: number;
  readonly reverse: boolean;
}

/** Computes a graph by applying its operations, to concrete tensors or watched ones. */
function applyGraph(graph: Graph, inputs: readonly Tensor[]): Tensor[] {
  const values = new Map<Value, Tensor>();
  graph.inputs.forEach((value, i) => {
    values.set(value, inputs[i]!);
  });
  const get = (value: Value): Tensor => {
    const { source } = value;
    return source.kind === 'constant' ? new Tensor(value.shape, value.dtype, source.array) : values.get(value)!;
  };
  for (const node of graph.nodes)
    bind(node.primitive, node.inputs.map(get), node.params).forEach((tensor, i) => {
      values.set(node.outputs[i]!, tensor);
    });
  return graph.outputs.map(get);
}

/**
 * A loop as one operation. Outputs: the last carries, the results of all steps stacked, and (for the gradient) the carries before
 * each step, stacked.
 */
export const scanPrimitive: Primitive<ScanParams> = definePrimitive<ScanParams>({
  name: 'scan',
  abstract: (_inputs, { body, carries, length }) => {
    const stacked = (v: Value): { shape: Shape; dtype: Value['dtype'] } => ({
      shape: [length, ...v.shape],
      dtype: v.dtype,
    });
    return [
      ...body.outputs.slice(0, carries),
      ...body.outputs.slice(carries).map(stacked),
      ...body.inputs.slice(0, carries).map(stacked),
    ];
  },
  evaluate: (arrays, { body, carries, elements, length, reverse }) => {
    const inputs = arrays.map((array) => new Tensor(array.shape, array.dtype, array));
    const xs = inputs.slice(carries, carries + elements).map((x) => unstack(x, 0));
    const constants = inputs.slice(carries + elements);
    let state = inputs.slice(0, carries);
    const results: Tensor[][] = [];
    const history: Tensor[][] = [];
    for (let i = 0; i < length; i++) {
      const t = reverse ? length - 1 - i : i;
      history[t] = state;
      const outputs = applyGraph(body, [...state, ...xs.map((x) => x[t]!), ...constants]);
      state = outputs.slice(0, carries);
      results[t] = outputs.slice(carries);
    }
    const over = (steps: Tensor[][], values: readonly Value[]): Tensor[] =>
      values.map((v, k) =>
        length === 0
          ? zeros([0, ...v.shape], v.dtype)
          : stack(
              steps.map((s) => s[k]!),
              0,
            ),
      );
    return [
      ...state,
      ...over(results, body.outputs.slice(carries)),
      ...over(history, body.inputs.slice(0, carries)),
    ].map((tensor): NDArray => tensor.concrete('scan'));
  },
  vjp: ({ inputs, outputs, cotangents, params, needs }) => {
    const { body, carries, elements, length, reverse } = params;
    const results = body.outputs.length - carries;
    const floats = (list: readonly Tensor[]): number[] => list.flatMap((t, i) => (isFloating(t.dtype) ? [i] : []));
    const init = inputs.slice(0, carries);
    const xs = inputs.slice(carries, carries + elements);
    const constants = inputs.slice(carries + elements);
    const movingCarries = floats(init);
    const movingXs = floats(xs);
    const movingConstants = floats(constants).filter((i) => needs[carries + elements + i]);
    const flowing = (from: number, list: readonly Tensor[]): number[] =>
      floats(list).filter((i) => !isZero(cotangents[from + i]!));
    const movingResults = flowing(carries, outputs.slice(carries, carries + results));
    // The carries before each step are results too: a second differentiation comes back through them.
    const movingHistory = flowing(carries + results, outputs.slice(carries + results));
    // One step backwards: the step's own values are computed again from the carries before it (Chen et al. 2016).
    const back = scan(
      (
        { g, sums }: { g: Tensor[]; sums: Tensor[] },
        { before, x, dy, dBefore }: { before: Tensor[]; x: Tensor[]; dy: Tensor[]; dBefore: Tensor[] },
      ) => {
        const { pullback } = vjp(
          (moving: { carry: Tensor[]; x: Tensor[]; constants: Tensor[] }) => {
            const put = (all: readonly Tensor[], at: readonly number[], values: readonly Tensor[]): Tensor[] =>
              all.map((t, i) => (at.includes(i) ? values[at.indexOf(i)]! : t));
            const step = applyGraph(body, [
              ...put(before, movingCarries, moving.carry),
              ...put(x, movingXs, moving.x),
              ...put(constants, movingConstants, moving.constants),
            ]);
            return {
              carry: movingCarries.map((i) => step[i]!),
              y: movingResults.map((i) => step[carries + i]!),
            };
          },
          {
            carry: movingCarries.map((i) => before[i]!),
            x: movingXs.map((i) => x[i]!),
            constants: movingConstants.map((i) => constants[i]!),
          },
        );
        const [d] = pullback({ carry: g, y: dy });
        const carry = movingCarries.map((i, k) =>
          movingHistory.includes(i) ? d.carry[k]!.add(dBefore[movingHistory.indexOf(i)]!) : d.carry[k]!,
        );
        return { carry: { g: carry, sums: sums.map((s, i) => s.add(d.constants[i]!)) }, y: d.x };
      },
      {
        g: movingCarries.map((i) => cotangents[i]!),
        sums: movingConstants.map((i) => constants[i]!.zerosLike()),
      },
      {
        before: outputs.slice(carries + results),
        x: [...xs],
        dy: movingResults.map((i) => cotangents[carries + i]!),
        dBefore: movingHistory.map((i) => cotangents[carries + results + i]!),
      },
      { reverse: !reverse, length },
    );
    const gradients: (Tensor | null)[] = inputs.map(() => null);
    movingCarries.forEach((i, k) => {
      gradients[i] = back.carry.g[k]!;
    });
    movingXs.forEach((i, k) => {
      gradients[carries + i] = back.ys[k]!;
    });
    movingConstants.forEach((i, k) => {
      gradients[carries + elements + i] = back.carry.sums[k]!;
    });
    return gradients;
  },
  samples: [],
});

/** Options of {@link scan}. */
export interface ScanOptions {
  /** Walk from the last element to the first; results stay at the places of their elements. false */
  readonly reverse?: boolean;
  /** bool [length, ...], aligned at the left with every carry: where false, the carry stays as it was. */
  readonly mask?: Tensor | null;
  /** The number of steps; needed where `xs` has no tensors. */
  readonly length?: number;
}

const OPTIONS = {
  reverse: rules.flag,
  mask: rules.orNull(rules.instanceOf(Tensor, 'a tensor')),
  length: rules.countOrZero,
} satisfies Rules<ScanOptions>;

/**
 * A loop as one operation: (carry, y_t) = body(carry, x_t) for each x_t along the first axis of the tensors of `xs`. Returns the last
 * carry, and the y_t stacked along a new first axis. Carry, elements and results are trees of tensors; the carry keeps its shapes
 * and dtypes. The body may close over tensors. In a compiled step the body is compiled once; its gradient (to any order) is a loop
 * of the same kind, which keeps the carries and computes the rest of each step again.
 *
 * Throws `ShapeError` where a carry changes shape or dtype, or lengths differ; `ValueError` where the carry changes its structure, or
 * the length is not known.
 */
export function scan<C, X, Y>(
  body: (carry: C, x: X) => { readonly carry: C; readonly y: Y },
  init: C,
  xs: X,
  options: ScanOptions = {},
): { carry: C; ys: Y } {
  checkValue('scan', 'the body', body, rules.callable);
  checkRules('scan', options, OPTIONS);
  const { reverse = false, mask = null } = options;
  if (init !== null && init !== undefined) expectTensors('scan', 'the carry', init);
  const first = treeLeaves(init);
  const elements = treeLeaves(xs);
  const length = options.length ?? elements[0]?.shape[0];
  if (length === undefined)
    throw new ValueError('scan: expected tensors to walk along, or { length }, received neither');
  for (const x of mask ? [...elements, mask] : elements)
    if (x.rank === 0 || x.shape[0] !== length)
      throw new ShapeError(`scan: expected ${length} elements along the first axis, received ${formatShape(x.shape)}`);

  const tracer = new Tracer({ capturing: true });
  const carried = first.map((t) => tracer.input(t));
  const element = elements.map((t) => tracer.input({ shape: t.shape.slice(1), dtype: t.dtype }));
  const valid = mask && tracer.input({ shape: mask.shape.slice(1), dtype: mask.dtype });
  const step = insideLoop(() => body(treeUnflatten(init, carried), treeUnflatten(xs, element)));
  if (typeof step !== 'object' || step === null || !('carry' in step))
    throw new ValueError(`scan: expected the body to return { carry, y }, received ${describeValue(step)}`);
  let next = treeLeavesLike(init, step.carry, 'scan: carry');
  next.forEach((t, i) => {
    if (!sameShape(t.shape, first[i]!.shape) || t.dtype !== first[i]!.dtype)
      throw new ShapeError(
        `scan: expected the carry to stay ${first[i]!.dtype} ${formatShape(first[i]!.shape)}, received ${t.dtype} ${formatShape(t.shape)} from the body`,
      );
  });
  if (valid)
    next = next.map((t, i) => {
      const shape = [...valid.shape, ...new Array<number>(Math.max(0, t.rank - valid.rank)).fill(1)];
      return valid.cast('bool').reshape(shape).select(t, carried[i]!);
    });
  const results = treeLeaves(step.y);
  const graph = tracer.finish([...next, ...results], 'scan');
  const outputs = bind(scanPrimitive, [...first, ...elements, ...(mask ? [mask] : []), ...tracer.captured], {
    body: graph,
    carries: first.length,
    elements: elements.length + (mask ? 1 : 0),
    length,
    reverse,
  });
  return {
    carry: treeUnflatten(init, outputs.slice(0, first.length)),
    ys: treeUnflatten(step.y, outputs.slice(first.length, first.length + results.length)),
  };
}
