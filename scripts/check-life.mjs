/**
 * How steps end: processes and threads that are killed, ended or done with while a step runs on several threads, and threads that run steps at once.
 * `pnpm check:life [wasm|native [words of a case]]`. Ends with `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [engine = 'wasm', words = ''] = process.argv.slice(2);
if (!['wasm', 'native'].includes(engine)) throw new Error(`expected wasm or native, received ${engine}`);

/** What an end may take, in milliseconds: a small part of what the step still has to do. */
const SOON = 5000;

/** A step of many seconds on two threads, whose result is known, and a short one. The calling thread goes on while they run. */
const STEPS = `
  const { jit, setThreads, engine } = await import('@recurra/compiler');
  const { ones } = await import('@recurra/tensor');
  if (engine().name !== ${JSON.stringify(engine)}) throw new Error(engine().reason);
  await setThreads(2);
  const chain = (count) => jit((t) => { for (let i = 0; i < count; i++) t = t.matmul(t).mul(1 / 1000); return t.mean(); });
  const [long, short] = [chain(1500), chain(3)];
  const x = ones([1000, 1000]);
  const right = async (step = short) => {
    const value = (await step(x)).item();
    if (!(Math.abs(value - 1) < 1e-3)) throw new Error('expected 1, received ' + value);
  };
  const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;
/** The same in a thread, which says when the step runs. */
const WORKER = `
  import { Worker } from 'node:worker_threads';
  ${STEPS}
  const start = (then) => new Promise((resolve, reject) => {
    // A module, as the program is.
    const source = ${JSON.stringify(`import { parentPort } from 'node:worker_threads'; ${STEPS}`)} + then;
    const worker = new Worker(source, { eval: true });
    worker.once('message', () => resolve(worker));
    worker.once('error', reject);
  });
  const RUNNING = 'long(x); await later(100); parentPort.postMessage(0);';
  const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
`;
const RUNNING = `
  const running = long(x);
  await later(100);
  process.send('running');
