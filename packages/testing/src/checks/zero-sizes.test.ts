import { treeLeaves, treeMap, valueAndGrad } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { RecurraError, Tensor, TraceError, zeros } from '@recurra/tensor';
import { allPrimitives, bind, isFloating } from '@recurra/tensor/extend';
import { CELLS } from './arguments/numeric.js';
import { TENSOR } from './arguments/tensor.js';

/**
 * Axes without elements, in every primitive (by its samples) and every public function (by the examples of right calls that each must have):
 * compiled as eager, values and gradients, and what cannot be computed is refused by an error of ours in both.
 */

/** The shapes with all axes of one size made empty; then with each axis alone, which most often does not fit the others. */
function emptied(shapes: readonly (readonly number[])[]): { size: number | null; shapes: number[][] }[] {
  const sizes = new Set(shapes.flat().filter((n) => n > 0));
  const together = [...sizes].map((size) => ({
    size,
    shapes: shapes.map((shape) => shape.map((n) => (n === size ? 0 : n))),
  }));
  const alone = shapes.flatMap((shape, i) =>
    shape.map((_, axis) => ({
      size: null,
      shapes: shapes.map((other, j) => other.map((n, k) => (i === j && k === axis ? 0 : n))),
    })),
  );
  return [...together, ...alone];
}

type Outcome = { readonly values: unknown[] } | { readonly error: unknown };

async function outcome(f: () => unknown): Promise<Outcome> {
  try {
    const leaves = treeLeaves((await f()) as never) as unknown[];
    return {
      values: leaves.map((leaf) => (leaf instanceof Tensor ? [leaf.dtype, leaf.shape, leaf.toArray()] : leaf)),
    };
  } catch (error) {
    return { error };
  }
}

/** What differs between the two; nothing, if all is well. `compilable`: a call that is right can be compiled. */
async function differences(
  label: string,
  f: (xs: Tensor[]) => unknown,
  xs: Tensor[],
  compilable: boolean,
): Promise<string[]> {
  const found: string[] = [];
  const compare = async (what: string, g: (xs: Tensor[]) => unknown): Promise<boolean> => {
    const eager = await outcome(() => g(xs));
    if ('error' in eager && !(eager.error instanceof RecurraError))
      found.push(`${label}${what}: raw ${String(eager.error).slice(0, 200)}`);
    if (!compilable) return !('error' in eager);
    const step = jit(g as (xs: Tensor[]) => never);
    const compiled = await outcome(() => step(xs));
    step.dispose();
    if ('error' in eager !== 'error' in compiled)
      found.push(`${label}${what}: eagerly ${shown(eager)}, compiled ${shown(compiled)}`);
    else if ('error' in eager && 'error' in compiled) {
      if ((eager.error as Error).constructor !== (compiled.error as Error).constructor)
        found.push(`${label}${what}: eagerly ${shown(eager)}, compiled ${shown(compiled)}`);
    } else if (shown(eager) !== shown(compiled))
      found.push(`${label}${what}: eagerly ${shown(eager)}, compiled ${shown(compiled)}`);
    return !('error' in eager);
  };
  if (!(await compare('', f))) return found;
  const floating = xs.flatMap((x, i) => (isFloating(x.dtype) ? [i] : []));
  const gradient = (own: Tensor[]): unknown =>
    valueAndGrad((leaves: Tensor[]) => {
      const given = own.map((x, i) => (floating.includes(i) ? leaves[floating.indexOf(i)]! : x));
      const out = (treeLeaves(f(given) as never) as unknown[]).filter((t) => t instanceof Tensor);
      const sums = out.filter((t) => isFloating(t.dtype)).map((t) => t.sum());
      return sums.reduce((a, b) => a.add(b), zeros([]));
    })(floating.map((i) => own[i]!));
  if (floating.length > 0) await compare(', gradient', gradient);
  return found;
}

const shown = (o: Outcome): string => ('error' in o ? String(o.error).slice(0, 200) : JSON.stringify(o.values, plain));
/** Numbers to five digits: sums may be taken in another order. */
const plain = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && value !== 0 ? value.toPrecision(5) : value;

const PRIMITIVES = allPrimitives().filter((p) => p.samples.some(({ inputs }) => inputs.length > 0));

test('all primitives have a sample that can be made empty', () => {
  expect(PRIMITIVES.length).toBeGreaterThan(90);
  for (const { name, samples } of PRIMITIVES)
    expect([name, samples.some(({ inputs }) => inputs.some(({ shape }) => shape.length > 0))]).toEqual([name, true]);
});

test.each(PRIMITIVES.map((p) => [p.name, p] as const))('%s without elements: compiled as eager', async (name, p) => {
  const found: string[] = [];
  for (const [i, { inputs, params }] of p.samples.entries())
    for (const { size, shapes } of emptied(inputs.map(({ shape }) => shape))) {
      const values = inputs.map(({ dtype = 'float32' }, j) =>
        zeros(shapes[j]!, dtype === 'float64' ? 'float32' : dtype),
      );
      // Shapes that parameters name are those of the inputs.
      const given = params as { shape?: number[] } | null;
      const own = given?.shape ? { ...given, shape: given.shape.map((n) => (n === size ? 0 : n)) } : params;
      const label = `${name}, sample ${i}, ${JSON.stringify(shapes)}`;
      found.push(...(await differences(label, (xs) => bind(p, xs, own as never), values, true)));
    }
  expect(found).toEqual([]);
});

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
/** Arguments that are trees of tensors; keys of random numbers are no data. */
const isData = (value: unknown): boolean => {
  const leaves = treeLeaves(value as never) as unknown[];
  return leaves.length > 0 && leaves.every(isTensor);
};

const FUNCTIONS = Object.entries({ ...TENSOR, ...CELLS }).flatMap(([name, examples]) =>
  examples
    .filter(({ args }) => args.some((a) => isData(a.value())))
    // Arguments of classes are layers and trees of weights: cells have a walk of their own.
    .filter(() => !/^[A-Z]/.test(name))
    .map((example, i) => [name, i, example] as const),
);

test('most functions take tensors', () => {
  expect(FUNCTIONS.length).toBeGreaterThan(120);
});

test.each(FUNCTIONS)('%s (%i) without elements: compiled as eager', async (name, _i, { call, args }) => {
  const given = args.map((a) => a.value());
  const tensors = given.filter(isData).flatMap((value) => treeLeaves(value as never) as Tensor[]);
  const f =
    (size: number | null) =>
    (xs: Tensor[]): unknown => {
      let next = 0;
      const own = given.map((value) => {
        if (isData(value)) return treeMap(() => xs[next++]!, value as never);
        // Lists of sizes name the axes of the tensors.
        return Array.isArray(value) ? value.map((n) => (n === size ? 0 : n)) : value;
      });
      return call(...(own as never[]));
    };
  const right = await outcome(() => jit(f(null) as never)(tensors as never));
  const compilable = !('error' in right && right.error instanceof TraceError);
  const found: string[] = [];
  for (const { size, shapes } of emptied(tensors.map((t) => t.shape)))
    for (const named of size === null ? [null] : [null, size]) {
      const values = tensors.map((t, i) =>
        shapes[i]!.some((n, k) => n !== t.shape[k]) ? zeros(shapes[i]!, t.dtype) : t,
      );
      const label = `${name}(${JSON.stringify(shapes)})${named === null ? '' : ` and sizes of ${named}`}`;
      found.push(...(await differences(label, f(named), values, compilable)));
    }
  expect(found).toEqual([]);
});
