import { vjp } from '@recurra/autograd';
import { jit, setThreadedWork, setThreads } from '@recurra/compiler';
import type { DType, Tensor } from '@recurra/tensor';
import { isFloating } from '@recurra/tensor/extend';
import fc from 'fast-check';
import { SPECIAL } from '../checks/special-values.js';
import { execute, type Instruction, inputsOf, OPERATIONS, type Operation, type Program } from './program.js';
import { type FuzzTarget, propertyTarget } from './target.js';

const WHOLE = OPERATIONS.filter(({ whole }) => whole);

const size = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 7, 8) },
  { weight: 2, arbitrary: fc.constantFrom(0, 13, 16, 17, 33) },
  { weight: 1, arbitrary: fc.constantFrom(64, 67) },
);
const instruction: fc.Arbitrary<Instruction> = fc.tuple(fc.nat(9999), fc.nat(40), fc.nat(40), fc.nat(40), fc.nat(99));
const program = (dtypes: readonly DType[]): fc.Arbitrary<Program> =>
  fc.record({
    shape: fc.array(size, { maxLength: 3 }),
    inputs: fc.array(
      fc.record({
        dtype: fc.constantFrom(...dtypes),
        kept: fc.oneof(fc.constant(0), fc.nat(7)),
        drop: fc.oneof(fc.constant(0), fc.nat(3)),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    values: fc.nat(1e6),
    instructions: fc.array(instruction, { minLength: 1, maxLength: 12 }),
  });

/** A case: numbers of any kind, held operation by operation; or whole numbers, held as a whole, with their gradients. */
const cases = fc.oneof(
  fc.record({
    kind: fc.constant('any' as const),
    program: program(['float32', 'float32', 'int32', 'bool', 'float64']),
  }),
  fc.record({ kind: fc.constant('whole' as const), program: program(['float32', 'float32', 'int32', 'bool']) }),
);

/** Random programs: compiled as eager, one thread as two. */
export const programs: FuzzTarget = propertyTarget(
  'random programs of tensors, special values and odd shapes included: compiled as eager, two threads as one, gradients',
  cases,
  async (one) => (one.kind === 'any' ? holdsAny(one.program) : holdsWhole(one.program)),
);

/** A number of a dtype: mostly ordinary, now and then special. */
function drawAny(dtype: DType, random: () => number): number {
  const special = SPECIAL[dtype];
  if (random() < 0.3) return special[Math.floor(random() * special.length)]!;
  if (dtype === 'bool') return random() < 0.5 ? 0 : 1;
  if (dtype === 'int32') return Math.floor(random() * 21) - 10;
  return Math.fround((random() - 0.5) * 4);
}

function drawWhole(dtype: DType, random: () => number): number {
  return dtype === 'bool' ? Math.floor(random() * 2) : Math.floor(random() * 7) - 3;
}

/** The values of a program, or what it throws; operations that do not fit repeat the value before. */
function run(
  inputs: readonly Tensor[],
  instructions: readonly Instruction[],
  operations: readonly Operation[],
): Tensor[] {
  const values = [...inputs];
  for (const one of instructions) values.push(execute(values, one, operations) ?? values[values.length - 1]!);
  return values.slice(inputs.length);
}

const describe = (t: Tensor): string => `${t.dtype} [${t.shape.join(', ')}]`;
const same = (a: number, b: number): boolean => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b));

function expectSameKind(received: Tensor, expected: Tensor, what: string): void {
  if (describe(received) !== describe(expected))
    throw new Error(`${what}: received ${describe(received)}, expected ${describe(expected)}`);
}

function expectSame(received: Tensor, expected: Tensor, what: string): void {
  expectSameKind(received, expected, what);
  const [a, b] = [received.data, expected.data];
  for (let i = 0; i < b.length; i++)
    if (!same(a[i]!, b[i]!)) throw new Error(`${what}, element ${i}: received ${a[i]}, expected ${b[i]}`);
}

/** How many instructions run eagerly before one throws, and what that throws. */
function prefix(
  inputs: readonly Tensor[],
  instructions: readonly Instruction[],
  operations: readonly Operation[],
): { count: number; error: Error | null } {
  const values = [...inputs];
  for (const [count, one] of instructions.entries())
    try {
      values.push(execute(values, one, operations) ?? values[values.length - 1]!);
    } catch (error) {
      return { count, error: error as Error };
    }
  return { count: instructions.length, error: null };
}

/** Compiled, an operation that throws eagerly throws the same. */
async function expectSameError(
  inputs: Tensor[],
  instructions: readonly Instruction[],
  operations: readonly Operation[],
  error: Error,
): Promise<void> {
  const step = jit((xs: Tensor[]) => run(xs, instructions, operations));
  const received = await step(inputs).then(
    () => null,
    (e: unknown) => e as Error,
  );
  step.dispose();
  if (received?.message !== error.message || received.name !== error.name)
    throw new Error(
      `expected the compiled step to throw "${error.message}", received ${received ? `"${received.message}"` : 'a result'}`,
    );
}

/** Compiled on one thread, and on two, which give the same to the bit. */
async function compiledValues<R>(
  f: (xs: Tensor[]) => R,
  inputs: Tensor[],
  leaves: (result: R) => readonly Tensor[],
  operations: string,
): Promise<R> {
  const step = jit(f);
  try {
    await setThreads(1);
    const one = await step(inputs);
    setThreadedWork(0);
    await setThreads(2);
    const two = leaves(await step(inputs));
    leaves(one).forEach((value, i) => {
      expectSame(two[i]!, value, `${operations}: result ${i} on two threads as on one`);
    });
    return one;
  } finally {
    setThreadedWork(null);
    step.dispose();
  }
}

/** Any values: each operation, compiled among the others, gives of its compiled operands what it gives of them eagerly. */
async function holdsAny(one: Program): Promise<void> {
  const inputs = inputsOf(one, drawAny);
  const { count, error } = prefix(inputs, one.instructions, OPERATIONS);
  if (error && !isRefusal(error)) throw error;
  const instructions = one.instructions.slice(0, count);
  const names = instructions.map(([k]) => OPERATIONS[k % OPERATIONS.length]!.name).join(', ');
  if (error)
    await expectSameError(inputs, one.instructions.slice(0, count + 1), OPERATIONS, error).catch(rename(names));
  const all = await compiledValues(
    (xs) => run(xs, instructions, OPERATIONS),
    inputs,
    (v) => v,
    names,
  );
  const values = [...inputs];
  instructions.forEach((own, i) => {
    const { name, tolerance } = OPERATIONS[own[0] % OPERATIONS.length]!;
    let eager: Tensor | null;
    try {
      eager = execute(values, own, OPERATIONS);
    } catch (thrown) {
      // Rounded in another way, an operand may be one that is refused.
      if (isRefusal(thrown as Error)) eager = null;
      else throw thrown;
    }
    const received = all[i]!;
    if (eager) {
      if (tolerance === 'exact' && !values.concat(received).some((v) => v.dtype === 'float64'))
        expectSame(received, eager, `${i}: ${name}`);
      else expectNear(received, eager, tolerance === 'exact' ? 0 : tolerance, values, `${i}: ${name}`);
    }
    values.push(received);
  });
  // Alone, results are what they are beside all others.
  if (all.length > 0) {
    const step = jit((xs: Tensor[]) => run(xs, instructions, OPERATIONS).slice(-1));
    const [last] = await step(inputs);
    step.dispose();
    expectSame(last!, all[all.length - 1]!, `${names}: the last value alone`);
  }
}

const isRefusal = (error: Error): boolean =>
  error.constructor.name.endsWith('Error') &&
  error.name !== 'Error' &&
  error.name !== 'TypeError' &&
  error.name !== 'RangeError';
const rename =
  (names: string) =>
  (error: Error): never => {
    throw new Error(`${names}: ${error.message}`);
  };

function expectNear(
  received: Tensor,
  eager: Tensor,
  tolerance: number,
  operands: readonly Tensor[],
  what: string,
): void {
  expectSameKind(received, eager, what);
  const [a, b] = [received.data, eager.data];
  // Sums are near by the size of what is summed: all that is finite counts.
  let largest = 1;
  for (const { data } of operands)
    for (const v of data) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v));
  const count = Math.max(1, ...operands.map((o) => o.size));
  const room = tolerance * Math.min(largest * Math.max(largest, count), 1e30);
  for (let i = 0; i < b.length; i++) {
    if (same(a[i]!, b[i]!) || a[i] === b[i]) continue;
    // Beyond what float32 holds, partial sums and squares decide what becomes of it.
    if (largest > 1e15) continue;
    // Of exp(64) float32 holds as many digits as of 64: results far larger than operands are near by their own size.
    const own = Math.max(room, tolerance * Math.abs(b[i]!));
    if (!(Math.abs(a[i]! - b[i]!) <= own))
      throw new Error(`${what}, element ${i}: received ${a[i]}, expected ${b[i]} within ${own}`);
  }
}

