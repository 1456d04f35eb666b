import { isDeepStrictEqual } from 'node:util';
import {
  type BadRow,
  type BadRowOptions,
  BytePairTokenizer,
  type CsvOptions,
  csvDataset,
  type DataSource,
  type Dataset,
  HuggingFaceTokenizer,
  type JsonlOptions,
  jsonlDataset,
  RowReport,
  readText,
  Tokenizer,
  textLineDataset,
} from '@recurra/preprocessing';
import fc from 'fast-check';
import { NAMES, operate, surgery } from './json-surgery.js';

/** What a reader makes of a file. */
export interface Outcome {
  /** What it gives, before an error too. */
  readonly rows: readonly unknown[];
  /** What it says about rows that it leaves out; `null` for formats without such. */
  readonly report: RowReport | null;
  readonly error: unknown;
}

/** How rows that cannot be used are treated. */
export type OnBadRow = NonNullable<BadRowOptions['onBadRow']>;

/** A kind of file that is damaged and read. Another one is a line in {@link DATA_FORMATS}. */
export interface DataFormat<O = unknown> {
  readonly name: string;
  /** Files as they should be, before they are damaged byte by byte. */
  readonly files: fc.Arbitrary<Uint8Array>;
  /** Texts that mean something in such files: damage puts them where they do not belong. */
  readonly tokens: readonly string[];
  /** Options of the reader. */
  readonly options: fc.Arbitrary<O>;
  /** Reads all of a file that is called {@link FILE}. What the reader throws is the outcome's `error`. */
  read(source: DataSource, options: O, onBadRow: OnBadRow): Promise<Outcome>;
  /** Throws where an outcome (with `onBadRow: 'collect'`) cannot be right. */
  holds?(bytes: Uint8Array, options: O, outcome: Outcome): void | Promise<void>;
}

/** What files are called. */
export const FILE = 'the-file';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Bytes as characters of the same number: line ends are the same as in UTF-8. */
const charactersOf = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

const LINE_ENDS = ['\n', '\r\n', '\r'];
/** As bytes: a byte order mark, broken UTF-8 is put in by damage. */
const TOKENS = [...LINE_ENDS, '\n\n', ' ', '\u0000', '\ufeff', '\u2028', '好', '😀', ...NAMES];

function expectThat(condition: boolean, message: string, ...values: unknown[]): void {
  if (!condition) throw new Error(`${message}: ${values.map((v) => JSON.stringify(v)).join(', ')}`);
}

/** All that a data set of rows gives. */
async function readRows<T>(
  onBadRow: OnBadRow,
  open: (options: { onBadRow: OnBadRow; report: RowReport; name: string }) => Dataset<T>,
): Promise<Outcome> {
  const report = new RowReport();
  const rows: T[] = [];
  try {
    for await (const row of open({ onBadRow, report, name: FILE })) rows.push(row);
  } catch (error) {
    return { rows, report, error };
  }
  return { rows, report, error: null };
}

