import { builtin } from './builtin.js';

/** SHA-256, bytes by bytes. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The hash of all bytes so far, in hexadecimal; more may follow. */
  hex(): string;
}

/** The incremental SHA-256 of the platform, else of a package. */
export async function sha256(): Promise<Sha256> {
  const crypto = builtin('node:crypto');
  if (crypto) {
    const hash = crypto.createHash('sha256');
    return { update: (bytes) => hash.update(bytes), hex: () => hash.copy().digest('hex') };
  }
  const { sha256: create } = await import('@noble/hashes/sha2.js');
  const hash = create.create();
  return {
    update: (bytes) => hash.update(bytes),
    hex: () => Array.from(hash.clone().digest(), (b) => b.toString(16).padStart(2, '0')).join(''),
  };
}

/** The SHA-256 of a text (UTF-8), in hexadecimal. */
export async function sha256OfText(text: string): Promise<string> {
  const hash = await sha256();
  hash.update(new TextEncoder().encode(text));
  return hash.hex();
}
