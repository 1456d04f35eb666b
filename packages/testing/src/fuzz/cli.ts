/** Tries random cases for some time: `pnpm fuzz TARGET --seconds N --seed S`. Exit codes: 0 all held, 1 something broke, 2 wrong arguments. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setThreads } from '@recurra/compiler';
import { data } from './data.js';
import { formats } from './formats.js';
import { parquet } from './parquet.js';
import { programs } from './programs.js';
import type { FuzzTarget } from './target.js';

const FILES = fileURLToPath(new URL('../../golden/files', import.meta.url));
let models = formats(FILES);

/** The targets by name. */
const TARGETS: ReadonlyMap<string, FuzzTarget> = new Map([
  ['programs', programs],
  ['data', data],
  ['parquet', parquet],
  ['formats', models],
]);

const USAGE = [
  `usage: pnpm fuzz ${[...TARGETS.keys()].join('|')} [--seconds N] [--seed S] [--path P] [--readers R,...]`,
  ...[...TARGETS].map(([name, { description }]) => `  ${name}: ${description}`),
  '  --seconds: how long to go on (60); --seed: an integer (the time); --path: one case, as a failure prints it; --readers: of formats, by their names',
].join('\n');

/** A number among the arguments; throws `Error` for anything else. */
function numberOf(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new Error(`expected a number for --${name}, received ${text}`);
  return value;
}

/** How many kinds of refusals are printed of each reader. */
const SHOWN = 12;

/** What became of damaged files of models, by readers. */
function reportOutcomes(): void {
  for (const [reader, { read, refused, reasons, slowest }] of models.outcomes) {
    console.log(
      `${reader}: ${read + refused} files, ${read} read, ${refused} refused for ${reasons.size} reasons; the longest took ${slowest.toFixed(0)} ms`,
    );
    for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, SHOWN))
      console.log(`  ${count} ${reason}`);
  }
  console.log(`peak memory of the process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
}

async function main(): Promise<number> {
  let target: FuzzTarget | undefined;
  let name: string | undefined;
  let options: { seconds: number; seed: number; path?: string };
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        path: { type: 'string' },
        readers: { type: 'string' },
      },
    });
    [name] = positionals;
    target = TARGETS.get(name ?? '');
    if (values.readers !== undefined) {
      if (name !== 'formats') throw new Error(`expected --readers with formats, received it with ${name}`);
      models = formats(FILES, values.readers.split(','));
      target = models;
    }
    if (!target || positionals.length !== 1)
      throw new Error(`expected one target, received ${positionals.join(' ') || 'none'}`);
    const seed = numberOf(values.seed, 'seed', Math.floor(Date.now() / 1000) % 1_000_000);
    if (!Number.isInteger(seed)) throw new Error(`expected an integer for --seed, received ${seed}`);
    options = {
      seconds: numberOf(values.seconds, 'seconds', 60),
      seed,
      ...(values.path === undefined ? {} : { path: values.path }),
    };
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  console.log(`fuzz ${name}: ${options.seconds} s from seed ${options.seed}`);
  const { passed, failures } = await target.run(options);
  for (const { repeat, message } of failures) console.log(`FAILED: pnpm fuzz ${name} ${repeat}\n${message}\n`);
  if (target === models) reportOutcomes();
  console.log(`${passed} passed, ${failures.length} failed`);
  await setThreads(1);
  return failures.length > 0 ? 1 : 0;
}

process.exitCode = await main();
