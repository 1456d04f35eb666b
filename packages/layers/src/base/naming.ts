import { snakeCase } from '@recurra/tensor/extend';

const counts = new Map<string, number>();

/** The next free name of a class: `lstm`, `lstm_1`, ... */
export function uniqueName(className: string): string {
  const base = snakeCase(className);
  const n = counts.get(base) ?? 0;
  counts.set(base, n + 1);
  return n === 0 ? base : `${base}_${n}`;
}

/** Names made different by numbers, as Keras does within one model: `precision`, `precision_1`, ... */
export function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let own = name;
    for (let n = 1; taken.has(own); n++) own = `${name}_${n}`;
    taken.add(own);
    return own;
  });
}

/** Starts counting afresh: names of layers made from here on begin without a number. Keras `clear_session`. */
export function resetNames(): void {
  counts.clear();
}

/** Names of the layers that are being built around this place, outermost first. */
const scopes: string[] = [];

/** Runs `f` inside of a layer's name: variables made in it have paths that begin with it. */
export function inScope<R>(name: string, f: () => R): R {
  scopes.push(name);
  try {
    return f();
  } finally {
    scopes.pop();
  }
}

/** A name within the layers that are being built: `bidirectional/forward_lstm/kernel`. */
export function scoped(name: string): string {
  return [...scopes, name].join('/');
}
