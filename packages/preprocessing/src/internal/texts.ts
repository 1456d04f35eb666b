import { ValueError } from '@recurra/tensor';

/** What one text is taken for as a list: refused in types. */
type NotOneText = { readonly charAt?: never };

/** Several items, in anything that can be walked but one string, which would be walked letter by letter. */
export type ListOf<T> = Iterable<T> & NotOneText;

const shown = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === null
    ? 'null'
    : typeof value === 'object'
      ? `an object (${value.constructor?.name ?? 'Object'})`
      : typeof value;
};

/**
 * The items of a list, as they are. Throws `ValueError` for one string (it would be taken for a list of letters), and for what is no list.
 * @param what what the list should hold: 'texts'
 */
export function listOf<T>(name: string, what: string, items: Iterable<T>): Iterable<T> {
  if (typeof items === 'string')
    throw new ValueError(
      `${name}: expected a list of ${what}, received the string ${shown(items)}. Put it into a list: [${shown(items)}].`,
    );
  if (typeof (items as { [Symbol.asyncIterator]?: unknown } | null)?.[Symbol.asyncIterator] === 'function')
    throw new ValueError(
      `${name}: expected a list of ${what}, received an asynchronous one (a Dataset or stream). Use adaptStream where there is one, or pass await dataset.toArray().`,
    );
  // A Map has pairs, which are no items.
  if (
    items === null ||
    typeof items !== 'object' ||
    items instanceof Map ||
    typeof items[Symbol.iterator] !== 'function'
  )
    throw new ValueError(`${name}: expected a list of ${what}, received ${shown(items)}`);
  return items;
}

/** Throws `ValueError` for an item that is no string, by its index. */
export function checkText(name: string, text: unknown, index: number): asserts text is string {
  if (typeof text !== 'string')
    throw new ValueError(
      `${name}: expected texts (strings), received ${shown(text)} at index ${index}. Leave such samples out, or replace them by ''.`,
    );
}

/** Throws `ValueError` for what is not one text. */
export function checkOneText(name: string, text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new ValueError(`${name}: expected a text (a string), received ${shown(text)}`);
}

/** The strings of a list. Throws `ValueError` for one string, for what is no list, and for an item that is no string, by its index. */
export function* textsOf(name: string, texts: Iterable<string>): Generator<string, void, void> {
  let index = 0;
  for (const text of listOf(name, 'texts', texts)) {
    checkText(name, text, index++);
    yield text;
  }
}

/** The strings of a list, in an array. Throws as {@link textsOf}. @param what what the list should hold: 'tokens' */
export function stringsOf(name: string, what: string, items: Iterable<string>): string[] {
  const all = [...listOf(name, what, items)];
  all.forEach((item: unknown, i) => {
    if (typeof item !== 'string')
      throw new ValueError(`${name}: expected ${what} to be strings, received ${shown(item)} at index ${i}`);
  });
  return all;
}
