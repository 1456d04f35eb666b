/**
 * The words of a command (or of what it holds lists of) by name. `N`: those that are numbers; `P`: those that are addresses of blocks;
 * `O`: those that may be absent.
 */
export interface Layout<N extends string = string, P extends string = string, O extends string = string> {
  readonly name: string;
  /** The number of the command; 0 for what it holds. */
  readonly number: number;
  /** Names, in order; those of number and length, with which commands begin, are not among them. */
  readonly words: readonly string[];
  /** Which of them are float32. */
  readonly floats: readonly string[];
  /** Which of them are blocks that the engine sizes. Those that are no part of the type are for the command alone: the compiler makes them. */
  readonly sized: readonly string[];
  /** The lists that follow its own words, by the names of the words that count them: of which layout each is. */
  readonly records: Readonly<{ [count in string]?: string }>;
  /** Types alone. */
  readonly fields?: readonly [N, P, O];
}

/** @public Read by what the build generates: a layout from its words. `!` is behind a block that the engine sizes, `~` behind a float32. */
export function layoutOf<N extends string, P extends string, O extends string>(
  name: string,
  number: number,
  text: string,
  records: Layout['records'] = {},
): Layout<N, P, O> {
  const marked = text.split(' ');
  const markedBy = (mark: string): string[] =>
    marked.filter((word) => word.endsWith(mark)).map((word) => word.slice(0, -1));
  return {
    name,
    number,
    words: marked.map((word) => word.replace(/[!~]$/, '')),
    floats: markedBy('~'),
    sized: markedBy('!'),
    records,
  };
}

/** What has to be given for a layout; `X` stands for addresses. */
export type FieldsOf<N extends string, P extends string, O extends string, X> = {
  readonly [name in N]: number;
} & { readonly [name in P]: X } & { readonly [name in O]?: X | null };

/** The words of a layout by name, whichever it is. */
export type Fields<X> = Readonly<Record<string, number | X | null | undefined>>;

const bits = new DataView(new ArrayBuffer(4));

/** The words of a layout, in order; absent ones are 0. */
export function wordsOf<X>({ words, floats }: Layout, fields: Fields<X>): (number | X)[] {
  return words.map((name) => {
    const value = fields[name] ?? 0;
    if (typeof value !== 'number' || !floats.includes(name)) return value;
    bits.setFloat32(0, value);
    return bits.getInt32(0);
  });
}
