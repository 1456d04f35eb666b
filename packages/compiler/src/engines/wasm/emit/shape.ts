import { ChainLayout, type Fields } from '@recurra/kernels';
import type { Address, Command } from '../../../schedule/program.js';
import type { ChainOperand, ChainShape } from './chain.js';

/** Chains of fewer elements, or of shorter rows, are interpreted. */
const COMPILED_COUNT = 512;
const COMPILED_ROW = 8;

/** The shape of a chain that is long enough to be worth a function of its own, and walks dense rows; `null` for the interpreter. */
export function chainShape({ fields, records }: Command): ChainShape | null {
  const number = (of: Fields<Address>, name: string): number => (of[name] as number | undefined) ?? 0;
  const count = number(fields, 'count');
  if (count < COMPILED_COUNT) return null;
  const dims = ['d0', 'd1', 'd2', 'd3'].map((name) => number(fields, name));
  const outermost = Math.min(
    dims.findIndex((d) => d !== 1),
    dims.length - 1,
  );
  const walk = dims.slice(outermost);
  const row = walk.length > 1 ? walk[walk.length - 1]! : 0;
  const rows = walk.slice(0, -1);
  if (row > 0 && row < COMPILED_ROW) return null;
  let even = true;
  const describe = (operand: Fields<Address>): ChainOperand | null => {
    const register = number(operand, 'register');
    if (number(operand, 'layout') === ChainLayout.random)
      return row > 0 ? null : { register, bytes: 4, inner: true, outer: 0, random: number(operand, 's0') };
    const strides = ['s0', 's1', 's2', 's3'].map((name) => number(operand, name)).slice(outermost);
    const inner = strides[strides.length - 1]!;
    if (inner !== 0 && inner !== 1) return null;
    const outer = strides.slice(0, -1);
    const last = outer[outer.length - 1] ?? 0;
    const isEven = outer.every((s, i) => i === outer.length - 1 || s === outer[i + 1]! * rows[i + 1]!);
    if (!isEven) even = false;
    return { register, bytes: number(operand, 'bytes'), inner: inner === 1, outer: isEven ? last : outer };
  };
  const inputs: ChainOperand[] = [];
  for (const operand of records['inputs']!) {
    const described = describe(operand);
    if (!described) return null;
    inputs.push(described);
  }
  const outputs: ChainOperand[] = [];
  for (const operand of records['outputs']!) {
    const described = describe(operand);
    if (!described?.inner) return null;
    outputs.push(described);
  }
  // Draws come four at a time, from element 0 on.
  if (inputs.some((o) => o.random !== undefined) && count % 4 !== 0) return null;
  const operations = records['operations'] as unknown as ChainShape['operations'];
  return { inputs, outputs, operations, registers: number(fields, 'registers'), row, rows: even ? [] : rows };
}
