import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { checkOneText } from '../internal/texts.js';

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

/** Rules of {@link WordOptions}. */
export const WORD_RULES: Rules<WordOptions> = { filters: rules.text, lower: rules.flag, split: rules.text };

/** Cuts texts into words. */
export type Splitter = (text: string) => string[];

/**
 * A function that cuts texts into words as {@link textToWordSequence} does, prepared once for many texts. Throws `ValueError` for an empty
 * separator.
 */
export function wordSplitter(options: WordOptions = {}, label = 'wordSplitter'): Splitter {
  checkRules(label, options, WORD_RULES);
  const { filters = FILTERS, lower = true, split = ' ' } = options;
  if (split === '')
    throw new ValueError(
      'Tokenizer: expected a separator to split at, received an empty one. Use charLevel for characters.',
    );
  // Where the separators are single UTF-16 units, one look into a table tells each from the rest.
  if (split.length === 1 && [...filters].every((c) => c.length === 1)) {
    const separates = new Uint8Array(0x10000);
    for (const c of filters + split) separates[c.charCodeAt(0)] = 1;
    return (text) => {
      const clean = lower ? text.toLowerCase() : text;
      const words: string[] = [];
      const { length } = clean;
      for (let i = 0; i < length; ) {
        while (i < length && separates[clean.charCodeAt(i)] === 1) i++;
        const start = i;
        while (i < length && separates[clean.charCodeAt(i)] === 0) i++;
        if (i > start) words.push(clean.slice(start, i));
      }
      return words;
    };
  }
  const separators = new Set(filters);
  return (text) => {
    let clean = '';
    for (const c of lower ? text.toLowerCase() : text) clean += separators.has(c) ? split : c;
    return clean.split(split).filter((word) => word !== '');
  };
}

/** The words of a text: lower case, filtered characters as separators, empty words dropped. Keras `text_to_word_sequence`. */
export function textToWordSequence(text: string, options: WordOptions = {}): string[] {
  checkOneText('textToWordSequence', text);
  return wordSplitter(options, 'textToWordSequence')(text);
}
