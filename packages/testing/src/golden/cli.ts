import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { areasIn, replayArea } from './replay.js';

const USAGE = 'usage: pnpm golden [--dir DIR] [--area AREA] [--compiled] [--verbose]';

async function main(): Promise<number> {
  let options: { dir?: string; area?: string; compiled?: boolean; verbose?: boolean };
  try {
    options = parseArgs({
      options: {
        dir: { type: 'string' },
        area: { type: 'string' },
        compiled: { type: 'boolean' },
        verbose: { type: 'boolean' },
      },
    }).values as typeof options;
  } catch (error) {
    console.error(`golden: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const dir = options.dir ?? fileURLToPath(new URL('../../golden', import.meta.url));
  if (!existsSync(dir)) {
    console.error(`golden: expected a folder of golden files, received ${dir}\n${USAGE}`);
    return 2;
  }
  const areas = areasIn(dir);
  if (options.area !== undefined && !areas.includes(options.area)) {
    console.error(`golden: expected an area among ${areas.join(', ')}, received ${options.area}`);
    return 2;
  }
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const area of options.area ? [options.area] : areas) {
    const report = await replayArea(dir, area, { compiled: options.compiled ?? false });
    passed += report.passed.length;
    failed += report.failed.length;
    skipped += report.skipped.length;
    for (const name of report.skipped) console.log(`  skipped ${area}/${name}: no implementation yet`);
    for (const { name, messages } of report.failed)
      console.log(`  FAILED  ${area}/${name}: ${messages.slice(0, options.verbose ? 99 : 2).join('; ')}`);
    for (const message of report.inexact) console.log(`  note    ${area}/${message} (the reference has lost digits)`);
    const worst =
      report.worst.error > 0
        ? `worst error ${report.worst.error.toFixed(3)} of the tolerance (${report.worst.name})`
        : 'exact';
    console.log(
      `${area}: ${report.passed.length} passed, ${report.failed.length} failed, ${report.skipped.length} without implementation; ${worst}`,
    );
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed + skipped > 0 ? 1 : 0;
}

process.exitCode = await main();