/** Above it, whole numbers are not all float32. */
const EXACT = 2 ** 24;

/** Whole numbers, of which float32 computes exactly: a program as a whole, and its gradients, are the same to the value. */
async function holdsWhole(one: Program): Promise<void> {
  const inputs = inputsOf(one, drawWhole);
  const { count, error } = prefix(inputs, one.instructions, WHOLE);
  if (error && !isRefusal(error)) throw error;
  let instructions = one.instructions.slice(0, count);
  const values = run(inputs, instructions, WHOLE);
  const exact = values.findIndex((v) =>
    v.data.some((x: number) => !(Math.abs(x) <= EXACT / 64) || x !== Math.trunc(x)),
  );
  if (exact >= 0) instructions = instructions.slice(0, exact);
  if (instructions.length === 0) return;
  const names = instructions.map(([k]) => WHOLE[k % WHOLE.length]!.name).join(', ');
  const floats = inputs.flatMap((x, i) => (isFloating(x.dtype) ? [i] : []));
  const both = (xs: Tensor[]): { values: Tensor[]; gradients: Tensor[] } => {
    const { value, pullback } = vjp(
      (own: Tensor[]) =>
        run(
          xs.map((x, i) => (floats.includes(i) ? own[floats.indexOf(i)]! : x)),
          instructions,
          WHOLE,
        ).slice(-1),
      floats.map((i) => xs[i]!),
    );
    const [gradients] = pullback(value.map((v) => v.onesLike()));
    return { values: value, gradients };
  };
  const eager = both(inputs);
  // Shares of a maximum are fractions; what is large is not exact.
  if (eager.gradients.some((g) => g.data.some((x: number) => !(Math.abs(x) <= EXACT / 64) || x !== Math.trunc(x))))
    return;
  const compiled = await compiledValues(both, inputs, (r) => [...r.values, ...r.gradients], names);
  const plain = (t: Tensor): Tensor => t.cast('float32').add(0);
  compiled.values.forEach((v, i) => {
    expectSameKind(v, eager.values[i]!, names);
    expectSame(plain(v), plain(eager.values[i]!), `${names}: value`);
  });
  compiled.gradients.forEach((g, i) => {
    expectSame(plain(g), plain(eager.gradients[i]!), `${names}: gradient of input ${floats[i]}`);
  });
}
