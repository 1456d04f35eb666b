import { DTypeError, ShapeError, stopGradient as stop, Tensor, TraceError } from '@recurra/tensor';
import {
  bind,
  checkRules,
  checkValue,
  definePrimitive,
  formatShape,
  isFloating,
  type Primitive,
  type Rules,
  rules,
  sameShape,
} from '@recurra/tensor/extend';
import { backward, GradientLevel, record } from './level.js';
import { expectTensors, treeLeaves, treeLeavesLike, treeMap, treeUnflatten } from './tree.js';

/** Which arguments are differentiated: one position (0 by default), or several. */
export interface GradOptions {
  readonly argument?: number | readonly number[];
}

const OPTIONS = {
  argument: {
    expected: 'a position among the arguments, or a list of them',
    accepts: (v) =>
      rules.countOrZero.accepts(v) || (Array.isArray(v) && v.every((position) => rules.countOrZero.accepts(position))),
  },
} satisfies Rules<GradOptions>;

function checkGrad(name: string, f: unknown, options: GradOptions): void {
  checkValue(name, 'f', f, rules.callable);
  checkRules(name, options, OPTIONS);
}

/** Marks every tensor of a tree as watched by `level`. Throws unless all are floating. */
function watch<T>(level: GradientLevel, tree: T, name: string): { watched: T; leaves: Tensor[] } {
  const leaves: Tensor[] = [];
  const watched = treeMap((leaf) => {
    if (!isFloating(leaf.dtype))
      throw new DTypeError(
        `${name}: expected floating tensors to differentiate with respect to, received ${leaf.dtype} ${formatShape(leaf.shape)}. Cast it, or leave it out of the differentiated argument.`,
      );
    const marked = level.watch(leaf);
    leaves.push(marked);
    return marked;
  }, tree);
  return { watched, leaves };
}

/**
 * The vector-Jacobian product: `value = f(...args)`, and `pullback(cotangent)`, the gradients of `sum(value * cotangent)`
 * for each argument, in its structure. The pullback may be called once: saved values are released after it.
 */
export function vjp<A extends unknown[], R>(
  f: (...args: A) => R,
  ...args: A
): { value: R; pullback: (cotangent: R) => A } {
  checkValue('vjp', 'f', f, rules.callable);
  args.forEach((arg, i) => {
    expectTensors('vjp', `argument ${i}`, arg);
  });
  const level = new GradientLevel();
  const { watched, leaves } = watch(level, args, 'vjp');
  const { outputs, value } = run(level, () => f(...watched));
  let spent = false;
  return {
    value,
    pullback: (cotangent) => {
      if (spent) throw new TraceError('vjp: expected one call of the pullback, received a second one. Call vjp again.');
      spent = true;
      const cotangents = treeLeavesLike(value, cotangent, 'vjp');
      outputs.forEach((output, i) => {
        const g = cotangents[i]!;
        if (!sameShape(g.shape, output.shape))
          throw new ShapeError(
            `vjp: expected cotangents shaped as the value, ${outputs.map((o) => formatShape(o.shape)).join(', ')}, received ${cotangents.map((c) => formatShape(c.shape)).join(', ')}`,
          );
      });
      return treeUnflatten(args, backward(level, outputs, cotangents, leaves));
    },
  };
}

/** Runs f under a level; the value comes back unmarked. */
function run<R>(level: GradientLevel, f: () => R): { outputs: Tensor[]; value: R } {
  try {
    const marked = f();
    return { outputs: treeLeaves(marked), value: treeMap((leaf) => level.unwatch(leaf), marked) };
  } catch (error) {
    level.release();
    throw error;
  }
}

function expectScalar(value: unknown, name: string): Tensor {
  if (!(value instanceof Tensor) || value.size !== 1 || !isFloating(value.dtype))
    throw new ShapeError(
      `${name}: expected the function to return one floating scalar, received ${value instanceof Tensor ? `${value.dtype} ${formatShape(value.shape)}` : typeof value}. Reduce it (sum, mean), or use vjp.`,
    );
  return value;
}

// biome-ignore lint/suspicious/noExplicitAny: what the overloads below give a type
type Untyped = any;
/** The first of an argument list. */
type First<A extends Untyped[]> = A[0];

/**
 * `valueAndGrad(f)(...args)` computes a scalar `f(...args)` and its gradient with respect to the first argument (or those of
 * `argument`), which may be any tree of floating tensors; the gradient has its structure. `f` may also return
 * `{ value, aux }`; `aux` is passed through. What the value does not depend on gets zeros. Reverse mode: the cost is a small
 * multiple of f's, however many inputs there are.
 *
 * Throws `ShapeError` unless the value is a floating scalar, `DTypeError` for an input that is not floating.
 */
