/**
 * Node's permission model, for real: `pnpm check:permission` runs a step that is large enough for threads, and one that waits for memory of
 * objects that are gone, in a process without the right to start workers, and compares with the process that has all rights.
 */
import { execFileSync } from 'node:child_process';

const program = `
  import { jit, setThreads, threads } from '@recurra/compiler';
  import { randomKey, randomNormal } from '@recurra/tensor';
  const x = randomNormal([400, 400], { key: randomKey(1) });
  await setThreads(2);
  const y = await jit((v) => v.matmul(v).tanh().matmul(v).sum(0))(x);
  // Steps that are dropped give their memory back without a worker and without the right to add one.
  let dropped = 0;
  for (let i = 0; i < Number(process.argv[1]); i++) {
    const step = jit((v) => v.broadcastTo([256, 400, 400]).exp().sum(0));
    await step(x.add(i));
    dropped += step.memory(x).arena;
  }
  console.log(JSON.stringify({ y: [...y.data], dropped, ...threads() }));
`;
/** Together more than the 4 GiB that there are. */
const ROUNDS = 30;

/**
 * @param {string[]} flags
 * @param {number} rounds
 */
function run(flags, rounds) {
  const out = execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program, String(rounds)], {
    cwd: new URL('../packages/layers/', import.meta.url),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(out);
}

const [major] = process.versions.node.split('.').map(Number);
const flag = major >= 24 ? '--permission' : '--experimental-permission';
const free = run([], 0);
const bound = run([flag, '--allow-fs-read=*'], ROUNDS);
const problems = [];
if (JSON.stringify(free.y) !== JSON.stringify(bound.y))
  problems.push('expected the same results with and without workers');
if (bound.count !== 1 || !/restricted/.test(bound.reason))
  problems.push(
    `expected one thread, as workers are restricted, received ${JSON.stringify([bound.count, bound.reason])}`,
  );
if (bound.dropped <= 2 ** 32) problems.push(`expected to drop more than 4 GiB, received ${bound.dropped} bytes`);
for (const problem of problems) console.error(problem);
console.log(`${flag}: ${problems.length === 0 ? `one thread (${bound.reason}), the same results` : 'failed'}`);
process.exitCode = problems.length === 0 ? 0 : 1;
