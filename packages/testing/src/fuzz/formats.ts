import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { FILE, type FormatReader } from './format-reader.js';
import { formatReaders } from './format-readers.js';
import { kerasReaders } from './keras-files.js';
import { type FuzzTarget, propertyTarget } from './target.js';
import { limited } from './watchdog.js';

/** Seconds that a file of some kilobytes may take: some thousand times what it needs. */
const LIMIT = 30;

interface Case {
  readonly reader: FormatReader;
  readonly bytes: Uint8Array;
}

/** Bytes by which the memory of the process may grow in a case: files of some kilobytes may ask for 16 MiB, and garbage stays for a while. */
const MEMORY = 2 ** 29;

/** How many files a reader took, and how many it refused. */
export interface Outcomes {
  read: number;
  refused: number;
  /** How often each kind of refusal came: messages without what differs from file to file. */
  readonly reasons: Map<string, number>;
  /** The longest read, in milliseconds. */
  slowest: number;
}

/** The kind of a refusal. */
const reasonOf = (message: string): string =>
  message
    .replace(/"(?:[^"\\]|\\.)*"/g, '"..."')
    .replace(/.*(?=\bexpected\b)/, '')
    .replace(/(?<!HDF|h)\d[\d., ]*/g, 'N ')
    .replace(/\((?:Un|Bad|Expected|No).*\)/, '')
    .slice(0, 72);

/** A fuzz target that counts, by the names of readers. */
export interface FormatsTarget extends FuzzTarget {
  readonly outcomes: ReadonlyMap<string, Outcomes>;
}

/** Does it say what JavaScript missed, and not what is wrong with the file? */
const isUnclear = ({ cause }: Error): boolean =>
  cause instanceof TypeError ||
  cause instanceof RangeError ||
  cause instanceof ReferenceError ||
  (cause instanceof Error && isUnclear(cause));

/** Files of models, damaged: a model or a `FormatError` that names the file. `folder` holds the golden references of the area `files`; `only` names readers. */
export function formats(folder: string, only: readonly string[] = []): FormatsTarget {
  const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  const all = [...formatReaders(golden), ...kerasReaders(golden)];
  const unknown = only.find((name) => all.every((reader) => reader.name !== name));
  if (unknown !== undefined)
    throw new Error(`expected readers among ${all.map(({ name }) => name).join(', ')}, received ${unknown}`);
  const readers = only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
  const outcomes = new Map(
    readers.map(({ name }): [string, Outcomes] => [name, { read: 0, refused: 0, reasons: new Map(), slowest: 0 }]),
  );
  const cases: fc.Arbitrary<Case> = fc.oneof(
    ...readers.map((reader) =>
      reader.files.map((bytes) => ({
        reader,
        bytes,
        [fc.toStringMethod]: () => `${reader.name}, base64 ${Buffer.from(bytes).toString('base64').slice(0, 4000)}`,
      })),
    ),
  );
  const target = propertyTarget(
    `damaged files of models (${[...outcomes.keys()].join(', ')}): what they hold, or a FormatError, soon`,
    cases,
    async ({ reader, bytes }) => {
      const counts = outcomes.get(reader.name)!;
      const before = process.resourceUsage().maxRSS;
      const begin = performance.now();
      try {
        await reader.read(bytes);
        counts.read++;
      } catch (error) {
        if (!(error instanceof FormatError) || !error.message.includes(`${FILE}: `) || isUnclear(error))
          throw new Error(
            `${reader.name}: expected a FormatError that names the file, received ${error instanceof Error ? error.stack : String(error)}`,
          );
        counts.refused++;
        const reason = reasonOf(error.message);
        counts.reasons.set(reason, (counts.reasons.get(reason) ?? 0) + 1);
      }
      counts.slowest = Math.max(counts.slowest, performance.now() - begin);
      const grown = (process.resourceUsage().maxRSS - before) * 1024;
      if (grown > MEMORY) throw new Error(`${reader.name}: expected at most ${MEMORY} bytes more, received ${grown}`);
    },
  );
  return { ...limited(LIMIT, target), outcomes };
}
