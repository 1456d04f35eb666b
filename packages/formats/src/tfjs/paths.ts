import { FormatError } from '@recurra/tensor';
import { expectPlainName } from '../plain-name.js';

/** What means something else in an address: steps in percents, queries, fragments; and steps in place. */
const IN_ADDRESSES = /(^|[/\\])\.([/\\]|$)|\\|%(2e|2f|5c|00)|[?#]/i;
const hasControl = (path: string): boolean => [...path].some((c) => c < ' ' || c === '\u007f');

/** The path of a file of weights beside a model, which may be fetched. Throws `FormatError` for one that leads elsewhere: up, to a root, to another host. */
export function besidePath(given: unknown, label: string): string {
  const path = expectPlainName(label, 'files of weights', given);
  if (path.length > 1024 || IN_ADDRESSES.test(path) || hasControl(path))
    throw new FormatError(
      `${label}: expected paths of weights beside the file, such as "group1-shard1of1.bin", received ${JSON.stringify(path).slice(0, 80)}. Files elsewhere are not read.`,
    );
  return path;
}
