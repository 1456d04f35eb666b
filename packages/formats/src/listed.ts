/** Names in a message: how many, and the first of them. */
export function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `none ${what}`;
  const shown = names.slice(0, 5).map((name) => JSON.stringify(name));
  return `${names.length} ${what} (${shown.join(', ')}${names.length > 5 ? ', ...' : ''})`;
}
