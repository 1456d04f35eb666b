/** Strings in the order of their UTF-8 bytes, which is that of their code points. */
export function compareBytes(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      // Surrogates stand for code points above all others.
      const high = (c: number): number => (c >= 0xd800 && c <= 0xdfff ? c + 0x10000 : c);
      return high(x) - high(y);
    }
  }
  return a.length - b.length;
}
