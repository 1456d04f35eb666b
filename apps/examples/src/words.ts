import { padSequences, type Tensor } from 'recurra';

/** The words of texts, each once, in order. */
export function vocabularyOf(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap((text) => text.split(' ')))].sort();
}

/** The number of words of the longest text. */
export function longest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => text.split(' ').length));
}

/** Words as their places in the vocabulary (from 1), padded with 0 at the end: int32 [texts, length]. */
export function wordIds(texts: readonly string[], vocabulary: readonly string[], length: number): Tensor {
  const rows = texts.map((text) => text.split(' ').map((word) => vocabulary.indexOf(word) + 1));
  return padSequences(rows, { maxLength: length, padding: 'post' });
}
