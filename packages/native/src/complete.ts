import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** The header of a 64-bit ELF file, as far as it says where the file ends. */
const HEADER = 64;

/**
 * Throws where an ELF file is cut off, as installations that are broken off leave them: loaders map such a file all the same, and the process dies of `SIGBUS` at the first
 * page that is not there. The table of sections is its last part. Other formats' loaders look for themselves.
 */
export function expectComplete(file: string): void {
  const header = Buffer.alloc(HEADER);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header, 0, HEADER, 0);
    const isElf = header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1;
    if (!isElf) return;
    const { size } = fstatSync(descriptor);
    const sections = Number(header.readBigUInt64LE(40));
    const end = Math.max(HEADER, sections + header.readUInt16LE(58) * header.readUInt16LE(60));
    if (size < end) throw new Error(`${file} is cut off: expected ${end} bytes, received ${size}`);
  } finally {
    closeSync(descriptor);
  }
}
