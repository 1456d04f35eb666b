import { transformSync } from '@swc/core';

/** One TypeScript block of a Markdown text. */
export interface Example {
  readonly line: number;
  readonly code: string;
  /** What `console.log` should print, from `// =>` comments, in order. */
  readonly expected: readonly string[];
}

/** The blocks of a Markdown text that are marked as `ts`. A block marked otherwise (`ts no-run`, `python`, ...) is not run. */
export function examplesIn(markdown: string): Example[] {
  const examples: Example[] = [];
  const lines = markdown.split('\n');
  for (let i = 0; i < lines.length; i++) {
    if (!/^```ts( \[.*\])?$/.test(lines[i]!.trim())) continue;
    const start = i + 1;
    while (i + 1 < lines.length && lines[i + 1]!.trim() !== '```') i++;
    const body = lines.slice(start, i + 1);
    const expected = body.flatMap((line) => /\/\/ => ?(.*)$/.exec(line)?.[1] ?? []);
    examples.push({ line: start, code: body.join('\n'), expected });
  }
  return examples;
}

function format(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'toArray' in value) return String(value);
  return JSON.stringify(value) ?? String(value);
}

/**
 * Runs an example as a module whose imports go through `load`. Resolves to the lines that it printed. Progress of training is
 * not captured: examples pass `verbose: 0`, or print what they want to show.
 */
export async function runExample(example: Example, load: (name: string) => unknown): Promise<string[]> {
  const { code } = transformSync(`${example.code}\nexport {};`, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'commonjs' },
  });
  const printed: string[] = [];
  const log = (...values: unknown[]): void => {
    printed.push(...values.map(format).join(' ').split('\n'));
  };
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...args: unknown[]) => Promise<void>;
  await new AsyncFunction('require', 'exports', 'console', code)(load, {}, { ...console, log });
  return printed;
}
