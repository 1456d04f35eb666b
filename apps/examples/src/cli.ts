import { readFile } from 'node:fs/promises';
import { setSeed } from 'recurra';
import * as customCell from './custom-cell.js';
import * as encoderDecoder from './encoder-decoder.js';
import * as siamese from './siamese.js';
import * as tagger from './tagger.js';

/** A program: trains on data, prints what it found, and resolves to how well it did. */
type Run = (data: never, print: (line: string) => void) => Promise<number>;

const PROGRAMS: ReadonlyMap<string, Run> = new Map<string, Run>([
  ['tagger', tagger.run],
  ['encoder-decoder', encoderDecoder.run],
  ['siamese', siamese.run],
  ['custom-cell', customCell.run],
]);

/** Runs the program that the arguments name on its data. Resolves to the exit code. */
export async function main([name = '']: readonly string[]): Promise<number> {
  const run = PROGRAMS.get(name);
  if (!run) {
    console.error(`examples: expected one of ${[...PROGRAMS.keys()].join(', ')}, received "${name}"`);
    return 2;
  }
  const text = await readFile(new URL(`../data/${name}.json`, import.meta.url), 'utf8');
  setSeed(1);
  const result = await run(JSON.parse(text) as never, (line) => console.log(line));
  console.log(result.toFixed(4));
  return 0;
}
