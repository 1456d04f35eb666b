/**
 * A module of Node (also in Deno and Bun), where there is one: without an import that bundlers would try to resolve. `T` is what of it is used, so
 * that types do not depend on Node's.
 */
export function builtin<T>(name: string): T | null {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  return (process?.getBuiltinModule?.(name) as T | undefined) ?? null;
}