/** Lines of a file, as anyone counts them. */
function linesOf(bytes: Uint8Array): string[] {
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const lines = charactersOf(mark ? bytes.subarray(3) : bytes).split(/\r\n|\n|\r/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Bad rows lie behind each other, and share no line with a good row, whose number is `lineOf`. */
function placesHold(rows: readonly BadRow[], good: readonly number[], lines: number): void {
  let last = 0;
  for (const row of rows) {
    expectThat(row.line > last && row.lines >= 1, 'expected bad rows behind each other', row, last);
    last = row.line + row.lines - 1;
  }
  expectThat(last <= lines, `expected bad rows within ${lines} lines`, rows.at(-1));
  const taken = new Set(good);
  expectThat(taken.size === good.length, 'expected one good row a line', good);
  for (const { line, lines: n } of rows)
    for (let k = line; k < line + n; k++) expectThat(!taken.has(k), 'expected a line to be of one row', k);
}

const LINE = '#line';

const csv: DataFormat<CsvOptions> = {
  name: 'csv',
  files: fc
    .tuple(
      fc.array(
        fc.array(fc.constantFrom('', 'a', '1', '"x, y"', '"two\nlines"', '"a ""b"""', '你好', 'é', ' s ', '""', '#'), {
          minLength: 2,
          maxLength: 3,
        }),
        { maxLength: 12 },
      ),
      fc.constantFrom(...LINE_ENDS),
      fc.constantFrom(['left', 'right'], NAMES.slice(0, 2)),
    )
    .map(([rows, end, header]) => bytesOf([header, ...rows].map((row) => row.join(',')).join(end))),
  tokens: [...TOKENS, '"', '"', '""', '"\n', '\n"', ',', ';', '#', '","', '\n"a,1\n'],
  options: fc.record({
    maxRowBytes: fc.constantFrom(1 << 20, 20, 5, Infinity),
    maxFieldBytes: fc.constantFrom(1 << 20, 7),
    trim: fc.boolean(),
    quote: fc.constantFrom('"', null),
    comment: fc.constantFrom(null, '#'),
    columns: fc.constantFrom(null, ['left', 'right']),
    numeric: fc.constantFrom<NonNullable<CsvOptions['numeric']>>([], 'all'),
    lineColumn: fc.constant(LINE),
  }),
  read: (source, options, onBadRow) => readRows(onBadRow, (common) => csvDataset(source, { ...options, ...common })),
  holds: (bytes, _options, { rows, report }) => {
    const good = rows.map((row) => (row as { [LINE]: number })[LINE]);
    good.forEach((line, i) => {
      expectThat(i === 0 || line > good[i - 1]!, 'expected rows in the order of their lines', good);
    });
    placesHold(report!.rows, good, linesOf(bytes).length);
  },
};

const lines: DataFormat<{ skipEmpty: boolean; maxLineBytes: number }> = {
  name: 'lines',
  files: fc
    .tuple(
      fc.array(fc.constantFrom('', 'a', 'one line', '你好', ' '), { maxLength: 12 }),
      fc.constantFrom(...LINE_ENDS),
    )
    .map(([texts, end]) => bytesOf(texts.join(end))),
  tokens: TOKENS,
  options: fc.record({ skipEmpty: fc.boolean(), maxLineBytes: fc.constantFrom(1 << 24, 6, Infinity) }),
  read: (source, options, onBadRow) =>
    readRows(onBadRow, (common) => textLineDataset(source, { ...options, ...common })),
  holds: (bytes, { skipEmpty, maxLineBytes }, { rows, report }) => {
    const all = linesOf(bytes);
    const long = all.filter((line) => line.length > maxLineBytes).length;
    expectThat((report!.reasons.length ?? 0) === long, `expected ${long} long lines`, report);
    if (!skipEmpty) expectThat(rows.length + report!.bad === all.length, `expected ${all.length} lines`, report);
    placesHold(report!.rows, [], all.length);
  },
};

const jsonl: DataFormat<JsonlOptions> = {
  name: 'jsonl',
  files: fc
    .tuple(
      fc.array(
        fc.oneof(
          fc.dictionary(fc.constantFrom('a', 'text', ...NAMES), fc.jsonValue({ maxDepth: 2 }), {
            noNullPrototype: true,
          }),
          fc.jsonValue({ maxDepth: 1 }),
        ),
        { maxLength: 8 },
      ),
      fc.constantFrom(...LINE_ENDS),
    )
    .map(([values, end]) => bytesOf(values.map((value) => JSON.stringify(value)).join(end))),
  tokens: [
    ...TOKENS,
    '"',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '\\',
    '\\u',
    '{}',
    '{"a":1}',
    '{"__proto__":{"text":1}}',
    '1e999',
  ],
  options: fc.record({
    required: fc.constantFrom<readonly string[]>([], ['text'], ['constructor'], ['__proto__']),
    maxLineBytes: fc.constantFrom(1 << 24, 12, Infinity),
    lineColumn: fc.constant(LINE),
  }),
  read: (source, options, onBadRow) => readRows(onBadRow, (common) => jsonlDataset(source, { ...options, ...common })),
  holds: (bytes, { required, maxLineBytes }, { rows, report }) => {
    const all = linesOf(bytes);
    for (const row of rows) {
      const line = (row as { [LINE]: number })[LINE];
      for (const field of required ?? [])
        expectThat(Object.hasOwn(row as object, field), `expected a field "${field}" of its own`, row);
      const text = all[line - 1] ?? '';
      expectThat(text.length <= maxLineBytes!, `expected lines of ${maxLineBytes} bytes`, text);
      const value = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))) as object;
      // As entries: `__proto__` among the keys is one as well.
      const own = Object.entries(row as object).filter(([key]) => key !== LINE);
      const expected = Object.entries(value).filter(([key]) => key !== LINE);
      expectThat(isDeepStrictEqual(own, expected), `expected the value of line ${line}`, row, value);
    }
    placesHold(
      report!.rows,
      rows.map((row) => (row as { [LINE]: number })[LINE]),
      all.length,
    );
  },
};

const TEXTS = ['the cat sat', 'the dog: 12 3', 'on "the" mat, the end', NAMES.join(' '), '你好 😀 the', ''];
/** What every tokenizer is tried on. */
const PROBES = [...TEXTS, 'unseen words \u0000\n', NAMES.join('')];