export function valueAndGrad(f: (x: Tensor) => Tensor): (x: Tensor) => { value: Tensor; gradient: Tensor };
export function valueAndGrad(
  f: (x: Tensor, y: Tensor) => Tensor,
): (x: Tensor, y: Tensor) => { value: Tensor; gradient: Tensor };
export function valueAndGrad<A extends unknown[]>(
  f: (...args: A) => Tensor,
  options?: { readonly argument?: 0 },
): (...args: A) => { value: Tensor; gradient: First<A> };
export function valueAndGrad<A extends unknown[], X>(
  f: (...args: A) => { value: Tensor; aux: X },
  options?: { readonly argument?: 0 },
): (...args: A) => { value: Tensor; gradient: First<A>; aux: X };
export function valueAndGrad<A extends unknown[]>(
  f: (...args: A) => Tensor,
  options: GradOptions,
): (...args: A) => { value: Tensor; gradient: unknown };
export function valueAndGrad(
  f: (...args: Untyped[]) => Tensor | { value: Tensor; aux: unknown },
  options: GradOptions = {},
): (...args: Untyped[]) => { value: Tensor; gradient: Untyped; aux?: unknown } {
  checkGrad('valueAndGrad', f, options);
  const { argument = 0 } = options;
  const positions = typeof argument === 'number' ? [argument] : argument;
  return (...args) => {
    const chosen = positions.map((p) => args[p]);
    chosen.forEach((arg, i) => {
      expectTensors('grad', `argument ${positions[i]}`, arg);
    });
    const level = new GradientLevel();
    const { watched, leaves } = watch(level, chosen, 'grad');
    const full = [...args];
    positions.forEach((p, i) => {
      full[p] = watched[i];
    });
    const { outputs, value } = run(level, () => {
      const result = f(...full);
      if (result instanceof Tensor || typeof result !== 'object' || result === null)
        return { value: expectScalar(result, 'grad') };
      return { value: expectScalar(result.value, 'grad'), aux: result.aux };
    });
    const gradients = treeUnflatten(chosen, backward(level, [outputs[0]!], [value.value.onesLike()], leaves));
    return { ...value, gradient: typeof argument === 'number' ? gradients[0] : gradients };
  };
}

/** The gradient alone: see {@link valueAndGrad}. `grad(grad(f))` differentiates twice, to any order. */
export function grad(f: (x: Tensor) => Tensor): (x: Tensor) => Tensor;
export function grad(f: (x: Tensor, y: Tensor) => Tensor): (x: Tensor, y: Tensor) => Tensor;
export function grad<A extends unknown[]>(f: (...args: A) => Tensor): (...args: A) => First<A>;
export function grad<A extends unknown[]>(f: (...args: A) => Tensor, options: GradOptions): (...args: A) => unknown;
export function grad(f: (...args: Untyped[]) => Tensor, options: GradOptions = {}): (...args: Untyped[]) => Untyped {
  checkGrad('grad', f, options);
  const both = valueAndGrad(f, options);
  return (...args) => both(...args).gradient;
}

/**
 * A function with a gradient of one's own: `f(...inputs)` returns `value` and `gradient(dy)`, the gradients for the inputs
 * (`null` for none). The rule itself may use tensor operations of its inputs, and is then differentiable in turn.
 */
export function customGradient(
  f: (...inputs: Tensor[]) => { value: Tensor; gradient: (dy: Tensor) => readonly (Tensor | null)[] },
): (...inputs: Tensor[]) => Tensor {
  checkValue('customGradient', 'f', f, rules.callable);
  return (...inputs) => {
    const level = highestLevel(inputs);
    if (level === null) return f(...inputs).value;
    const inner = customGradient(f);
    const raw = inputs.map((input) => level.unwatch(input));
    // The value is computed one level down, where an outer differentiation sees the same rule.
    const value = inner(...raw);
    return record(level, inputs, [value], 'customGradient', ([dy]) => f(...raw).gradient(dy!))[0]!;
  };
}

/**
 * The first input, which cannot be had before the second: what is computed from it is computed again, and late, even where a
 * compiler would otherwise take the values that are there already.
 */
export const barrier: Primitive<null> = definePrimitive<null>({
  name: 'barrier',
  abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  evaluate: ([x]) => [x!],
  vjp: ({ cotangents }) => [cotangents[0]!, null],
  samples: [{ inputs: [{ shape: [2, 3] }, { shape: [] }], params: null }],
});

/**
 * `f`, whose gradient computes f's inner values again instead of keeping them: less memory for about one more forward pass.
 * Arguments and result are trees of tensors. Everything that a gradient is taken for must be an argument; throws `TraceError`
 * where f closes over such a value. Chen et al. 2016; `jax.checkpoint`, `torch.utils.checkpoint`.
 */
export function checkpoint<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R {
  checkValue('checkpoint', 'f', f, rules.callable);
  return (...args) => {
    const leaves = treeLeaves(args);
    const level = highestLevel(leaves);
    if (level === null) return f(...args);
    const raw = leaves.map((leaf) => level.unwatch(leaf));
    const value = checkpoint(f)(...treeUnflatten(args, raw));
    const outputs = treeLeaves(value);
    if (outputs.some((output) => output.trace?.interpreter === level))
      throw new TraceError(
        'checkpoint: expected a function of its arguments, received one that closes over a value that a gradient is taken for. Pass it as an argument.',
      );
    const watched = record(level, leaves, outputs, 'checkpoint', (cotangents) => {
      const moving = raw.flatMap((leaf, i) => (isFloating(leaf.dtype) ? [i] : []));
      const again = moving.map((i) => bind(barrier, [raw[i]!, cotangents[0]!], null)[0]!);
      const { pullback } = vjp(
        (own: Tensor[]) =>
          f(
            ...treeUnflatten(
              args,
              raw.map((leaf, i) => (moving.includes(i) ? own[moving.indexOf(i)]! : leaf)),
            ),
          ),
        again,
      );
      const [gradients] = pullback(treeUnflatten(value, cotangents));
      return raw.map((_, i) => (moving.includes(i) ? gradients[moving.indexOf(i)]! : null));
    });
    return treeUnflatten(value, watched);
  };
}

/** The innermost differentiation that watches one of these. */
function highestLevel(leaves: readonly Tensor[]): GradientLevel | null {
  let top: GradientLevel | null = null;
  for (const leaf of leaves) {
    const interpreter = leaf.trace?.interpreter;
    if (interpreter instanceof GradientLevel && (top === null || interpreter.level > top.level)) top = interpreter;
  }
  return top;
}

/** The tree's values as constants: no gradient flows through them. */
export function stopGradient<T>(tree: T): T {
  return treeMap((leaf) => stop(leaf), tree);
}
