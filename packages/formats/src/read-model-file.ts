import { FormatError } from '@recurra/tensor';
import { checkRules, checkValue, type Rules, rules } from '@recurra/tensor/extend';
import { endingsOf, type Format, formats } from './formats.js';
import type { Limits } from './limits.js';
import type { ModelFile } from './model-file.js';
import { otherKindOf } from './other-kinds.js';
import { expectPlainName } from './plain-name.js';

/** Options of {@link readModelFile}. */
export interface ReadModelFileOptions {
  /** How much the file may make the reader allocate. */
  readonly limits?: Limits | undefined;
  /** What messages call the file; 'readModelFile'. */
  readonly label?: string;
  /** The bytes of a file beside it by its name, for formats of several; `null` where there is none. Without it there are none. */
  readonly beside?: (name: string) => Promise<Uint8Array | null>;
}

const OPTIONS: Rules<ReadModelFileOptions> = {
  // Checked by what takes them.
  limits: rules.anything,
  label: rules.text,
  beside: { expected: 'a function', accepts: (v) => typeof v === 'function' },
};

/** The format of a file, by its bytes. Throws `FormatError` for one that none reads, with what it is. */
export function formatOfBytes(bytes: Uint8Array, label: string): Format {
  const format = formats().find((candidate) => candidate.matches(bytes));
  if (format) return format;
  const other = otherKindOf(bytes);
  const received =
    bytes.length === 0 ? 'an empty one' : other ? `${other.title}. ${other.instead}` : `${bytes.length} other bytes`;
  throw new FormatError(`${label}: expected a file of a model (${endingsOf(formats())}), received ${received}`);
}

/** As {@link readModelFile}, of options that were checked. Those who write and read without the codecs that users call by name load less. */
export async function readModelBytes(
  bytes: Uint8Array,
  { limits, label, beside = async () => null }: ReadModelFileOptions & { readonly label: string },
): Promise<ModelFile> {
  return formatOfBytes(bytes, label).read(bytes, {
    limits,
    label,
    beside: async (name) => beside(expectPlainName(label, 'files beside it', name)),
  });
}

/**
 * What a file of any format holds, by its bytes. Throws `FormatError` for what is none of them, with what it is where that can be told, and for what is damaged.
 */
export async function readModelFile(bytes: Uint8Array, options: ReadModelFileOptions = {}): Promise<ModelFile> {
  checkRules('readModelFile', options, OPTIONS);
  const { label = 'readModelFile' } = options;
  checkValue(label, 'the file', bytes, rules.instanceOf(Uint8Array, 'its bytes as a Uint8Array'));
  return readModelBytes(bytes, { ...options, label });
}
