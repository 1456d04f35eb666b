import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { FILE, type FormatReader, formatReaders } from './format-readers.js';
import { type FuzzTarget, propertyTarget } from './target.js';
import { limited } from './watchdog.js';

/** Seconds that a file of some kilobytes may take: some thousand times what it needs. */
const LIMIT = 30;

interface Case {
  readonly reader: FormatReader;
  readonly bytes: Uint8Array;
}

/** How many files a reader took, and how many it refused. */
export interface Outcomes {
  read: number;
  refused: number;
}

/** A fuzz target that counts, by the names of readers. */
export interface FormatsTarget extends FuzzTarget {
  readonly outcomes: ReadonlyMap<string, Outcomes>;
}

/** Files of models, damaged: a model or a `FormatError` that names the file. `folder` holds the golden references of the area `files`. */
export function formats(folder: string): FormatsTarget {
  const readers = formatReaders((name) => new Uint8Array(readFileSync(join(folder, name))));
  const outcomes = new Map(readers.map(({ name }): [string, Outcomes] => [name, { read: 0, refused: 0 }]));
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
      try {
        await reader.read(bytes);
        counts.read++;
      } catch (error) {
        if (!(error instanceof FormatError) || !error.message.startsWith(`${FILE}: `))
          throw new Error(
            `${reader.name}: expected a FormatError that names the file, received ${error instanceof Error ? error.stack : String(error)}`,
          );
        counts.refused++;
      }
    },
  );
  return { ...limited(LIMIT, target), outcomes };
}
