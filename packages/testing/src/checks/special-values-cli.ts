/** The table of special values under the running engine: relaxed SIMD, where it has that. Ends with `N passed, N failed`. */
import { loadKernels } from '@recurra/kernels';
import {
  BINARY,
  checkCast,
  checkElementwise,
  checkReduction,
  checkSelect,
  type Difference,
  DTYPES,
  REDUCTIONS,
  UNARY,
} from './special-values.js';

const cases: [name: string, check: () => Promise<Difference[]>][] = DTYPES.flatMap((dtype) => [
  ...[...Object.keys(UNARY), ...Object.keys(BINARY)].map(
    (name) => [`${name} of ${dtype}`, () => checkElementwise(name, dtype)] as (typeof cases)[number],
  ),
  ...Object.keys(REDUCTIONS).map(
    (name) => [`${name} of ${dtype}`, () => checkReduction(name, dtype)] as (typeof cases)[number],
  ),
  ...DTYPES.map((to) => [`${dtype} to ${to}`, () => checkCast(dtype, to)] as (typeof cases)[number]),
  [`select of ${dtype}`, () => checkSelect(dtype)] as (typeof cases)[number],
]);

let failed = 0;
for (const [name, check] of cases) {
  const differences = await check();
  if (differences.length === 0) continue;
  failed++;
  for (const { way, operands, received, expected } of differences.slice(0, 5))
    console.log(`FAILED ${name}, ${way}: (${operands.join(', ')}) gave ${received}, expected ${expected}`);
}
console.log(`${loadKernels().relaxed ? 'relaxed' : 'plain'} SIMD, Node ${process.versions.node}`);
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
