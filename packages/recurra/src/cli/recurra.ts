#!/usr/bin/env node
/** The command `recurra`: see `run.ts`. */
import { readFile } from 'node:fs/promises';
import { run } from './run.js';

// Who reads the output may have seen enough: `| head`.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
const version = async (): Promise<string> =>
  JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')).version;
process.exitCode = await run(
  process.argv.slice(2),
  { out: (text) => process.stdout.write(`${text}\n`), error: (text) => process.stderr.write(`${text}\n`) },
  version,
);
