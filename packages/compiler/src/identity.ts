const identities = new WeakMap<object, number>();
/** Symbols cannot all be held weakly; there are few. */
const symbols = new Map<symbol, number>();
let next = 0;

/** A text for what has no content to compare: equal for the same value alone. */
export function identityOf(value: object | symbol): string {
  const known = typeof value === 'symbol' ? symbols.get(value) : identities.get(value);
  if (known !== undefined) return `#${known}`;
  const id = next++;
  if (typeof value === 'symbol') symbols.set(value, id);
  else identities.set(value, id);
  return `#${id}`;
}
