import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { checkOneText } from '../internal/texts.js';
import type { Splitter } from './words.js';

/** What a text is cut into. */
export type SegmentMode = 'word' | 'character' | 'grapheme' | 'byte';

/** Options of {@link segmenter}. */
export interface SegmentOptions {
  /**
   * 'word' (default): dictionary words in Chinese, Japanese and Thai, runs of letters elsewhere (`Intl.Segmenter`); 'character': code points;
   * 'grapheme': what a reader takes for one character; 'byte': UTF-8 bytes, as two hexadecimal digits each.
   */
  readonly mode?: SegmentMode;
  /** Language for `Intl.Segmenter` (BCP 47); 'zh', whose dictionary also knows Japanese and Thai. */
  readonly locale?: string;
  /** Lower case first; true for words, false else. */
  readonly lower?: boolean;
  /** Unicode normal form first; `null` (default): as it is. 'NFKC' also folds full-width forms. */
  readonly normalize?: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' | null;
  /** Full-width letters, digits, punctuation and spaces (U+FF01..U+FF5E, U+3000) become ASCII; false. */
  readonly foldWidth?: boolean;
  /** Keep punctuation (and, but for words, spaces); false for words, true else. */
  readonly punctuation?: boolean;
}

const PREPARATION = {
  lower: rules.flag,
  normalize: rules.oneOf('NFC', 'NFD', 'NFKC', 'NFKD', null),
  foldWidth: rules.flag,
  punctuation: rules.flag,
};
const SEGMENT_RULES = {
  ...PREPARATION,
  mode: rules.oneOf('word', 'character', 'grapheme', 'byte'),
  locale: {
    expected: 'a language tag such as zh or en-GB',
    accepts: (v) => {
      try {
        return typeof v === 'string' && Intl.getCanonicalLocales(v).length === 1;
      } catch {
        return false;
      }
    },
  },
} satisfies Rules<SegmentOptions>;

/** Full-width forms of ASCII as ASCII. Other full-width and half-width forms need `normalize: 'NFKC'`. */
export function foldWidth(text: string): string {
  checkOneText('foldWidth', text);
  return text.replace(/[\uff01-\uff5e\u3000]/g, (c) =>
    c === '\u3000' ? ' ' : String.fromCharCode(c.charCodeAt(0) - 0xfee0),
  );
}

/** What is done to a text before it is cut. */
function preparation(
  { normalize = null, foldWidth: fold = false, lower }: Pick<SegmentOptions, 'normalize' | 'foldWidth' | 'lower'>,
  lowerByDefault: boolean,
): (text: string) => string {
  return (text) => {
    checkOneText('segmenter', text);
    let t = normalize === null ? text : text.normalize(normalize);
    if (fold) t = foldWidth(t);
    return (lower ?? lowerByDefault) ? t.toLowerCase() : t;
  };
}

const SEPARATES = /^[\p{P}\p{S}\p{Z}\p{C}]+$/u;

/**
 * A function that cuts texts of any language into words, characters or bytes, for the `analyzer` of `Tokenizer` or the `split` of
 * `TextVectorization`. Needs no download, in Node and in browsers. Throws `ValueError` for an unknown mode.
 */
export function segmenter(options: SegmentOptions = {}): Splitter {
  checkRules('segmenter', options, SEGMENT_RULES);
  const { mode = 'word', locale = 'zh', punctuation = mode !== 'word' } = options;
  const prepare = preparation(options, mode === 'word');
  const kept = (parts: string[]): string[] => (punctuation ? parts : parts.filter((part) => !SEPARATES.test(part)));
  if (mode === 'character') return (text) => kept([...prepare(text)]);
  if (mode === 'byte') {
    const encoder = new TextEncoder();
    return (text) => Array.from(encoder.encode(prepare(text)), (byte) => byte.toString(16).padStart(2, '0'));
  }
  const by = new Intl.Segmenter(locale, { granularity: mode });
  return (text) => {
    const parts: string[] = [];
    eachSegment(by, prepare(text), ({ segment, isWordLike }) => {
      if (mode === 'grapheme' || isWordLike || (punctuation && segment.trim() !== '')) parts.push(segment);
    });
    return mode === 'grapheme' ? kept(parts) : parts;
  };
}

