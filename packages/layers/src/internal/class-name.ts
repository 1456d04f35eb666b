/** `MeanSquaredError` -> `meanSquaredError`, `KLDivergence` -> `klDivergence`, `CTC` -> `ctc`: the name of objects of a class, as Keras' in camelCase. */
export function classNameToName(className: string): string {
  return className.replace(/^[A-Z]+(?=[A-Z][a-z]|$|\d)|^[A-Z]/, (head) => head.toLowerCase());
}

type IsLetter<C extends string> = Uppercase<C> extends Lowercase<C> ? false : true;
type IsUpper<C extends string> = IsLetter<C> extends true ? (C extends Uppercase<C> ? true : false) : false;
type BeginsLower<S extends string> = S extends `${infer C}${string}`
  ? IsLetter<C> extends true
    ? C extends Lowercase<C>
      ? true
      : false
    : false
  : false;

/** What {@link classNameToName} makes of a name, as a type. */
export type ClassNameToName<S extends string> = S extends `${infer A}${infer Rest}`
  ? IsUpper<A> extends true
    ? Rest extends `${infer B}${infer After}`
      ? IsUpper<B> extends true
        ? BeginsLower<After> extends true
          ? `${Lowercase<A>}${Rest}`
          : `${Lowercase<A>}${ClassNameToName<Rest>}`
        : `${Lowercase<A>}${Rest}`
      : Lowercase<A>
    : S
  : S;
