import { vjp } from '@recurra/autograd';
import { isCompiling } from '@recurra/compiler';
import { isZero } from '@recurra/compiler/extend';
import { type Shape, stopGradient, Tensor, zeros } from '@recurra/tensor';
import {
  type Aval,
  type Block,
  definePrimitive,
  type LowerContext,
  type NDArray,
  type Primitive,
} from '@recurra/tensor/extend';
import type { SequenceKernel } from './cell.js';
import { pullbackOf } from './floating.js';
import { loop, type Walk, walk } from './walk.js';

/** Which results a gradient flows back from: all outputs, the last state h, the last state c. */
interface Flows {
  readonly dys: boolean;
  readonly dh: boolean;
  readonly dc: boolean;
}

/** What parameters of all pairs say. */
interface PairParams {
  readonly kernel: SequenceKernel;
  readonly bias: boolean;
}

/** Words that the forward passes have in common beside their inputs. */
export interface ForwardFields {
  readonly residual: Block | null;
  readonly ys: Block | null;
  readonly h: Block | null;
  readonly c: Block | null;
}

/** Words that the backward passes have in common beside the inputs of the forward pass and what stands before the bias. */
export interface BackwardFields {
  readonly residual: Block;
  readonly dys: Block | null;
  readonly dh: Block | null;
  readonly dc: Block | null;
  readonly dBias: Block | null;
  readonly dh0: Block | null;
  readonly dc0: Block | null;
}

/** What the forward and the backward pass over a whole sequence, by kernels, have of their own. */
export interface KernelPair<P extends PairParams> {
  readonly name: string;
  /** How many inputs there are before the bias, and how many, the last ones, no gradient flows to: masks. */
  readonly leading: number;
  constants(params: P): number;
  /** The same results by single steps: [ys, h, c?]. What the kernels have to agree with, and how a gradient is differentiated. */
  steps(inputs: readonly Tensor[], params: P, by: Walk): Tensor[];
  /** Sizes of the results. */
  sizes(inputs: readonly Aval[], params: P): { batch: number; time: number; units: number };
  /** Appends the command of the forward pass. */
  emitForward(context: LowerContext<P>, fields: ForwardFields): void;
  /** Appends the command of the backward pass. `leading`: the gradients of the inputs before the bias. */
  emitBackward(context: LowerContext<P>, fields: BackwardFields, leading: readonly (Block | null)[]): void;
}

function evaluateBy(f: (inputs: Tensor[]) => Tensor[], arrays: readonly NDArray[], name: string): NDArray[] {
  return f(arrays.map((a) => new Tensor(a.shape, a.dtype, a))).map((t) => t.concrete(name));
}

/** The shape of what the backward pass needs: no elements that others could read. The engine knows how large it is, and what lies there. */
const OPAQUE: Shape = [0];

/** The primitive of the forward pass; that of the backward pass comes with its gradient. */
export function definePair<P extends PairParams>(pair: KernelPair<P>): Primitive<P> {
  const { name, steps } = pair;
  const given = (params: P & Flows): number => 1 + [params.dys, params.dh, params.dc].filter(Boolean).length;
  /** Those of the forward pass to which gradients flow. */
  const differentiable = <T>(inputs: readonly T[], params: P & Flows): readonly T[] =>
    inputs.slice(0, inputs.length - given(params) - pair.constants(params));

  const gradientsBySteps = (inputs: readonly Tensor[], params: P & Flows, by: Walk): Tensor[] => {
    const own = differentiable(inputs, params);
    const constants = inputs.slice(own.length, inputs.length - given(params)).map((t) => stopGradient(t));
    const flowing = inputs.slice(inputs.length - given(params) + 1);
    const next = (there: boolean): Tensor | undefined => (there ? flowing.shift() : undefined);
    const { value, pullback } = vjp((floating: Tensor[]) => steps([...floating, ...constants], params, by), [...own]);
    const [ys, h, c] = value as [Tensor, Tensor, Tensor | undefined];
    const [dys, dh, dc] = [next(params.dys), next(params.dh), next(params.dc)];
    return pullback([dys ?? ys.zerosLike(), dh ?? h.zerosLike(), ...(c ? [dc ?? c.zerosLike()] : [])])[0];
  };

  const backward: Primitive<P & Flows> = definePrimitive<P & Flows>({
    name: `${name}Backward`,
    abstract: (inputs, params) => differentiable(inputs, params).map(({ shape, dtype }) => ({ shape, dtype })),
    evaluate: (inputs, params) =>
      evaluateBy((tensors) => gradientsBySteps(tensors, params, walk), inputs, `${name}Backward`),
    lower: (context) => {
      const { inputs, outputs, params } = context;
      const [residual, ...flowing] = inputs.slice(inputs.length - given(params));
      const next = (there: boolean): Block | null => (there ? flowing.shift()! : null);
      const rest = outputs.slice(pair.leading);
      const dBias = params.bias ? rest.shift()! : null;
      const [dh0 = null, dc0 = null] = rest;
      const [dys, dh, dc] = [next(params.dys), next(params.dh), next(params.dc)];
      const fields = { residual: residual!, dys, dh, dc, dBias, dh0, dc0 };
      pair.emitBackward(context, fields, outputs.slice(0, pair.leading));
    },
    // To differentiate once more, the gradient is computed step by step, and that is differentiated.
    vjp: ({ inputs, cotangents, params }) =>
      pullbackOf((own) => gradientsBySteps(own, params, isCompiling() ? loop : walk), inputs, cotangents),
    samples: [],
  });

  return definePrimitive<P>({
    name,
    // [ys, h, c?, residual]
    abstract: (inputs, params) => {
      const { batch, time, units } = pair.sizes(inputs, params);
      const shapes = [[batch, time, units], ...new Array<number[]>(params.kernel.states).fill([batch, units]), OPAQUE];
      return shapes.map((shape) => ({ shape, dtype: 'float32' }));
    },
    evaluate: (inputs, params) => [
      ...evaluateBy((tensors) => steps(tensors, params, walk), inputs, name),
      zeros(OPAQUE).concrete(name),
    ],
    lower: (context) => {
      const { outputs, params } = context;
      const [ys, h, c] = outputs as readonly [Block | null, Block | null, Block | null];
      const residual = outputs[outputs.length - 1] ?? null;
      pair.emitForward(context, { residual, ys, h, c: params.kernel.states > 1 ? c : null });
    },
    vjp: ({ inputs, outputs, cotangents, params, bind: apply }) => {
      const [dys, dh, dc] = cotangents as readonly [Tensor, Tensor, Tensor];
      const flows = { dys: !isZero(dys), dh: !isZero(dh), dc: params.kernel.states > 1 && !isZero(dc) };
      const residual = outputs[outputs.length - 1]!;
      const flowing = [...(flows.dys ? [dys] : []), ...(flows.dh ? [dh] : []), ...(flows.dc ? [dc] : [])];
      const gradients = apply(backward, [...inputs, residual, ...flowing], { ...params, ...flows });
      return [...gradients, ...new Array<null>(pair.constants(params)).fill(null)];
    },
    samples: [],
  });
}
