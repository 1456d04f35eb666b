import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';

/** What keeps a text from being taken for sealed content. */
export type SealFault =
  | { readonly kind: 'format' }
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'damaged' };

const FOOT = '}\n';
/** More than the longest head. */
const HEAD_BYTES = 256;

/**
 * One JSON object, `{"format":...,"version":...,"sha256":...,"content":CONTENT}` and a line feed. The hash is that of CONTENT's bytes, and all
 * others are fixed: so no bit of the file can change unnoticed.
 * @param format letters, digits and hyphens
 */
export function seal(format: string, version: number, content: unknown): Uint8Array {
  const encoder = new TextEncoder();
  const body = encoder.encode(JSON.stringify(content));
  const head = `{"format":"${format}","version":${version},"sha256":"${bytesToHex(sha256(body))}","content":`;
  return concatBytes(encoder.encode(head), body, encoder.encode(FOOT));
}

/** The content that {@link seal} wrote, of the same format and version; or what is wrong with the bytes. */
export function unseal(
  bytes: Uint8Array,
  format: string,
  version: number,
): { readonly content: unknown } | { readonly fault: SealFault } {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, HEAD_BYTES));
  // A loose pattern first, so that what is of another version, or was formatted anew, is called by its name.
  const loose = /^\s*\{\s*"format"\s*:\s*"([^"]*)"\s*,\s*"version"\s*:\s*([^\s,]+)\s*,/.exec(start);
  if (!loose || loose[1] !== format) return { fault: { kind: 'format' } };
  if (loose[2] !== String(version)) return { fault: { kind: 'version', version: loose[2]! } };
  const damaged = { fault: { kind: 'damaged' } } as const;
  const head = /^\{"format":"[^"]*","version":\d+,"sha256":"([0-9a-f]{64})","content":/.exec(start);
  if (!head || bytes.length < head[0].length + FOOT.length) return damaged;
  const body = bytes.subarray(head[0].length, bytes.length - FOOT.length);
  const foot = bytes.subarray(bytes.length - FOOT.length);
  if (foot[0] !== FOOT.charCodeAt(0) || foot[1] !== FOOT.charCodeAt(1)) return damaged;
  if (bytesToHex(sha256(body)) !== head[1]) return damaged;
  try {
    return { content: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)) };
  } catch {
    return damaged;
  }
}
