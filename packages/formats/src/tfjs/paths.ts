import { FormatError } from '@recurra/tensor';

/** A step up, a root, a drive or an address, also where it is written in percents, as addresses are. */
const OUTSIDE = /^[/\\]|^[A-Za-z][A-Za-z0-9+.-]*:|(^|[/\\])\.{1,2}([/\\]|$)|\\|%(2e|2f|5c|00)|[?#]/i;

/** Names with characters that mean nothing, or something else. */
const hasControl = (path: string): boolean => [...path].some((c) => c < ' ' || c === '\u007f');

/**
 * The path of a file of weights beside a model. Throws `FormatError` for one that leads elsewhere: up, to a root, to another host.
 */
export function besidePath(path: unknown, label: string): string {
  if (typeof path !== 'string' || path === '' || path.length > 1024 || OUTSIDE.test(path) || hasControl(path))
    throw new FormatError(
      `${label}: expected paths of weights beside the file, such as "group1-shard1of1.bin", received ${JSON.stringify(path)?.slice(0, 80)}. Files elsewhere are not read.`,
    );
  return path;
}
