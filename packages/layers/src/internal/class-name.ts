/** `MeanSquaredError` -> `meanSquaredError`, `KLDivergence` -> `klDivergence`, `CTC` -> `ctc`: the name of objects of a class, as Keras' in camelCase. */
export function classNameToName(className: string): string {
  return className.replace(/^[A-Z]+(?=[A-Z][a-z]|$|\d)|^[A-Z]/, (head) => head.toLowerCase());
}
