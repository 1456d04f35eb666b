import type { Json, JsonObject, ModelFile } from '@recurra/formats';
import { FormatError } from '@recurra/tensor';
import { isRecord, snakeCase } from '@recurra/tensor/extend';

/** Layers whose vocabularies Keras keeps beside the model, where they were learnt and not given. */
const LOOKUPS: ReadonlySet<string> = new Set(['TextVectorization', 'StringLookup', 'IntegerLookup']);
const FILE = 'vocabulary.txt';

/** The tokens of a vocabulary as Keras writes it: a line each, those for padding and unknown tokens first. */
function tokensOf(bytes: Uint8Array, className: string, config: JsonObject, label: string): Json[] {
  const lines = new TextDecoder().decode(new Uint8Array(bytes)).split(/\r\n|\n|\r/);
  while (lines.at(-1) === '') lines.pop();
  const text = className === 'TextVectorization';
  const masked = (config['output_mode'] ?? 'int') === 'int' && (text || (config['mask_token'] ?? null) !== null);
  const unknown = text ? 1 : Number(config['num_oov_indices'] ?? 1);
  const tokens = lines.slice((masked ? 1 : 0) + unknown);
  if (className !== 'IntegerLookup') return tokens;
  return tokens.map((token) => {
    if (!/^[-+]?\d+$/.test(token))
      throw new FormatError(`${label}: expected integers, received ${JSON.stringify(token)}`);
    return Number(token);
  });
}

/**
 * A model in which lookup layers have the vocabularies of a file's assets: Keras writes those that were learnt to `layers/string_lookup/vocabulary.txt`, and leaves them out of
 * the configuration.
 */
export function withVocabularies(
  model: JsonObject,
  assets: ModelFile['assets'],
  label: string,
  path = 'layers',
): JsonObject {
  const config = model['config'];
  if (!isRecord(config) || !Array.isArray(config['layers'])) return model;
  if (![...assets.keys()].some((name) => name.endsWith(`/${FILE}`))) return model;
  const seen = new Map<string, number>();
  const layers = (config['layers'] as readonly Json[]).map((layer): Json => {
    if (!isRecord(layer) || typeof layer['class_name'] !== 'string' || !isRecord(layer['config'])) return layer;
    const { class_name: className, config: own } = layer as { class_name: string; config: JsonObject };
    const family = snakeCase(className);
    const number = seen.get(family) ?? 0;
    seen.set(family, number + 1);
    const at = `${path}/${number === 0 ? family : `${family}_${number}`}`;
    if (!LOOKUPS.has(className)) return withVocabularies(layer as JsonObject, assets, label, `${at}/layers`);
    const bytes = assets.get(`${at}/${FILE}`);
    if (!bytes || (own['vocabulary'] ?? null) !== null) return layer as JsonObject;
    return {
      ...(layer as JsonObject),
      config: { ...own, vocabulary: tokensOf(bytes, className, own, `${label}: ${at}/${FILE}`) },
    };
  });
  return { ...model, config: { ...(config as JsonObject), layers } };
}