/** Characters that are given to `Intl.Segmenter` at once, and those at their end whose segments may depend on what follows. */
const WINDOW = 2048;
const MARGIN = 128;

/**
 * The segments of a text. Engines copy the text for each segment, so that a long one takes time that grows with its square: it is given in windows,
 * each of which begins where a segment of the last one ended. Rules look no further back than that, dictionaries no further ahead than the margin.
 */
function eachSegment(by: Intl.Segmenter, text: string, use: (segment: Intl.SegmentData) => void): void {
  let size = WINDOW;
  for (let at = 0; at < text.length; ) {
    const end = at + size;
    if (end >= text.length && size === WINDOW) {
      for (const segment of by.segment(at === 0 ? text : text.slice(at))) use(segment);
      return;
    }
    const last = end >= text.length ? Number.POSITIVE_INFINITY : size - MARGIN;
    let taken = 0;
    for (const segment of by.segment(text.slice(at, end))) {
      const to = segment.index + segment.segment.length;
      if (to > last) break;
      use(segment);
      taken = to;
      // Behind a segment that is longer than a window, windows are short again.
      if (size > WINDOW) break;
    }
    at += taken;
    size = taken === 0 ? 2 * size : WINDOW;
  }
}

let words: Splitter | null = null;

/** {@link segmenter} with its defaults: the words of a text in any language, lower case, without punctuation and spaces. */
export function segmentWords(text: string): string[] {
  words ??= segmenter();
  return words(text);
}

/** What is used of `@node-rs/jieba`. */
interface Jieba {
  cut(text: string, hmm?: boolean): string[];
  cutForSearch(text: string, hmm?: boolean): string[];
}

/** Options of {@link jiebaSegmenter}. */
export interface JiebaOptions extends Pick<SegmentOptions, 'lower' | 'normalize' | 'foldWidth' | 'punctuation'> {
  /** Find words that the dictionary lacks by a hidden Markov model; true. */
  readonly hmm?: boolean;
  /** Cut long words again, as search engines do; false. */
  readonly search?: boolean;
}

/**
 * A splitter for Chinese by jieba, where the optional package `@node-rs/jieba` is installed (Node): finer than `Intl.Segmenter`, with the
 * dictionary that most Chinese corpora were cut with. Throws `ValueError` where the package is absent.
 */
export async function jiebaSegmenter(options: JiebaOptions = {}): Promise<Splitter> {
  checkRules('jiebaSegmenter', options, { ...PREPARATION, hmm: rules.flag, search: rules.flag });
  const { hmm = true, search = false } = options;
  const prepare = preparation(options, true);
  let jieba: Jieba;
  try {
    // By variables, so that bundlers do not ask for a package that is optional.
    const [main, dictionary] = ['@node-rs/jieba', '@node-rs/jieba/dict.js'];
    const [{ Jieba: Class }, { dict }] = await Promise.all([import(main!), import(dictionary!)]);
    jieba = (Class as { withDict(dict: Uint8Array): Jieba }).withDict(dict as Uint8Array);
  } catch (error) {
    throw new ValueError(
      `jiebaSegmenter: expected the package @node-rs/jieba (2), which is optional, received ${(error as Error).message}. Install it, or use segmenter().`,
    );
  }
  return (text) => {
    const t = prepare(text);
    const parts = search ? jieba.cutForSearch(t, hmm) : jieba.cut(t, hmm);
    return parts.filter((part) => (options.punctuation ? part.trim() !== '' : !SEPARATES.test(part)));
  };
}