/** A reader of JSON as a whole: what it reads must work, and be the same when it is written and read again. */
function jsonFormat<T extends { toJson(): string }>(
  name: string,
  files: fc.Arbitrary<string>,
  fromJson: (json: string) => T,
  holds: (value: T) => void,
): DataFormat<null> {
  return {
    name,
    files: fc
      .tuple(files, fc.array(surgery, { maxLength: 3 }))
      .map(([json, cuts]) => bytesOf(cuts.reduce(operate, json))),
    tokens: [...TOKENS, '"', '{', '}', '[', ']', ':', ',', '\\', '\\"', '0', '-1', 'null', '{}'],
    options: fc.constant(null),
    read: async (source) => {
      try {
        return { rows: [fromJson(await readText(source, { name: FILE })).toJson()], report: null, error: null };
      } catch (error) {
        return { rows: [], report: null, error };
      }
    },
    holds: (_bytes, _options, { rows }) => {
      for (const json of rows) {
        const value = fromJson(json as string);
        expectThat(value.toJson() === json, 'expected the same JSON when it is read and written again', json);
        holds(value);
      }
    },
  };
}

const wordTokenizer = jsonFormat(
  'tokenizer',
  fc
    .record({
      numWords: fc.constantFrom(null, 3, 100),
      oovToken: fc.constantFrom(null, '<unk>', 'the', '__proto__'),
      charLevel: fc.boolean(),
      filters: fc.constantFrom('', '!"'),
    })
    .map((options) => {
      const tokenizer = new Tokenizer(options);
      tokenizer.fitOnTexts(TEXTS);
      return tokenizer.toJson();
    }),
  (json) => Tokenizer.fromJson(json),
  (tokenizer) => {
    const { vocabularySize } = tokenizer;
    const sequences = tokenizer.textsToSequences(PROBES);
    for (const id of sequences.flat())
      expectThat(
        Number.isInteger(id) && id >= 1 && id < vocabularySize,
        `expected ids in 1..${vocabularySize - 1}`,
        id,
      );
    for (const text of tokenizer.sequencesToTexts(sequences))
      expectThat(!/\b(undefined|NaN)\b/.test(text), 'expected words', text);
    tokenizer.fitOnTexts(PROBES);
    tokenizer.textsToSequences(PROBES);
  },
);

const bytePairs = jsonFormat(
  'byte pairs',
  fc
    .record({
      vocabularySize: fc.constantFrom(262, 270, 290),
      specialTokens: fc.constantFrom<readonly string[]>([], ['<pad>', '__proto__'], ['12', '3!'], ['Ġthe', 'the']),
      normalize: fc.constantFrom(null, null, 'NFC' as const),
    })
    .map((options) => BytePairTokenizer.train(TEXTS, options).toJson()),
  (json) => BytePairTokenizer.fromJson(json),
  (tokenizer) => {
    for (const text of PROBES) {
      const ids = tokenizer.encode(text);
      for (const id of ids)
        expectThat(Number.isInteger(id) && id >= 0 && id < tokenizer.vocabularySize, 'expected ids of tokens', id);
      expectThat(tokenizer.decode(ids) === text, 'expected the text back', text, tokenizer.decode(ids));
    }
  },
);

/** A `tokenizer.json` with the parts that models of the BERT family have. */
const WORD_PIECES = {
  version: '1.0',
  added_tokens: ['[CLS]', '[SEP]', '[PAD]', '[UNK]'].map((content, id) => ({
    id,
    content,
    special: true,
    normalized: false,
    lstrip: false,
    rstrip: false,
    single_word: false,
  })),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [0], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [1], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: { '[CLS]': 0, '[SEP]': 1, '[PAD]': 2, '[UNK]': 3, the: 4, cat: 5, '##s': 6, sat: 7, constructor: 8 },
  },
};

const huggingFace: DataFormat<null> = {
  name: "Hugging Face's tokenizers",
  files: fc
    .tuple(
      fc.constantFrom(
        JSON.stringify(WORD_PIECES),
        BytePairTokenizer.train(TEXTS, { vocabularySize: 270, specialTokens: ['<pad>'] }).toJson(),
      ),
      fc.array(surgery, { maxLength: 3 }),
    )
    .map(([json, cuts]) => bytesOf(cuts.reduce(operate, json))),
  tokens: [...TOKENS, '"', '{', '}', '[', ']', ':', ',', '\\', '0', '-1', 'null', '{}'],
  options: fc.constant(null),
  read: async (source) => {
    const rows: unknown[] = [];
    try {
      const tokenizer = await HuggingFaceTokenizer.fromJson(await readText(source, { name: FILE }));
      for (const text of PROBES) {
        const ids = tokenizer.encode(text);
        rows.push([ids, tokenizer.decode(ids)]);
      }
    } catch (error) {
      return { rows, report: null, error };
    }
    return { rows, report: null, error: null };
  },
  holds: (_bytes, _options, { rows }) => {
    for (const [ids, text] of rows as [number[], string][]) {
      expectThat(
        ids.every((id) => Number.isInteger(id) && id >= 0),
        'expected ids',
        ids,
      );
      expectThat(typeof text === 'string', 'expected a text', text);
    }
  },
};

/** All kinds of files that are damaged. */
export const DATA_FORMATS: readonly DataFormat[] = [
  csv,
  jsonl,
  lines,
  wordTokenizer,
  bytePairs,
  huggingFace,
] as DataFormat[];
