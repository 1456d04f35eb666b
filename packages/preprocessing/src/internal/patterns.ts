import { FormatError } from '@recurra/tensor';

/** Longest pattern. */
const LONGEST = 4096;
/** Ways to match an alternative's optional parts, which may all be tried at each place. */
const MOST_WAYS = 1000;

/**
 * Patterns of published tokenizers that the rule of {@link checkPattern} does not cover, and that are known to take linear time on texts: those of GPT-2, GPT-4 (cl100k), Llama 3,
 * Qwen 2 and GPT-4o (o200k). What a step tries in vain, the next alternative takes whole.
 */
export const KNOWN: ReadonlySet<string> = new Set([
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

/**
 * Refuses a regular expression of a file whose matching could take more than linear time: anything but the known ones and those in which what repeats without end
 * stands last in its alternative, and no group repeats. Throws `FormatError`.
 */
export function checkPattern(label: string, pattern: string): void {
  if (pattern.length > LONGEST)
    throw new FormatError(`${label}: expected a pattern of at most ${LONGEST} characters, received ${pattern.length}`);
  if (KNOWN.has(pattern)) return;
  const refuse = (why: string): never => {
    throw new FormatError(
      `${label}: expected a pattern that takes linear time, received ${JSON.stringify(pattern)}: ${why}. Known are those of GPT-2, GPT-4, GPT-4o, Llama 3 and Qwen 2, others may repeat without end ` +
        'only what stands last in its alternative. Pass trustPatterns: true for a file that you trust.',
    );
  };
  /** For each open group: whether something without end came before in this alternative, or is anywhere in it; ways to match this alternative, and those before. */
  type State = { endless: boolean; any: boolean; ways: number; before: number };
  const fresh = (): State => ({ endless: false, any: false, ways: 1, before: 0 });
  const open: State[] = [];
  let here = fresh();
  const piece = (): void => {
    if (here.endless) refuse('something follows what repeats without end');
  };
  let group = false;
  for (let i = 0; i < pattern.length; ) {
    const c = pattern[i]!;
    const quantifier = /^(?:[*+?]|\{\d*(?:,\d*)?\})[?+]?/.exec(pattern.slice(i, i + 24))?.[0];
    if (quantifier !== undefined) {
      if (group) refuse('a group repeats');
      const most = /^\{(\d*)(,?)(\d*)\}/.exec(quantifier);
      const count = most ? Number(most[3] || (most[2] ? Infinity : most[1])) : quantifier[0] === '?' ? 1 : Infinity;
      if (count > 64) {
        here.endless = true;
        here.any = true;
      } else {
        const least = most ? Number(most[1]) : 0;
        here.ways *= Math.max(1, count - least + 1);
        if (here.ways > MOST_WAYS) refuse('it has too many optional parts');
      }
      i += quantifier.length;
      continue;
    }
    group = false;
    if (c === '|') {
      here = { ...here, endless: false, before: here.before + here.ways, ways: 1 };
      i++;
    } else if (c === '(') {
      piece();
      const head = /^\((?:\?(?::|i:|[=!]|<[=!]|>))?/.exec(pattern.slice(i, i + 4))![0];
      if (pattern[i + 1] === '?' && head === '(') refuse('a group of a kind that is not known');
      open.push(here);
      here = fresh();
      i += head.length;
    } else if (c === ')') {
      const inner = here;
      here = open.pop() ?? refuse('a bracket that closes nothing');
      here.endless ||= inner.any;
      here.any ||= inner.any;
      here.ways *= inner.before + inner.ways;
      if (here.ways > MOST_WAYS) refuse('it has too many optional parts');
      group = true;
      i++;
    } else {
      piece();
      if (c === '\\') {
        if (/[1-9k]/.test(pattern[i + 1] ?? '')) refuse('it refers to a group');
        i += /^\\[pP]\{[^}]*\}/.exec(pattern.slice(i, i + 64))?.[0].length ?? 2;
      } else if (c === '[') {
        let depth = 0;
        do {
          if (i >= pattern.length) refuse('a bracket is not closed');
          if (pattern[i] === '\\') i++;
          else if (pattern[i] === '[') depth++;
          else if (pattern[i] === ']') depth--;
          i++;
        } while (depth > 0);
      } else i++;
    }
  }
  if (open.length > 0) refuse('a bracket is not closed');
}
