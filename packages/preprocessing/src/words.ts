/** The characters that Keras removes by default: punctuation (not the apostrophe), tabs and line breaks. */
export const FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n';

/** How a text is cut into words. */
export interface WordOptions {
  /** Characters that count as separators; {@link FILTERS}. */
  readonly filters?: string;
  /** Lower case first; true. */
  readonly lower?: boolean;
  /** The separator; a space. */
  readonly split?: string;
}

/** The words of a text: lower case, filtered characters as separators, empty words dropped. Keras `text_to_word_sequence`. */
export function textToWordSequence(text: string, options: WordOptions = {}): string[] {
  const { filters = FILTERS, lower = true, split = ' ' } = options;
  const separators = new Set(filters);
  let clean = '';
  for (const c of lower ? text.toLowerCase() : text) clean += separators.has(c) ? split : c;
  return clean.split(split).filter((word) => word !== '');
}

let segmenter: Intl.Segmenter | null = null;

/**
 * The words of a text in any language, by `Intl.Segmenter`: dictionary words in Chinese, Japanese and Thai, runs of letters
 * elsewhere; lower case, without punctuation and spaces. Needs no download, in Node and in browsers.
 */
export function segmentWords(text: string): string[] {
  segmenter ??= new Intl.Segmenter('zh', { granularity: 'word' });
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(text.toLowerCase())) if (isWordLike) words.push(segment);
  return words;
}
