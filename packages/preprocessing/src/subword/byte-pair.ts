import { FormatError, ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { checkOneText, type ListOf, listOf, stringsOf, textsOf } from '../internal/texts.js';

/** Options of {@link BytePairTokenizer.train}. */
export interface BytePairOptions {
  /** Number of tokens, with special ones and the 256 bytes. */
  readonly vocabularySize: number;
  /** Tokens with the first ids that no text is cut into by itself: `['<pad>', '<unk>', '<s>', ...]`; none. */
  readonly specialTokens?: readonly string[];
  /** Pairs that occur more seldom are not joined; 2. */
  readonly minFrequency?: number;
  /** Unicode normal form first; `null` (default): as it is. */
  readonly normalize?: 'NFC' | 'NFKC' | null;
}

const TRAIN_RULES = {
  vocabularySize: rules.required(rules.count),
  specialTokens: { expected: 'a list of texts', accepts: (v) => v !== null },
  minFrequency: rules.count,
  normalize: rules.oneOf('NFC', 'NFKC', null),
} satisfies Rules<BytePairOptions>;

/** Words with the space before them, numbers, runs of other signs, runs of spaces: the cuts of GPT-2 (Radford et al. 2019). */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** A printable character for each byte: printable Latin-1 for itself, the others from U+0100 on. */
const BYTE_CHARACTERS: readonly string[] = (() => {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
})();
const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((c, b) => [c, b]));

const encoder = new TextEncoder();

/** The text that a token of byte characters stands for. */
const textOf = (token: string): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(token, (c) => CHARACTER_BYTES.get(c) ?? 0));

/** Joins `left` and `right` as one number: ids stay below 2^26. */
const pairOf = (left: number, right: number): number => left * 2 ** 26 + right;
const leftOf = (pair: number): number => Math.floor(pair / 2 ** 26);
const rightOf = (pair: number): number => pair % 2 ** 26;

/** Pieces of at most so many bytes are joined without a heap, which is faster for them. */
const SHORT = 32;
/** Longer pieces are seldom seen again. */
const REMEMBERED = 256;
/** Places of a piece in one number with a rank, both below 2^26. */
const PLACES = 2 ** 26;
/** In the place of an id that was joined to the one before. */
const GONE = -1;

/** A heap of numbers, the lowest first. */
class NumberHeap {
  private readonly items: number[] = [];

  push(item: number): void {
    const { items } = this;
    let i = items.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent]! <= item) break;
      items[i] = items[parent]!;
      i = parent;
    }
    items[i] = item;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    const { length } = items;
    if (length === 0 || last === undefined) return top;
    let i = 0;
    for (let child = 1; child < length; child = 2 * i + 1) {
      if (child + 1 < length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = last;
    return top;
  }
}

/** A heap of pairs by falling count, ties by rising ids; counts that have changed since are noticed when they come up. */
class PairHeap {
  private readonly items: { pair: number; count: number }[] = [];

  push(pair: number, count: number): void {
    const { items } = this;
    items.push({ pair, count });
    for (let i = items.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.before(i, parent)) break;
      [items[i], items[parent]] = [items[parent]!, items[i]!];
      i = parent;
    }
  }

  pop(): { pair: number; count: number } | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (items.length > 0 && last) {
      items[0] = last;
      for (let i = 0; ; ) {
        let best = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < items.length && this.before(child, best)) best = child;
        if (best === i) break;
        [items[i], items[best]] = [items[best]!, items[i]!];
        i = best;
      }
    }
    return top;
  }

  private before(i: number, j: number): boolean {
    const [a, b] = [this.items[i]!, this.items[j]!];
    return a.count > b.count || (a.count === b.count && a.pair < b.pair);
  }
}

/**
 * Text to ids of pieces of words, learnt by joining the most frequent pair of neighbours again and again (byte-pair encoding, Sennrich et al.
 * 2016), from bytes (Radford et al. 2019): no text is unknown, and `decode(encode(text))` is the text. Saves as a `tokenizer.json`
 * that Hugging Face's tokenizers read, with equal ids.
 */
export class BytePairTokenizer {
  /** The tokens by id, as `tokenizer.json` writes them: bytes as printable characters. */
  readonly tokens: readonly string[];
  private readonly ids: ReadonlyMap<string, number>;
  private readonly merges: readonly (readonly [number, number])[];
  private readonly ranks: ReadonlyMap<number, number>;
  private readonly joined: readonly number[];
  private readonly specials: ReadonlyMap<string, number>;
  private readonly specialPattern: RegExp | null;
  private readonly normalize: 'NFC' | 'NFKC' | null;
  private readonly known = new Map<string, readonly number[]>();

