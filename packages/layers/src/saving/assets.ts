/** What travels with a model: tokenizers, vocabularies, labels, beside the model in its file. */
import { BytePairTokenizer, LabelEncoder, Tokenizer } from '@recurra/preprocessing';
import { FormatError, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { describeLayer } from '../base/describe.js';
import { type AnyLayer, Layer } from '../base/layer.js';
import { isRecord } from '../base/tree.js';
import { deserializeLayer } from '../serialize.js';
import { fromKerasNames, toKerasNames } from './keras-names.js';

/** Plain data, as JSON has them. */
export type PlainData = null | boolean | number | string | readonly PlainData[] | { readonly [key: string]: PlainData };

/** What can travel with a model: what makes ids of texts and labels, layers without weights (`TextVectorization`, `StringLookup`), plain data, and bytes. */
export type Asset = Tokenizer | BytePairTokenizer | LabelEncoder | AnyLayer | Uint8Array | PlainData;

/** Where they are among the files of a model: Keras looks for those of its own layers elsewhere. */
const FOLDER = 'recurra/';
const JSON_ENDING = '.json';
const BYTES_ENDING = '.bin';
const NAME = /^[\p{L}\p{N}_-]+$/u;
const DEEPEST = 64;

/** How a class is written down, and made again. */
interface Kind {
  is(value: unknown): boolean;
  write(value: never, at: string): unknown;
  read(value: unknown): unknown;
}

const KINDS: Readonly<Record<string, Kind>> = {
  Tokenizer: {
    is: (value) => value instanceof Tokenizer,
    write: (value: Tokenizer, at) => {
      if (value.hasAnalyzer)
        throw new ValueError(
          `${at}: expected a tokenizer without an analyzer, received one with a function, which no file holds.`,
        );
      return JSON.parse(value.toJson());
    },
    read: (value) => Tokenizer.fromJson(JSON.stringify(value)),
  },
  BytePairTokenizer: {
    is: (value) => value instanceof BytePairTokenizer,
    write: (value: BytePairTokenizer) => JSON.parse(value.toJson()),
    read: (value) => BytePairTokenizer.fromJson(JSON.stringify(value)),
  },
  LabelEncoder: {
    is: (value) => value instanceof LabelEncoder,
    write: ({ classes }: LabelEncoder) => [...classes],
    read: (value) => new LabelEncoder(value as string[]),
  },
  Layer: {
    is: (value) => value instanceof Layer,
    write: (value: AnyLayer, at) => {
      if (value.weights.length > 0)
        throw new ValueError(
          `${at}: expected a layer without weights, received ${value.className} "${value.name}". Put it in the model.`,
        );
      return toKerasNames(describeLayer(value));
    },
    read: (value) => deserializeLayer(fromKerasNames(value as never) as never),
  },
  JSON: { is: () => true, write: plain, read: (value) => value },
};

/** Throws `ValueError` for what JSON would change or leave out. */
function plain(value: unknown, at: string, depth = 0): unknown {
  if (depth > DEEPEST) throw new ValueError(`${at}: expected plain data at most ${DEEPEST} deep, received deeper ones`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number')
    return value;
  if (Array.isArray(value)) return value.map((item, i) => plain(item, `${at}[${i}]`, depth + 1));
  const bare = isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!bare)
    throw new ValueError(
      `${at}: expected a tokenizer, a LabelEncoder, a layer without weights, bytes or plain data, received ${describeValue(value)}`,
    );
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key === '__proto__') throw new ValueError(`${at}: expected names of values, received the key "__proto__"`);
      return [key, plain(member, `${at}.${key}`, depth + 1)];
    }),
  );
}

/** What travels with a model as files. Throws `ValueError` for what no file holds. */
export async function encodeAssets(
  label: string,
  assets: Readonly<Record<string, Asset>>,
): Promise<Map<string, Uint8Array>> {
  const { writeJson } = await import('@recurra/formats/extend');
  return new Map(
    Object.entries(assets).map(([name, value]) => {
      if (!NAME.test(name) || name === '__proto__')
        throw new ValueError(
          `${label}: expected assets with names of letters, digits, "_" and "-", received ${JSON.stringify(name)}`,
        );
      if (value instanceof Uint8Array) return [`${FOLDER}${name}${BYTES_ENDING}`, value.slice()];
      const [kind, { write }] = Object.entries(KINDS).find(([, { is }]) => is(value))!;
      const text = writeJson({ kind, value: write(value as never, `${label}: assets.${name}`) } as never);
      return [`${FOLDER}${name}${JSON_ENDING}`, new TextEncoder().encode(text)];
    }),
  );
}

/**
 * What {@link encodeAssets} wrote. Files that others put there (vocabularies of layers, by Keras) are given as bytes, by their paths. Throws `FormatError` for what is damaged, or not
 * known.
 */
export async function decodeAssets(
  label: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Record<string, unknown>> {
  const { readJsonObject } = await import('@recurra/formats/extend');
  const entries = [...files].map(([path, bytes]): [string, unknown] => {
    const at = `${label}: ${path}`;
    const name = path.startsWith(FOLDER) ? path.slice(FOLDER.length) : '';
    if (name.endsWith(BYTES_ENDING)) return [name.slice(0, -BYTES_ENDING.length), bytes];
    if (!name.endsWith(JSON_ENDING)) return [path, bytes];
    const { kind, value } = readJsonObject(bytes, { label: at, python: true });
    const found = typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? KINDS[kind]! : null;
    if (!found || value === undefined)
      throw new FormatError(
        `${at}: expected { kind, value } with a kind among ${Object.keys(KINDS).join(', ')}, received ${JSON.stringify(kind)}`,
      );
    try {
      return [name.slice(0, -JSON_ENDING.length), found.read(value)];
    } catch (error) {
      throw Object.assign(new FormatError(`${at}: expected a ${kind} that is whole. ${(error as Error).message}`), {
        cause: error,
      });
    }
  });
  const names = entries.map(([name]) => name);
  const odd = names.find((name, i) => name === '__proto__' || names.indexOf(name) < i);
  if (odd !== undefined)
    throw new FormatError(`${label}: expected assets with names of their own, received ${JSON.stringify(odd)}`);
  return Object.fromEntries(entries);
}
