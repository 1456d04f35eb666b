import { vjp } from '@recurra/autograd';
import { isCompiling, isZero } from '@recurra/compiler';
import {
  type Aval,
  definePrimitive,
  isFloating,
  type LowerContext,
  type NDArray,
  type Primitive,
  stopGradient,
  Tensor,
  zeros,
} from '@recurra/tensor';
import type { SequenceKind } from './cell.js';
import { loop, type Walk, walk } from './walk.js';

/** Which results a gradient flows back from: all outputs, the last state h, the last state c. */
export interface Flows {
  readonly dys: boolean;
  readonly dh: boolean;
  readonly dc: boolean;
}

/** What the forward and the backward pass over a whole sequence, by kernels, have of their own. */
export interface KernelPair<P extends { readonly kind: SequenceKind }> {
  readonly name: string;
  /** The same results by single steps: [ys, h, c?]. What the kernels have to agree with, and how a gradient is differentiated. */
  steps(inputs: readonly Tensor[], params: P, by: Walk): Tensor[];
  /** [ys, h, c?, residual]; the residual is what the backward pass needs. */
  abstract(inputs: readonly Aval[], params: P): Aval[];
  /** How many inputs, the last ones, no gradient flows to: masks. */
  constants(params: P): number;
  lower(context: LowerContext<P>): void;
  /** Inputs: those of the forward pass, the residual, then the gradients that {@link Flows} names. Outputs: the gradients of the inputs. */
  lowerBackward(context: LowerContext<P & Flows>): void;
}

function evaluateBy(f: (inputs: Tensor[]) => Tensor[], arrays: readonly NDArray[], name: string): NDArray[] {
  return f(arrays.map((a) => new Tensor(a.shape, a.dtype, a))).map((t) => t.concrete(name));
}

/** The primitive of the forward pass; that of the backward pass comes with its gradient. */
export function definePair<P extends { readonly kind: SequenceKind }>(pair: KernelPair<P>): Primitive<P> {
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
    lower: (context) => pair.lowerBackward(context),
    vjp: ({ inputs, cotangents, params }) => {
      // To differentiate once more, the gradient is computed step by step, and that is differentiated.
      const floating = inputs.flatMap((t, i) => (isFloating(t.dtype) ? [i] : []));
      const { pullback } = vjp(
        (own: Tensor[]) =>
          gradientsBySteps(
            inputs.map((t, i) => (floating.includes(i) ? own[floating.indexOf(i)]! : t)),
            params,
            isCompiling() ? loop : walk,
          ),
        floating.map((i) => inputs[i]!),
      );
      const [gradients] = pullback([...cotangents]);
      return inputs.map((_, i) => (floating.includes(i) ? gradients[floating.indexOf(i)]! : null));
    },
    samples: [],
  });

  return definePrimitive<P>({
    name,
    abstract: (inputs, params) => pair.abstract(inputs, params),
    evaluate: (inputs, params, outputs) => [
      ...evaluateBy((tensors) => steps(tensors, params, walk), inputs, name),
      zeros(outputs[outputs.length - 1]!.shape).concrete(name),
    ],
    lower: (context) => pair.lower(context),
    vjp: ({ inputs, outputs, cotangents, params, bind: apply }) => {
      const [dys, dh, dc] = cotangents as readonly [Tensor, Tensor, Tensor];
      const flows = { dys: !isZero(dys), dh: !isZero(dh), dc: params.kind === 'lstm' && !isZero(dc) };
      const residual = outputs[outputs.length - 1]!;
      const flowing = [...(flows.dys ? [dys] : []), ...(flows.dh ? [dh] : []), ...(flows.dc ? [dc] : [])];
      const gradients = apply(backward, [...inputs, residual, ...flowing], { ...params, ...flows });
      return [...gradients, ...new Array<null>(pair.constants(params)).fill(null)];
    },
    samples: [],
  });
}
