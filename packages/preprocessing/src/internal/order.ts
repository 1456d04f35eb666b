/** Surrogates stand for code points above all others; as units they lie below U+E000..U+FFFF. */
const SURROGATES = /[\ud800-\udfff]/;

function compareCodePoints(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      const high = (c: number): number => (c >= 0xd800 && c <= 0xdfff ? c + 0x10000 : c);
      return high(x) - high(y);
    }
  }
  return a.length - b.length;
}

/** Sorts strings, in place, by their UTF-8 bytes, which is the order of their code points. */
export function sortByBytes(strings: string[]): string[] {
  // Without surrogates that is the order of the engine's own sort, which is several times as fast.
  return strings.some((s) => SURROGATES.test(s)) ? strings.sort(compareCodePoints) : strings.sort();
}
