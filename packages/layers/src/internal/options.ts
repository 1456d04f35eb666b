import { camelCase, ValueError } from '@recurra/tensor';

/** How many single letters must change (be put in, left out, replaced) to make one word of another (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

/** The known name that a misspelt one most likely means, or `null`: Keras' snake_case, another case, one or two letters off. */
export function closestName(name: string, known: readonly string[]): string | null {
  const camel = camelCase(name);
  const plain = (text: string): string => text.replace(/[_\-\s]/g, '').toLowerCase();
  const exact = known.find((k) => k === camel || plain(k) === plain(name));
  if (exact !== undefined) return exact;
  let best: string | null = null;
  let least = Math.min(2, Math.floor(name.length / 3)) + 1;
  for (const k of known) {
    const d = distance(plain(name), plain(k));
    if (d < least) {
      least = d;
      best = k;
    }
  }
  return best;
}

/** `Did you mean "fromLogits"? `, or nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  const best = closestName(name, known);
  return best === null ? '' : ` Did you mean "${best}"?`;
}

/**
 * Throws `ValueError` unless `options` is an object whose keys are all known: JavaScript has no compiler to tell that
 * `from_logits` is not read.
 */
export function checkOptions(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ValueError(
      `${what}: expected options as an object ({ ${known[0] ?? ''}: ... }), received ${describe(options)}`,
    );
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw new ValueError(
        `${what}: expected options among ${known.join(', ')}, received "${key}".${didYouMean(key, known)}`,
      );
}

/** A value in a few words, for messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return value.name ? `the function or class ${value.name}` : 'a function';
  if (Array.isArray(value)) return 'a list';
  return `a value of class ${(value as object).constructor?.name ?? 'Object'}`;
}
