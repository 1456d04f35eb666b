/** The cases that all engines share, on one of them: `pnpm engines ENGINE`. Exit codes: 0 all passed, 1 some failed, 2 wrong arguments. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type EngineName, engine, setEngine, setThreads } from '@recurra/compiler';
import { engineFamilies } from './cases.js';

const USAGE = [
  'usage: pnpm engines wasm|native [--every N] [--slow SECONDS]',
  '  --every: of each family, the first case and each N-th after it (1); --slow: names cases that take longer than this',
].join('\n');

/** A number of at least `least` among the arguments; throws `Error` for anything else. */
function numberOf(text: string | undefined, name: string, fallback: number, least: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !(value >= least))
    throw new Error(`expected a number of at least ${least} for --${name}, received ${text}`);
  return value;
}

async function main(): Promise<number> {
  let every: number;
  let slow: number;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { every: { type: 'string' }, slow: { type: 'string' } },
    });
    every = numberOf(values.every, 'every', 1, 1);
    if (!Number.isInteger(every)) throw new Error(`expected an integer for --every, received ${every}`);
    slow = numberOf(values.slow, 'slow', Number.POSITIVE_INFINITY, 0);
    if (positionals.length !== 1) throw new Error(`expected one engine, received ${positionals.join(' ') || 'none'}`);
    // It says what is no engine, and why one cannot be had.
    await setEngine(positionals[0] as EngineName);
  } catch (error) {
    console.error(`engines: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const chosen = engine();
  console.log(`${chosen.name}: ${chosen.reason}; ${process.platform}-${process.arch}, Node ${process.versions.node}`);
  let [passed, failed] = [0, 0];
  const golden = fileURLToPath(new URL('../../golden', import.meta.url));
  for (const [family, cases] of engineFamilies(golden)) {
    const start = performance.now();
    const before = { passed, failed };
    for (const one of cases.filter((_, i) => i % every === 0)) {
      const began = performance.now();
      try {
        await one.run();
        passed++;
      } catch (error) {
        failed++;
        console.log(
          `  FAILED  ${one.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      }
      const seconds = (performance.now() - began) / 1000;
      if (seconds > slow) console.log(`  ${seconds.toFixed(1)} s  ${one.name}`);
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${family}: ${passed - before.passed} of ${cases.length} passed, ${failed - before.failed} failed, ${seconds} s`,
    );
  }
  if (engine().name !== chosen.name) {
    console.log(`FAILED: the cases began on ${chosen.name} and ended on ${engine().name}`);
    failed++;
  }
  console.log(`${passed} passed, ${failed} failed`);
  await setThreads(1);
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main();