`;

/** What is done, what is expected of the process, and how long it may take from the moment at which the step runs. */
const CASES = [
  ...['SIGTERM', 'SIGKILL', 'SIGINT'].map((signal) => ({
    name: `${signal} ends a process at once`,
    program: `${STEPS}${RUNNING}await running;`,
    signal,
    expected: signal,
    within: SOON,
  })),
  {
    name: 'process.exit() ends it at once, with its code',
    times: 10,
    program: `${STEPS}${RUNNING}process.exit(3);`,
    expected: 3,
    within: SOON,
  },
  {
    name: 'an error that nobody catches ends it at once',
    program: `${STEPS}${RUNNING}throw new Error('nobody catches this');`,
    expected: 1,
    within: SOON,
    stderr: /nobody catches this/,
  },
  {
    name: 'a step that nobody waits for is done before the process ends by itself',
    program: `${STEPS}short(x).then((v) => process.send(String(v.item())));`,
    expected: 0,
    message: /^(1|0\.9999|1\.000)/,
  },
  {
    name: 'threads that have nothing to do do not hold a process',
    program: `${STEPS}await right(); process.send('running');`,
    expected: 0,
    within: SOON,
  },
  {
    name: 'a compiled function that is dropped while its step runs gives the right result, and its memory back',
    flags: ['--expose-gc'],
    program: `${STEPS}
      for (let i = 0; i < 20; i++) {
        const running = right(chain(3));
        for (let k = 0; k < 5; k++) { await later(1); gc(); }
        await running;
      }`,
    expected: 0,
  },
  {
    name: 'dispose() while a step runs leaves it its memory',
    program: `${STEPS}
      for (let i = 0; i < 10; i++) {
        const step = chain(3);
        const running = [right(step), right(step)];
        await later(5);
        step.dispose();
        await Promise.all([...running, right()]);
      }`,
    expected: 0,
  },
  {
    name: 'terminate() of a thread whose step runs ends it, and others compute on',
    times: 5,
    program: `${WORKER}
      const worker = await start(RUNNING);
      process.send('running');
      await worker.terminate();
      await right();`,
    expected: 0,
    within: SOON,
  },
  {
    name: 'process.exit() in a thread whose step runs ends that thread',
    program: `${WORKER}
      const worker = await start(RUNNING + 'parentPort.once("message", () => process.exit(5));');
      process.send('running');
      worker.postMessage(0);
      if ((await ended(worker)) !== 5) throw new Error('expected 5');
      await right();`,
    expected: 0,
    within: SOON,
  },
  {
    name: 'process.exit() while the step of a thread runs ends all',
    times: 5,
    program: `${WORKER}await start(RUNNING); process.send('running'); process.exit(4);`,
    expected: 4,
    within: SOON,
  },
  {
    name: 'threads that compute at once have the right results',
    program: `${WORKER}
      const workers = await Promise.all([1, 2, 3].map(() => start('parentPort.postMessage(0); for (let i = 0; i < 10; i++) await right();')));
      const ends = workers.map(ended);
      for (let i = 0; i < 10; i++) await right();
      const codes = await Promise.all(ends);
      if (codes.some((code) => code !== 0)) throw new Error('a thread ended with ' + codes);`,
    expected: 0,
  },
  {
    name: 'threads that come and go while their steps run leave no thread behind, and no memory',
    program: `${WORKER}
      const { readdirSync } = await import('node:fs');
      const threads = () => readdirSync('/proc/self/task').length;
      const sizes = [];
      let before;
      for (let i = 0; i < 12; i++) {
        await (await start(RUNNING)).terminate();
        if (i === 3) before = threads();
        sizes.push(process.memoryUsage.rss() / 2 ** 20);
      }
      if (threads() > before) throw new Error('expected ' + before + ' threads, found ' + threads());
      const grown = Math.max(...sizes.slice(6)) - Math.max(...sizes.slice(0, 6));
      if (grown > 48) throw new Error('resident memory grew: ' + sizes.map((s) => s.toFixed(0)).join(' '));`,
    expected: 0,
    linux: true,
  },
];

/** Runs a case; resolves to what was wrong, or `null`. */
function run({ program, flags = [], signal, expected, within = Infinity, message = null, stderr = /^$/ }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../packages/testing/', import.meta.url)),
      env: { ...process.env, RECURRA_ENGINE: engine },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    let said = null;
    let since = Number.NaN;
    const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('message', (text) => {
      said = text;
      since = performance.now();
      if (signal) child.kill(signal);
      // The channel would hold the process.
      child.disconnect();
    });
    // Not 'close': it does not come where the channel went first.
    const told = new Promise((ended) => child.stderr.on('close', ended));
    child.on('exit', async (code, killed) => {
      clearTimeout(late);
      const took = performance.now() - since;
      await told;
      const problems = [
        (killed ?? code) === expected ? '' : `expected ${expected}, received ${killed ?? code}`,
        took <= within || within === Infinity ? '' : `took ${took.toFixed(0)} ms`,
        message === null || message.test(said) ? '' : `said ${said}`,
        stderr.test(errors) ? '' : errors.trim().slice(0, 600),
      ].filter((problem) => problem !== '');
      resolve({ problem: problems.join('; '), took });
    });
  });
}

let passed = 0;
let failed = 0;
for (const one of CASES) {
  if ((one.linux && process.platform !== 'linux') || !one.name.includes(words)) continue;
  const longest = [];
  let problem = '';
  for (let i = 0; i < (one.times ?? 1) && problem === ''; i++) {
    const result = await run(one);
    problem = result.problem;
    longest.push(result.took);
  }
  if (problem === '') passed++;
  else failed++;
  const time = one.within === undefined ? '' : ` (${Math.max(...longest).toFixed(0)} ms)`;
  console.log(problem === '' ? `ok: ${one.name}${time}` : `FAILED on ${engine}: ${one.name}: ${problem}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
