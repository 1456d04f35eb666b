import { FormatError } from '@recurra/tensor';
import type { Json } from './model-file.js';

/** How JSON of a file is read. */
export interface ReadJsonOptions {
  /** What messages begin with: the file, and the part of it. */
  readonly label: string;
  /** How deep objects and lists may nest; 64. */
  readonly maxDepth?: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The place behind a string that begins at `at`, or the end of the text. */
function endOfString(text: string, at: number): number {
  let i = at + 1;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i + 1;
    i += code === BACKSLASH ? 2 : 1;
  }
  return text.length;
}

/** The string that a literal stands for; the literal where it is none, for `JSON.parse` of the whole text to refuse. */
function unescaped(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal;
  }
}

/** Refuses what `JSON.parse` would take without a word: keys that stand twice, keys that name prototypes, and nesting without end. */
function checkStructure(text: string, { label, maxDepth = 64 }: ReadJsonOptions): void {
  // The keys of the objects around; `null` for a list.
  const around: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; ) {
    const character = text[i]!;
    if (character === '"') {
      const end = endOfString(text, i);
      const keys = around.at(-1);
      let next = end;
      while (/[ \t\r\n]/.test(text[next] ?? '')) next++;
      if (keys && text[next] === ':') {
        const key = unescaped(text.slice(i, end));
        if (key === '__proto__')
          throw new FormatError(`${label}: expected names of values, received the key "__proto__". Rename it.`);
        if (keys.has(key))
          throw new FormatError(
            `${label}: expected each key once in an object, received ${JSON.stringify(key)} twice.`,
          );
        keys.add(key);
      }
      i = next;
      continue;
    }
    if (character === '{' || character === '[') {
      if (around.length === maxDepth)
        throw new FormatError(`${label}: expected JSON of at most ${maxDepth} levels, received a deeper one.`);
      around.push(character === '{' ? new Set() : null);
    } else if (character === '}' || character === ']') around.pop();
    i++;
  }
}

/**
 * JSON that comes from a file: bytes (UTF-8) or a text. Throws `FormatError` for text that is no JSON, and for what `JSON.parse` would take in silence: a key twice
 * in an object, `__proto__` as a key, nesting deeper than `maxDepth`.
 */
export function readJson(source: Uint8Array | string, options: ReadJsonOptions): Json {
  let text: string;
  try {
    // A byte order mark is no JSON: kept, so that it is refused. Browsers decode no memory that threads share: a copy.
    text =
      typeof source === 'string'
        ? source
        : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(source));
  } catch {
    throw new FormatError(
      `${options.label}: expected JSON in UTF-8, received other bytes. The file is damaged or of another format.`,
    );
  }
  checkStructure(text, options);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new FormatError(`${options.label}: expected JSON, received text that is none (${(error as Error).message}).`);
  }
}
