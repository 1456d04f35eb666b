import { FormatError } from '@recurra/tensor';

/** Throws `FormatError` for the name of a file, in a file, that could lead out of where it belongs, or that means nothing. */
export function expectPlainName(label: string, what: string, name: unknown): string {
  const parts = typeof name === 'string' ? name.replaceAll('\\', '/').split('/') : [];
  if (
    typeof name !== 'string' ||
    name === '' ||
    name.includes('\0') ||
    /^([\\/]|[a-z][a-z\d+.-]*:)/i.test(name) ||
    parts.includes('..')
  )
    throw new FormatError(
      `${label}: expected ${what} with plain relative names, received ${JSON.stringify(name)?.slice(0, 80)}`,
    );
  return name;
}
