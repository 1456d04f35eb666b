/** What is printed of files, which may hold anything. */

/** What a terminal would take for commands, or what turns the order of a line around, and line ends that are none to a terminal. */
const COMMANDS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const escaped = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A text on one line that a terminal only shows. */
export const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().replace(COMMANDS, escaped);

/** JSON in which what a terminal would obey stands escaped: the same value to whoever reads it. */
export const harmlessJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(/[^\n]/gu, (c) => c.replace(COMMANDS, escaped));

/** 1234567 -> 1.2 MB. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** Rows in columns, with two spaces before each. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => [...row[i]!].length)));
  return rows
    .map((row) => `  ${row.map((cell, i) => cell + ' '.repeat(widths[i]! - [...cell].length)).join('  ')}`.trimEnd())
    .join('\n');
}
