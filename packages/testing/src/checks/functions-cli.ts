/** Holds the elementary functions of the kernels against float64 over every float32 there is: some minutes. Arguments: names. */
import { loadKernels } from '@recurra/kernels';
import { FUNCTIONS, worst } from './functions.js';

const names = process.argv.slice(2);
let failed = 0;
for (const name of names.length > 0 ? names : Object.keys(FUNCTIONS)) {
  const { ulp, at } = worst(name, 1);
  const ok = ulp <= FUNCTIONS[name]!.ulp;
  if (!ok) failed++;
  console.log(`${ok ? '' : 'FAILED '}${name}: ${ulp} ulp at ${at}, over all float32`);
}
console.log(`${loadKernels().relaxed ? 'relaxed' : 'plain'} SIMD, Node ${process.versions.node}`);
process.exitCode = failed > 0 ? 1 : 0;
