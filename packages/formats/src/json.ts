import { FormatError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import type { Json, JsonObject } from './model-file.js';

/** How JSON of a file is read. */
export interface ReadJsonOptions {
  /** What messages begin with: the file, and the part of it. */
  readonly label: string;
  /** How deep objects and lists may nest; 128. */
  readonly maxDepth?: number;
  /** How many bytes or characters there may be; 128 MiB: values take many times as much. */
  readonly maxSize?: number;
  /** Take NaN, Infinity and -Infinity as well, which Python writes; false. */
  readonly python?: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** A key that no text has that is read: it is refused there. So it can stand for what JSON has no word for. */
const REFUSED = '__proto__';
/** Python's words for numbers, and what JSON reads as these: a number beyond all is infinite, and a value that no other text can hold stands for NaN. */
const WORDS: readonly (readonly [word: string, instead: string])[] = [
  ['NaN', `{"${REFUSED}":0}`],
  ['-Infinity', '-1e999'],
  ['Infinity', '1e999'],
];

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

const isSpace = (character: string | undefined): boolean =>
  character === ' ' || character === '\n' || character === '\t' || character === '\r';
/** What may stand around a word. */
const isBorder = (character: string | undefined): boolean =>
  character === undefined || isSpace(character) || '[]{},:'.includes(character);

/**
 * The text, with what JSON reads in the place of Python's words. Refuses what `JSON.parse` would take without a word: keys that stand twice, keys that name
 * prototypes, and nesting without end.
 */
function checkedText(text: string, { label, maxDepth = 128, python = false }: ReadJsonOptions): string {
  // The keys of the objects around; `null` for a list.
  const around: (Set<string> | null)[] = [];
  const parts: string[] = [];
  let copied = 0;
  for (let i = 0; i < text.length; ) {
    const character = text[i]!;
    if (character === '"') {
      const end = endOfString(text, i);
      const keys = around.at(-1);
      let next = end;
      while (isSpace(text[next])) next++;
      if (keys && text[next] === ':') {
        const key = unescaped(text.slice(i, end));
        if (key === REFUSED)
          throw new FormatError(`${label}: expected names of values, received the key "${REFUSED}". Rename it.`);
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
        throw new FormatError(
          `${label}: expected JSON of at most ${maxDepth} levels, received a deeper one. If the file can be trusted, raise maxDepth.`,
        );
      around.push(character === '{' ? new Set() : null);
    } else if (character === '}' || character === ']') around.pop();
    else if (python && (character === 'N' || character === 'I' || character === '-') && isBorder(text[i - 1])) {
      const found = WORDS.find(([word]) => text.startsWith(word, i) && isBorder(text[i + word.length]));
      if (found) {
        const [word, instead] = found;
        parts.push(text.slice(copied, i), instead);
        i += word.length;
        copied = i;
        continue;
      }
    }
    i++;
  }
  if (parts.length === 0) return text;
  parts.push(text.slice(copied));
  return parts.join('');
}

const withNaN = (_key: string, value: unknown): unknown =>
  isRecord(value) && Object.hasOwn(value, REFUSED) ? Number.NaN : value;

function textOf(source: Uint8Array | string, label: string): string {
  if (typeof source === 'string') return source;
  try {
    // A byte order mark is no JSON: kept, so that it is refused. Browsers decode no memory that threads share: a copy.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(source));
  } catch {
    throw new FormatError(
      `${label}: expected JSON in UTF-8, received other bytes. The file is damaged or of another format.`,
    );
  }
}

/**
 * JSON that comes from a file: bytes (UTF-8) or a text. Throws `FormatError` for text that is no JSON, and for what `JSON.parse` would take in silence: a key twice
 * in an object, `__proto__` as a key, nesting deeper than `maxDepth`, and texts of any size.
 */
export function readJson(source: Uint8Array | string, options: ReadJsonOptions): Json {
  const { label, maxSize = 2 ** 27 } = options;
  if (source.length > maxSize)
    throw new FormatError(
      `${label}: expected JSON of at most ${maxSize} bytes, received ${source.length}. Is it a file of a model?`,
    );
  const text = textOf(source, label);
  const checked = checkedText(text, options);
  try {
    return JSON.parse(checked, checked === text ? undefined : withNaN) as Json;
  } catch (error) {
    throw Object.assign(
      new FormatError(
        `${label}: expected JSON, received text that is none: ${JSON.stringify(text.slice(0, 40))} (${(error as Error).message}).`,
      ),
      { cause: error },
    );
  }
}

/** As {@link readJson}, of an object. */
export function readJsonObject(source: Uint8Array | string, options: ReadJsonOptions): JsonObject {
  const value = readJson(source, options);
  if (!isRecord(value)) throw new FormatError(`${options.label}: expected an object of JSON, received another value`);
  return value as JsonObject;
}

/**
 * A value as JSON that Python reads, and {@link readJson} with `python`: NaN and infinities by its words, -0 as a floating number. Members that are `undefined` are left out.
 * @param isFloating the keys whose numbers are written as floating ones: Python tells 0 from 0.0
 */
export function writeJson(value: Json, isFloating: (key: string) => boolean = () => false, key = ''): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return String(value);
    if (Object.is(value, -0)) return '-0.0';
    return Number.isSafeInteger(value) && isFloating(key) ? `${value}.0` : JSON.stringify(value);
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map((item: Json) => writeJson(item, isFloating)).join(',')}]`;
  const members = Object.entries(value as JsonObject).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member, isFloating, name)}`).join(',')}}`;
}