  private constructor(
    tokens: readonly string[],
    merges: readonly (readonly [number, number])[],
    specialTokens: readonly string[],
    normalize: 'NFC' | 'NFKC' | null,
  ) {
    this.tokens = tokens;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.merges = merges;
    this.ranks = new Map(merges.map(([a, b], rank) => [pairOf(a, b), rank]));
    this.joined = merges.map(([a, b]) => this.ids.get(tokens[a]! + tokens[b]!)!);
    this.specials = new Map(specialTokens.map((token) => [token, this.ids.get(token)!]));
    this.specialPattern =
      specialTokens.length === 0
        ? null
        : new RegExp(
            `(${[...specialTokens]
              .sort((a, b) => b.length - a.length)
              .map((t) => t.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
              .join('|')})`,
          );
    this.normalize = normalize;
  }

  /**
   * Learns a vocabulary from texts. Throws `ValueError` where `vocabularySize` has no room for bytes and special tokens, for one string instead
   * of a list, and for an item that is no string, by its index.
   */
  static train(texts: ListOf<string>, options: BytePairOptions): BytePairTokenizer {
    checkRules('BytePairTokenizer.train', options, TRAIN_RULES);
    const { vocabularySize, minFrequency = 2, normalize = null } = options;
    const specialTokens = stringsOf('BytePairTokenizer.train', 'specialTokens', options.specialTokens ?? []);
    if (!(Number.isInteger(vocabularySize) && vocabularySize >= 256 + specialTokens.length))
      throw new ValueError(
        `BytePairTokenizer.train: expected vocabularySize to be an integer >= ${256 + specialTokens.length} (256 bytes and ${specialTokens.length} special tokens), received ${vocabularySize}`,
      );
    if (
      new Set(specialTokens).size !== specialTokens.length ||
      specialTokens.some((t) => t === '' || CHARACTER_BYTES.has(t))
    )
      throw new ValueError(
        `BytePairTokenizer.train: expected special tokens that differ from each other and from single characters, received ${JSON.stringify(specialTokens)}`,
      );
    const frequencies = new Map<string, number>();
    for (const text of textsOf('BytePairTokenizer.train', texts))
      for (const [piece] of (normalize ? text.normalize(normalize) : text).matchAll(PIECES))
        frequencies.set(piece, (frequencies.get(piece) ?? 0) + 1);

    // Printable characters in the order of their code points have the first ids, as Hugging Face's trainer gives them.
    const alphabet = [...BYTE_CHARACTERS].sort();
    const tokens = [...specialTokens, ...alphabet];
    const byteIds = BYTE_CHARACTERS.map((c) => specialTokens.length + alphabet.indexOf(c));
    const ids = new Map(tokens.map((token, id) => [token, id]));
    const words: number[][] = [];
    const counts: number[] = [];
    for (const [piece, count] of frequencies) {
      words.push(Array.from(encoder.encode(piece), (b) => byteIds[b]!));
      counts.push(count);
    }
    const pairCounts = new Map<number, number>();
    const places = new Map<number, Set<number>>();
    const note = (pair: number, by: number, word: number): void => {
      pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + by);
      if (by < 0) return;
      const known = places.get(pair);
      if (known) known.add(word);
      else places.set(pair, new Set([word]));
    };
    words.forEach((word, w) => {
      for (let i = 0; i + 1 < word.length; i++) note(pairOf(word[i]!, word[i + 1]!), counts[w]!, w);
    });
    const specials = new Set(specialTokens);
    const heap = new PairHeap();
    for (const [pair, count] of pairCounts) heap.push(pair, count);
    const merges: [number, number][] = [];
    while (tokens.length < vocabularySize) {
      const top = heap.pop();
      if (!top) break;
      const count = pairCounts.get(top.pair) ?? 0;
      if (count !== top.count) {
        if (count >= minFrequency) heap.push(top.pair, count);
        continue;
      }
      if (count < minFrequency) break;
      const [left, right] = [leftOf(top.pair), rightOf(top.pair)];
      const text = tokens[left]! + tokens[right]!;
      if (specials.has(text)) {
        // What stands for itself in a text cannot be what bytes are joined to: ` the` is no special token `Ġthe`.
        pairCounts.delete(top.pair);
        continue;
      }
      let id = ids.get(text);
      if (id === undefined) {
        id = tokens.length;
        tokens.push(text);
        ids.set(text, id);
      }
      merges.push([left, right]);
      const changed = new Set<number>();
      for (const w of places.get(top.pair) ?? []) {
        const word = words[w]!;
        const n = counts[w]!;
        // What is joined moves forward in place: one way through the word.
        let to = 0;
        for (let i = 0; i < word.length; ) {
          if (word[i] !== left || word[i + 1] !== right) {
            word[to++] = word[i++]!;
            continue;
          }
          if (to > 0) {
            const before = word[to - 1]!;
            note(pairOf(before, left), -n, w);
            note(pairOf(before, id), n, w);
            changed.add(pairOf(before, id));
          }
          if (i + 2 < word.length) {
            const after = word[i + 2]!;
            note(pairOf(right, after), -n, w);
            note(pairOf(id, after), n, w);
            changed.add(pairOf(id, after));
          }
          word[to++] = id;
          i += 2;
        }
        word.length = to;
      }
      pairCounts.delete(top.pair);
      places.delete(top.pair);
      for (const pair of changed) heap.push(pair, pairCounts.get(pair) ?? 0);
    }
    return new BytePairTokenizer(tokens, merges, specialTokens, normalize);
  }

  /** Number of tokens. */
  get vocabularySize(): number {
    return this.tokens.length;
  }

  /** The id of a token (a special one, or as `tokenizer.json` writes it); `undefined` for none. */
  tokenId(token: string): number | undefined {
    return this.ids.get(token);
  }

  /** The ids of a text. Special tokens in it become their ids. */
  encode(text: string): number[] {
    checkOneText('BytePairTokenizer.encode', text);
    const ids: number[] = [];
    for (const part of this.specialPattern ? text.split(this.specialPattern) : [text]) {
      const special = this.specials.get(part);
      if (special !== undefined) ids.push(special);
      else
        for (const [piece] of (this.normalize ? part.normalize(this.normalize) : part).matchAll(PIECES))
          for (const id of this.piece(piece)) ids.push(id);
    }
    return ids;
  }

  private piece(piece: string): readonly number[] {
    const known = this.known.get(piece);
    if (known) return known;
    const bytes = Array.from(encoder.encode(piece), (b) => this.ids.get(BYTE_CHARACTERS[b]!)!);
    const word = bytes.length <= SHORT ? this.joinShort(bytes) : this.joinLong(bytes);
    // Most text consists of few different pieces; the others shall not fill the memory.
    if (this.known.size > 100_000) this.known.clear();
    if (bytes.length <= REMEMBERED) this.known.set(piece, word);
    return word;
  }

  /** Joins the pair of the lowest rank, the first of several, until none is left; looks at all pairs each time. */
  private joinShort(word: number[]): number[] {
    for (;;) {
      let best = Infinity;
      let at = 0;
      for (let i = 0; i + 1 < word.length; i++) {
        const rank = this.ranks.get(pairOf(word[i]!, word[i + 1]!));
        if (rank !== undefined && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (best === Infinity) return word;
      word.splice(at, 2, this.joined[best]!);
    }
  }

  /** The same by a heap of pairs and links between neighbours, in n log n. */
  private joinLong(word: number[]): number[] {
    const n = word.length;
    const previous = Int32Array.from(word, (_, i) => i - 1);
    const next = Int32Array.from(word, (_, i) => i + 1);
    const heap = new NumberHeap();
    const rankAt = (i: number): number | undefined =>
      next[i]! < n ? this.ranks.get(pairOf(word[i]!, word[next[i]!]!)) : undefined;
    const offer = (i: number): void => {
      const rank = rankAt(i);
      if (rank !== undefined) heap.push(rank * PLACES + i);
    };
    for (let i = 0; i < n; i++) offer(i);
    for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
      const rank = Math.floor(key / PLACES);
      const i = key % PLACES;
      // Neighbours may have been joined since: then this is another pair, or none.
      if (word[i] === GONE || rankAt(i) !== rank) continue;
      const right = next[i]!;
      word[i] = this.joined[rank]!;
      word[right] = GONE;
      next[i] = next[right]!;
      if (next[i]! < n) previous[next[i]!] = i;
      offer(i);
      if (previous[i]! >= 0) offer(previous[i]!);
    }
    return word.filter((id) => id !== GONE);
  }

  /** The text of ids. Throws `ValueError` for one that is none. */
  decode(ids: Iterable<number>, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    checkRules('BytePairTokenizer.decode', options, { skipSpecialTokens: rules.flag });
    const { skipSpecialTokens = false } = options;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let text = '';
    let bytes: number[] = [];
    const flush = (): void => {
      text += decoder.decode(Uint8Array.from(bytes));
      bytes = [];
    };
    for (const id of listOf('BytePairTokenizer.decode', 'ids', ids)) {
      const token = this.tokens[id];
      if (token === undefined)
        throw new ValueError(`BytePairTokenizer.decode: expected ids in 0..${this.tokens.length - 1}, received ${id}`);
      if (this.specials.has(token)) {
        flush();
        if (!skipSpecialTokens) text += token;
      } else for (const c of token) bytes.push(CHARACTER_BYTES.get(c)!);
    }
    flush();
    return text;
  }

  /** A `tokenizer.json`, as Hugging Face's tokenizers read it. */
  toJson(): string {
    const vocab = Object.fromEntries(this.tokens.map((token, id) => [token, id]));
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    return JSON.stringify({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [...this.specials].map(([content, id]) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: this.normalize === null ? null : { type: this.normalize },
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: this.merges.map(([a, b]) => [this.tokens[a]!, this.tokens[b]!]),
      },
    });
  }

  /**
   * The tokenizer of {@link BytePairTokenizer.toJson}. Throws `FormatError` for other JSON; `HuggingFaceTokenizer` reads other kinds of
   * `tokenizer.json`.
   */
  static fromJson(json: string): BytePairTokenizer {
    const expected = 'BytePairTokenizer.fromJson: expected the tokenizer.json of a byte-level BPE';
    let parsed: {
      readonly added_tokens?: unknown;
      readonly normalizer?: { readonly type?: unknown } | null;
      readonly pre_tokenizer?: {
        readonly type?: unknown;
        readonly add_prefix_space?: unknown;
        readonly use_regex?: unknown;
      };
      readonly model?: { readonly type?: unknown; readonly vocab?: unknown; readonly merges?: unknown };
    };
    try {
      parsed = JSON.parse(json);
    } catch (error) {
      throw new FormatError(`${expected}, received text that does not parse (${(error as Error).message})`);
    }
    const { model, normalizer = null, pre_tokenizer: cut } = isObject(parsed) ? parsed : {};
    const added: unknown = (isObject(parsed) ? parsed.added_tokens : undefined) ?? [];
    const form = normalizer?.type ?? null;
    const shown = (type: unknown): string | undefined => (typeof type === 'string' ? type : JSON.stringify(type));
    if (
      model?.type !== 'BPE' ||
      cut?.type !== 'ByteLevel' ||
      cut.add_prefix_space === true ||
      cut.use_regex === false ||
      (normalizer !== null && form !== 'NFC' && form !== 'NFKC')
    )
      throw new FormatError(
        `${expected}, received ${shown(model?.type) ?? 'no model'} cut by ${shown(cut?.type) ?? 'nothing'}${normalizer === null ? '' : `, normalizer ${JSON.stringify(normalizer)}`}`,
      );
    const refuse = (what: string, received: unknown): FormatError =>
      new FormatError(`${expected}, with ${what}, received ${JSON.stringify(received)}`);
    if (!isObject(model.vocab)) throw refuse('a vocab of ids by tokens', model.vocab);
    if (!Array.isArray(added)) throw refuse('a list of added_tokens', added);
    if (!Array.isArray(model.merges)) throw refuse('a list of merges', model.merges);
    const ids = new Map<string, number>();
    const tokens: string[] = [];
    /** Takes a token; each has an id of its own. */
    const take = (token: unknown, id: unknown, most: number): void => {
      if (
        typeof token !== 'string' ||
        token === '' ||
        !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < most)
      )
        throw refuse(`tokens that are texts, with the ids from 0 on, each once (${most} at most)`, {
          [String(token)]: id,
        });
      const [known, other] = [ids.get(token), tokens[id as number]];
      if ((known !== undefined && known !== id) || (other !== undefined && other !== token))
        throw refuse('one id for each token', { [token]: id });
      ids.set(token, id as number);
      tokens[id as number] = token;
    };
    const entries = Object.entries(model.vocab);
    const most = Math.min(entries.length + added.length, 2 ** 26);
    for (const [token, id] of entries) take(token, id, most);
    const specials = new Set<string>();
    for (const token of added as readonly unknown[]) {
      if (!isObject(token)) throw refuse('added_tokens of a content and an id', token);
      take(token['content'], token['id'], most);
      specials.add(token['content'] as string);
    }
    for (let id = 0; id < tokens.length; id++)
      if (tokens[id] === undefined) throw refuse('the ids from 0 on, each once', `none of id ${id}`);
    for (const c of BYTE_CHARACTERS)
      if (!ids.has(c) || specials.has(c)) throw refuse(`a token ${JSON.stringify(c)} for its byte`, ids.get(c) ?? null);
    for (const token of tokens)
      if (!specials.has(token) && ![...token].every((c) => CHARACTER_BYTES.has(c)))
        throw refuse('tokens of the characters that stand for bytes', token);
    const merges = (model.merges as readonly unknown[]).map((merge) => {
      const parts: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
      const [a, b] = Array.isArray(parts) && parts.length === 2 ? (parts as unknown[]) : [];
      const [left, right] = [ids.get(a as string), ids.get(b as string)];
      const joined = left === undefined || right === undefined ? '' : tokens[left]! + tokens[right]!;
      if (left === undefined || right === undefined || !ids.has(joined))
        throw refuse('merges of two tokens of the vocab to a third', merge);
      if (specials.has(joined) && textOf(joined) !== joined)
        throw refuse('merges to tokens that are not among the added_tokens, which stand for themselves', merge);
      return [left, right] as const;
    });
    return new BytePairTokenizer(tokens, merges, [...specials], form as 'NFC' | 'NFKC' | null);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
