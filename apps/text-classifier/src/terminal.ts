import stringWidth from 'string-width';

/**
 * What a terminal takes for commands (control characters, C1 among them: U+009B begins one as ESC does) or what turns the order of a line around
 * (bidirectional embeddings, overrides and isolates), and line ends that are none to a terminal.
 */
const COMMANDS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const escaped = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A text that a terminal only shows: what it would obey is written as `\u009b`. Line ends and tabs stay. */
export function harmless(text: string): string {
  return text.replace(COMMANDS, (c) => (c === '\n' || c === '\t' ? c : escaped(c)));
}

/** As {@link harmless}, on one line. */
export function oneLine(text: string): string {
  return harmless(text.replace(/\s+/g, ' ').trim());
}

/** JSON, in which what a terminal would obey stands escaped: the same value to whoever reads it. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(COMMANDS, escaped);
}

/** The columns that a text takes in a terminal: 2 for most Chinese characters, 0 for combining marks. */
export const columnsOf = (text: string): number => stringWidth(text);

/** A text with spaces after it, so that it takes so many columns. */
export const padEnd = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)));

/** A text with spaces before it, so that it takes so many columns. */
export const padStart = (text: string, columns: number): string =>
  ' '.repeat(Math.max(0, columns - columnsOf(text))) + text;
