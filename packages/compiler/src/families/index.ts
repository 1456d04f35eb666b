import { barrier } from '@recurra/autograd/extend';
import { allPrimitives } from '@recurra/tensor/extend';
import { ELEMENTWISE } from './elementwise.js';
import type { PrimitiveRules } from './family.js';
import { INDEXING } from './indexing.js';
import { MATMUL } from './matmul.js';
import { RANDOM } from './random.js';
import { REDUCE } from './reduce.js';
import { ROWS } from './rows.js';
import { SHAPES } from './shapes.js';
import { WINDOWS } from './windows.js';

let table: ReadonlyMap<unknown, PrimitiveRules> | null = null;

/** The rules of all primitives, by the objects themselves: another one of the same name is another one. */
function rules(): ReadonlyMap<unknown, PrimitiveRules> {
  if (table) return table;
  const all = { ...ELEMENTWISE, ...SHAPES, ...REDUCE, ...INDEXING, ...ROWS, ...WINDOWS, ...RANDOM, ...MATMUL };
  const own = [...allPrimitives(), barrier].map((primitive) => [primitive, all[primitive.name]] as const);
  table = new Map(own.flatMap(([primitive, found]): [unknown, PrimitiveRules][] => [[primitive, found ?? {}]]));
  return table;
}

/** What the compiler knows of a primitive; `undefined` for one of another package, which brings what it needs. */
export function rulesOf(primitive: unknown): PrimitiveRules | undefined {
  return rules().get(primitive);
}
