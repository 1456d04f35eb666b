/**
 * The words of a command (or of what it holds lists of) by name. `N`: those that are numbers; `P`: those that are addresses of blocks;
 * `O`: those that may be absent.
 */
export interface Layout<N extends string = string, P extends string = string, O extends string = string> {
  readonly name: string;
  /** The number of the command; 0 for what it holds. */
  readonly number: number;
  /** Names, in order; those of number and length, with which commands begin, are not among them. */
  readonly words: readonly (N | P | O)[];
  /** Which of them are float32. */
  readonly floats: readonly string[];
  /** Types alone. */
  readonly fields?: readonly [N, P, O];
}

/** What has to be given for a layout; `X` stands for addresses. */
export type FieldsOf<N extends string, P extends string, O extends string, X> = {
  readonly [name in N]: number;
} & { readonly [name in P]: X } & { readonly [name in O]?: X | null };

const bits = new DataView(new ArrayBuffer(4));

/** The words of a layout, in order; absent ones are 0. */
export function wordsOf<N extends string, P extends string, O extends string, X>(
  { words, floats }: Layout<N, P, O>,
  fields: FieldsOf<N, P, O, X>,
): (number | X)[] {
  return words.map((name) => {
    const value = (fields as Readonly<Record<string, number | X | null | undefined>>)[name] ?? 0;
    if (typeof value !== 'number' || !floats.includes(name)) return value;
    bits.setFloat32(0, value);
    return bits.getInt32(0);
  });
}
