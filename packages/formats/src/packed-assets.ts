import { FormatError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import { readJsonObject } from './json.js';
import type { Json, ModelFile } from './model-file.js';
import { expectPlainName } from './plain-name.js';

/** Under which key formats with texts by names (safetensors, ONNX) hold what travels with a model. */
export const ASSETS_KEY = 'recurra.assets';

function textOf(bytes: Uint8Array): string | null {
  try {
    // A byte order mark is kept.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** Files that travel with a model, as one text: what is UTF-8 as it is, other bytes in base64. */
export const packAssets = (assets: ModelFile['assets']): string =>
  JSON.stringify(
    Object.fromEntries([...assets].map(([name, bytes]) => [name, textOf(bytes) ?? { base64: toBase64(bytes) }])),
  );

function bytesOf(value: Json, label: string): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  const coded = isRecord(value) ? value['base64'] : undefined;
  try {
    if (typeof coded === 'string') return Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  } catch {
    // Told below.
  }
  throw new FormatError(`${label}: expected a text, or bytes in base64, received another value`);
}

/** What {@link packAssets} wrote. Throws `FormatError` for other texts, and for names that lead elsewhere. */
export function unpackAssets(text: string, label: string): Map<string, Uint8Array> {
  const at = `${label}: ${ASSETS_KEY}`;
  return new Map(
    Object.entries(readJsonObject(text, { label: at })).map(([name, value]) => [
      expectPlainName(at, 'files', name),
      bytesOf(value, `${at}: ${JSON.stringify(name)}`),
    ]),
  );
}
