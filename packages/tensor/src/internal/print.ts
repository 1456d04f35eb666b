/**
 * How consoles print instances of a class: as `text` says, rather than their fields. Node and Bun look for the first symbol, Deno for the
 * second; neither needs an import. `nested` is true where the value stands too deep inside of another for its elements to be shown.
 */
export function printedAs<T extends object>(
  type: { readonly prototype: T },
  text: (value: T, nested: boolean) => string,
): void {
  function inspect(this: T, depth?: number): string {
    return text(this, typeof depth === 'number' && depth < 0);
  }
  for (const name of ['nodejs.util.inspect.custom', 'Deno.customInspect'])
    Object.defineProperty(type.prototype, Symbol.for(name), { value: inspect, configurable: true });
}
