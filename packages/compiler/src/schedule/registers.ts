/** One operation of a chain: it writes register `to` from registers a, b, c. */
export interface ChainOperation {
  readonly code: number;
  readonly to: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Gives the values of a chain as few registers as their lives allow: they should stay in the first-level cache. */
export function allocateRegisters(
  inputs: readonly number[],
  outputs: readonly number[],
  operations: readonly ChainOperation[],
  values: number,
): { count: number; of(value: number): number; operations: ChainOperation[] } {
  const last = new Array<number>(values).fill(-1);
  operations.forEach(({ a, b, c }, i) => {
    last[a] = i;
    last[b] = i;
    last[c] = i;
  });
  const kept = new Set([...inputs, ...outputs]);
  const register = new Array<number>(values).fill(-1);
  let count = 0;
  for (const value of kept) register[value] = count++;
  const spare: number[] = [];
  const renamed = operations.map(({ code, to, a, b, c }, i) => {
    if (register[to] === -1) register[to] = spare.pop() ?? count++;
    const result = { code, to: register[to]!, a: register[a]!, b: register[b]!, c: register[c]! };
    for (const value of new Set([a, b, c])) if (!kept.has(value) && last[value] === i) spare.push(register[value]!);
    return result;
  });
  return { count, of: (value) => register[value]!, operations: renamed };
}
