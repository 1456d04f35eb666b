import type { Tokenizer as Model } from '@huggingface/tokenizers';
import { FormatError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkRules, checkValue, rules } from '@recurra/tensor/extend';
import * as v from 'valibot';
import { checkPattern } from '../internal/patterns.js';
import { checkOneText, type ListOf, listOf, textsOf } from '../internal/texts.js';
import { counts, index, validated } from '../internal/validated.js';

/** Options of {@link HuggingFaceTokenizer.callBatch}. */
export interface EncodeBatchOptions {
  /** Longest text in ids; longer ones are cut. `null` (default): the model's own limit, where its configuration has one. */
  readonly maxLength?: number | null;
  /** 'longest' (default): to the longest of the batch; 'maxLength' */
  readonly padding?: 'longest' | 'maxLength';
  /** Where padding goes; as the configuration says, 'right' else. */
  readonly paddingSide?: 'left' | 'right';
  /** Begin and end tokens and the like; true. */
  readonly addSpecialTokens?: boolean;
}

/** A batch of texts for a model. */
export interface EncodedBatch {
  /** int32 [texts, length] */
  readonly inputIds: Tensor;
  /** int32 [texts, length]: 1 for tokens, 0 for padding */
  readonly attentionMask: Tensor;
}

interface Configuration {
  readonly pad_token?: string | { content: string } | null;
  readonly padding_side?: 'left' | 'right';
  readonly model_max_length?: number;
  readonly clean_up_tokenization_spaces?: boolean | null;
}

const part = v.nullish(v.looseObject({ type: v.string() }));
/** What every `tokenizer.json` has. */
const SCHEMA = v.looseObject({
  model: v.looseObject({
    type: v.optional(v.picklist(['BPE', 'WordPiece', 'WordLevel', 'Unigram'])),
    vocab: v.union([counts, v.array(v.tuple([v.string(), v.number()]))]),
    merges: v.optional(v.array(v.union([v.string(), v.strictTuple([v.string(), v.string()])]))),
    unk_token: v.nullish(v.string()),
    unk_id: v.nullish(index),
  }),
  added_tokens: v.optional(v.array(v.looseObject({ id: index, content: v.pipe(v.string(), v.minLength(1)) }))),
  padding: v.nullish(v.looseObject({ pad_id: v.optional(index) })),
  normalizer: part,
  pre_tokenizer: part,
  post_processor: part,
  decoder: part,
});
const CONFIGURATION = v.looseObject({
  pad_token: v.nullish(v.union([v.string(), v.looseObject({ content: v.string() })])),
  padding_side: v.optional(v.picklist(['left', 'right'])),
  model_max_length: v.nullish(v.pipe(v.number(), v.minValue(1))),
  clean_up_tokenization_spaces: v.nullish(v.boolean()),
});
/** Parts within parts. */
const DEEPEST = 32;

/** Patterns anywhere in a part take linear time, and pieces of a fixed length have one. */
function checkParts(value: unknown, trusted: boolean, depth: number): void {
  const label = 'HuggingFaceTokenizer.fromJson';
  if (depth > DEEPEST) throw new FormatError(`${label}: expected parts at most ${DEEPEST} deep, received deeper ones`);
  if (typeof value !== 'object' || value === null) return;
  const { type, length } = value as { type?: unknown; length?: unknown };
  if (type === 'FixedLength' && !(Number.isInteger(length) && (length as number) >= 1))
    throw new FormatError(`${label}: expected a length >= 1, received ${String(length)}`);
  for (const [key, inner] of Object.entries(value)) {
    if (key !== 'Regex') checkParts(inner, trusted, depth + 1);
    else if (typeof inner !== 'string') throw new FormatError(`${label}: expected a pattern, received ${typeof inner}`);
    else if (!trusted) checkPattern(label, inner);
  }
}

const isText = (v: string): boolean => typeof v === 'string';
const isIds = (v: number[]): boolean => Array.isArray(v) && v.every((id) => Number.isInteger(id) && id >= 0);

/** What the model gives. Throws `FormatError` where the parts of its file do not fit each other, which shows in use alone. */
function attempt<T>(method: string, call: () => T, fits: (value: T) => boolean): T {
  const expected = `HuggingFaceTokenizer.${method}: expected a tokenizer.json whose parts fit each other, received one that`;
  let value: T;
  try {
    value = call();
  } catch (error) {
    throw new FormatError(`${expected} fails here (${(error as Error).message})`);
  }
  if (!fits(value)) throw new FormatError(`${expected} gives ${JSON.stringify(value)?.slice(0, 80)}`);
  return value;
}

/**
 * A tokenizer of the Hugging Face Hub, from its `tokenizer.json` (and `tokenizer_config.json`), by the package `@huggingface/tokenizers`; its
 * batches are tensors.
 */
export class HuggingFaceTokenizer {
  private readonly model: Model;
  private readonly config: Configuration;
  private readonly padId: number | null;

  private constructor(model: Model, config: Configuration, padId: number | null) {
    this.model = model;
    this.config = config;
    this.padId = padId;
  }

