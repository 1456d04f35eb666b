import fc from 'fast-check';
import { segmenter } from '../extend.js';
import { segmentWords } from '../index.js';

/** The segments of the whole text at once, by the platform: what windows must give too. */
function atOnce(text: string, granularity: 'word' | 'grapheme'): string[] {
  return Array.from(new Intl.Segmenter('zh', { granularity }).segment(text))
    .filter((s) => granularity === 'grapheme' || s.isWordLike || s.segment.trim() !== '')
    .map((s) => s.segment);
}

const PHRASES = [
  '我喜欢苹果和香蕉今天下雨了球队赢得比赛神经网络',
  'ฉันชอบกินข้าวผัดและดื่มน้ำ',
  '東京都に住んでいる人々は電車で通勤する',
  'the quick brown fox ',
  "don't stop, 3.14 ",
  '👩‍👩‍👧🇩🇪🇫🇷',
  'e\u0301e\u0301',
  '\n',
  '\r\n',
  '。',
  '    ',
  'नमस्ते दुनिया ',
  'カタカナ',
  '"',
];

test('long texts are cut as they are at once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...PHRASES), fc.integer({ min: 1, max: 60 })), { maxLength: 40 }),
      (parts) => {
        const text = parts.map(([phrase, n]) => phrase.repeat(n)).join('');
        const options = { lower: false, punctuation: true } as const;
        expect(segmenter(options)(text)).toEqual(atOnce(text, 'word'));
        expect(segmenter({ ...options, mode: 'grapheme' })(text)).toEqual(atOnce(text, 'grapheme'));
      },
    ),
    { numRuns: 60 },
  );
});

test('a word that is longer than any window is one word', () => {
  const long = 'a'.repeat(50_000);
  expect(segmentWords(`one ${long} two ${long}`)).toEqual(['one', long, 'two', long]);
  const marks = `e${'\u0301'.repeat(20_000)}`;
  expect(segmenter({ mode: 'grapheme' })(`${marks}x${marks}`)).toEqual([marks, 'x', marks]);
});
