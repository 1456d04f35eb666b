import { FormatError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import type { Json, JsonObject } from '../model-file.js';

/** Python's JSON has these beside what the standard has. */
const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};
const MARK = '\u0000number:';

/** Strings of JSON, and numbers of Python's. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g;

function checkTree(value: unknown, label: string, maxDepth: number, depth = 0): void {
  if (depth > maxDepth)
    throw new FormatError(`${label}: expected JSON at most ${maxDepth} deep, received a deeper one`);
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && Object.hasOwn(value, '__proto__'))
    throw new FormatError(`${label}: expected JSON of plain names, received the key "__proto__"`);
  for (const child of Object.values(value)) checkTree(child, label, maxDepth, depth + 1);
}

/**
 * What a JSON text holds, as Python writes it (NaN and infinities, too). Throws `FormatError` for another text, one that is too deep, and for keys that could change
 * what objects are.
 */
export function parseJson(text: string, label: string, maxDepth = 128): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"\\u0000number:${token}"`));
    try {
      value = JSON.parse(marked, (_key, v) =>
        typeof v === 'string' && v.startsWith(MARK) ? NUMBERS[v.slice(MARK.length)] : v,
      );
    } catch (error) {
      throw Object.assign(
        new FormatError(
          `${label}: expected JSON, received ${JSON.stringify(text.slice(0, 40))} (${error instanceof Error ? error.message : String(error)})`,
        ),
        { cause: error },
      );
    }
  }
  checkTree(value, label, maxDepth);
  return value as Json;
}

/** As {@link parseJson}, of an object. */
export function parseJsonObject(text: string, label: string, maxDepth = 128): JsonObject {
  const value = parseJson(text, label, maxDepth);
  if (!isRecord(value)) throw new FormatError(`${label}: expected an object of JSON, received another value`);
  return value as JsonObject;
}

/** Options of which Keras asks whether they are floating: Python tells 0 from 0.0. */
const FLOATING =
  /^(momentum|learning_rate|initial_learning_rate|rho|.*beta_[12]|epsilon|ema_momentum|weight_decay|clipnorm|clipvalue|global_clipnorm|loss_scale_factor)$/;

/** A value as JSON that Python reads. */
export function stringifyJson(value: Json): string {
  const text = JSON.stringify(value, (key, v) => {
    if (typeof v !== 'number') return v;
    if (!Number.isFinite(v)) return `${MARK}${v}`;
    return Number.isSafeInteger(v) && FLOATING.test(key) ? `${MARK}${v}.0` : v;
  });
  return text.replace(/"\\u0000number:(-?(?:Infinity|\d+\.0)|NaN)"/g, '$1');
}