  /**
   * @param json contents of `tokenizer.json`, as text or parsed; @param config those of `tokenizer_config.json`. Throws `FormatError` for
   * other JSON, and for regular expressions that could take more than linear time, unless `trustPatterns` says that the file is trusted.
   */
  static async fromJson(
    json: string | object,
    config: string | object = {},
    options: { readonly trustPatterns?: boolean } = {},
  ): Promise<HuggingFaceTokenizer> {
    checkRules('HuggingFaceTokenizer.fromJson', options, { trustPatterns: rules.flag });
    const label = 'HuggingFaceTokenizer.fromJson: expected';
    const data = validated(`${label} tokenizer.json with a model and its vocab`, SCHEMA, json);
    const settings = validated(`${label} tokenizer_config.json`, CONFIGURATION, config) as Configuration;
    const parts = [data.normalizer, data.pre_tokenizer, data.post_processor, data.decoder];
    for (const part of parts) checkParts(part, options.trustPatterns === true, 0);
    const { Tokenizer } = await import('@huggingface/tokenizers');
    let model: Model;
    try {
      model = new Tokenizer(data, settings);
    } catch (error) {
      throw new FormatError(
        `${label} a tokenizer.json that can be read, received another (${(error as Error).message})`,
      );
    }
    const { pad_token: pad = null } = settings;
    const token = typeof pad === 'string' ? pad : (pad?.content ?? null);
    const named = token ?? ['<pad>', '[PAD]'].find((t) => model.token_to_id(t) !== undefined) ?? null;
    const padId = data.padding?.pad_id ?? (named === null ? null : (model.token_to_id(named) ?? null));
    return new HuggingFaceTokenizer(model, settings, padId);
  }

  /** Number of tokens, added ones included. */
  get vocabularySize(): number {
    let size = 0;
    for (const id of this.model.get_vocab(true).values()) size = Math.max(size, id + 1);
    return size;
  }

  /** The ids of a text. */
  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): number[] {
    checkOneText('HuggingFaceTokenizer.encode', text);
    checkRules('HuggingFaceTokenizer.encode', options, { addSpecialTokens: rules.flag });
    const { addSpecialTokens = true } = options;
    return attempt('encode', () => this.model.encode(text, { add_special_tokens: addSpecialTokens }).ids, isIds);
  }

  /** The text of ids. */
  decode(ids: Iterable<number>, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    checkRules('HuggingFaceTokenizer.decode', options, { skipSpecialTokens: rules.flag });
    const list = [...listOf('HuggingFaceTokenizer.decode', 'ids', ids)];
    for (const id of list) checkValue('HuggingFaceTokenizer.decode', 'ids', id, rules.countOrZero);
    return list.length === 0
      ? ''
      : attempt(
          'decode',
          () =>
            this.model.decode(list, {
              skip_special_tokens: options.skipSpecialTokens ?? false,
              // Taking the space before a full stop away loses text: only where the file asks for it, as in transformers 5.
              clean_up_tokenization_spaces: this.config.clean_up_tokenization_spaces ?? false,
            }),
          isText,
        );
  }

  /** Ids of texts, cut and padded, and the mask of what counts. Throws `ValueError` where padding is needed and no token is known for it. */
  callBatch(texts: ListOf<string>, options: EncodeBatchOptions = {}): EncodedBatch {
    const { addSpecialTokens = true, padding = 'longest' } = options;
    const side = options.paddingSide ?? this.config.padding_side ?? 'right';
    const own = this.config.model_max_length;
    const limit = options.maxLength ?? (own !== undefined && own < 1e9 ? own : null);
    if (padding === 'maxLength' && limit === null)
      throw new ValueError("HuggingFaceTokenizer: expected maxLength with padding: 'maxLength', received none");
    const bare = this.encode('', { addSpecialTokens }).length;
    const rows = Array.from(textsOf('HuggingFaceTokenizer.callBatch', texts), (text) => {
      const ids = this.encode(text, { addSpecialTokens });
      if (limit === null || ids.length <= limit) return ids;
      if (bare === 0) return ids.slice(0, limit);
      // Begin and end tokens stay: what lies between them is cut.
      const plain = this.encode(text, { addSpecialTokens: false });
      const empty = this.encode('', { addSpecialTokens });
      const first = ids.findIndex((id, i) => id !== empty[i]);
      return [...ids.slice(0, first), ...plain.slice(0, Math.max(0, limit - bare)), ...empty.slice(first)].slice(
        0,
        limit,
      );
    });
    const length = padding === 'maxLength' ? limit! : rows.reduce((n, ids) => Math.max(n, ids.length), 0);
    const ids = new Int32Array(rows.length * length);
    const mask = new Int32Array(rows.length * length);
    rows.forEach((row, r) => {
      const gap = length - row.length;
      if (gap > 0 && this.padId === null)
        throw new ValueError(
          'HuggingFaceTokenizer: expected a tokenizer with a padding token, for texts of different lengths, received one without. Name it as pad_token in the configuration.',
        );
      const start = r * length + (side === 'left' ? gap : 0);
      ids.fill(this.padId ?? 0, r * length, (r + 1) * length);
      ids.set(row, start);
      mask.fill(1, start, start + row.length);
    });
    const shape = [rows.length, length];
    return { inputIds: tensor(ids, { shape, dtype: 'int32' }), attentionMask: tensor(mask, { shape, dtype: 'int32' }) };
  }
}
