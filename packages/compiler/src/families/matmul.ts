import { Activation, Command } from '@recurra/kernels';
import { broadcastStrides, sameShape, sizeOf } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import { mergeAxes, type Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import { commonDims, stridesOn } from '../schedule/walk.js';
import type { Family, PrimitiveRules } from './family.js';

/** A matrix product with what is applied while it is written. */
export interface Product {
  readonly bias: Value | null;
  readonly activation: number;
  readonly output: Value;
  /** The operations that it takes in, in order. */
  readonly absorbed: readonly Node[];
  /** What was taken in, for explanations. */
  readonly note: string | null;
}

/** What a product has to know of those around it. */
export interface Surroundings {
  /** The element-wise operation that alone reads a value, with its rules. */
  reader(value: Value): { readonly node: Node; readonly rules: PrimitiveRules } | null;
  /** Is a value one row, the same for all rows of `like`, whose last axis it has, and known before `before`? */
  isRow(value: Value, like: Value, before: Node): boolean;
}

/** A product with the bias and the activation that can be applied as it is written. */
export function fusedProduct(node: Node, around: Surroundings): Product {
  let output = node.outputs[0]!;
  let bias: Value | null = null;
  let activation: number = Activation.none;
  const absorbed: Node[] = [];
  const names: string[] = [];
  const add = around.reader(output);
  if (add?.rules.writeBack === 'bias') {
    const [a, b] = add.node.inputs as readonly [Value, Value];
    const other = a === output ? b : a;
    const sum = add.node.outputs[0]!;
    if (other !== output && around.isRow(other, output, node) && sameShape(sum.shape, output.shape)) {
      bias = other;
      output = sum;
      absorbed.push(add.node);
      names.push('bias');
    }
  }
  const next = around.reader(output);
  if (typeof next?.rules.writeBack === 'number') {
    activation = next.rules.writeBack;
    output = next.node.outputs[0]!;
    absorbed.push(next.node);
    names.push(next.node.primitive.name);
  }
  const note = names.length > 0 ? `${names.join(' and ')} in a matmul of [${output.shape.join(', ')}]` : null;
  return { bias, activation, output, absorbed, note };
}

/** Appends the product of a node: one taller product where one matrix serves a whole stack, else a stack of products. */
function emitMatmul(emission: Emission, node: Node, { bias, activation, output }: Product): void {
  let a = emission.refOf(node.inputs[0]!);
  let b = emission.refOf(node.inputs[1]!);
  const c = emission.refOf(output);
  const rank = output.shape.length;
  const [m, n] = [output.shape[rank - 2]!, output.shape[rank - 1]!];
  const k = a.shape[a.shape.length - 1]!;
  if (m * n === 0 || sizeOf(output.shape) === 0) return;
  const batch = output.shape.slice(0, -2);
  const strides = (ref: Ref): [number[], number, number] => {
    const all = broadcastStrides(ref, [...batch, ...ref.shape.slice(-2)]);
    return [all.slice(0, -2), all[all.length - 2]! * 4, all[all.length - 1]! * 4];
  };
  const command = (
    label: string,
    outer: number,
    inner: number,
    rows: number,
    aRow: number,
    steps: readonly [number, number, number, number],
  ): void => {
    const [, , aColumn] = strides(a);
    const [, bRow, bColumn] = strides(b);
    const [aOuter, aInner, bOuter, bInner] = steps;
    emission.program.command(
      label,
      Command.gemm,
      {
        ...{ outer, inner, m: rows, n, k, activation },
        ...{ a: emission.address(a), aRow, aColumn, aOuter: aOuter * 4, aInner: aInner * 4 },
        ...{ b: emission.address(b), bRow, bColumn, bOuter: bOuter * 4, bInner: bInner * 4 },
        ...{ c: emission.address(c), cRow: n * 4, bias: bias ? emission.address(emission.refOf(bias)) : null },
      },
      outer * inner * rows * n * Math.max(k, 1) * 0.25,
    );
  };
  for (let attempt = 0; ; attempt++) {
    const [aBatch, aRow] = strides(a);
    const [bBatch] = strides(b);
    if (bBatch.every((s, i) => s === 0 || batch[i] === 1)) {
      // One matrix b for all of a: a single taller product, where one stride walks the rows of all.
      const merged = mergeAxes([...batch, m], [...aBatch, aRow / 4]);
      if (merged.dims.length <= 1) {
        const rows = sizeOf(batch) * m;
        command(`matmul ${rows}x${n}x${k}`, 1, 1, rows, (merged.strides[0] ?? 0) * 4, [0, 0, 0, 0]);
        return;
      }
    }
    const walk = commonDims([mergeAxes(batch, aBatch), mergeAxes(batch, bBatch)]);
    if (walk && walk.length <= 2) {
      const [b0, b1] = [...new Array<number>(2 - walk.length).fill(1), ...walk] as [number, number];
      const on = (s: number[]): number[] => [
        ...new Array<number>(2 - walk.length).fill(0),
        ...stridesOn(walk, mergeAxes(batch, s)),
      ];
      const [a0, a1] = on(aBatch) as [number, number];
      const [s0, s1] = on(bBatch) as [number, number];
      command(`matmul ${b0 * b1} x ${m}x${n}x${k}`, b0, b1, m, aRow, [a0, a1, s0, s1]);
      return;
    }
    if (attempt > 0) throw new Error('compiler: a matrix product whose dense operands cannot be walked');
    const whole = (ref: Ref): Ref => {
      const shape = [...batch, ...ref.shape.slice(-2)];
      return emission.dense({ ...ref, shape, strides: broadcastStrides(ref, shape) });
    };
    a = whole(a);
    b = whole(b);
  }
}

/** Matrix products. */
export const MATMUL: Family = { matmul: { product: emitMatmul } };
