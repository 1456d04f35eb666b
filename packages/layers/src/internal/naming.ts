const counts = new Map<string, number>();

/** `LSTM` -> `lstm`, `SimpleRNN` -> `simple_rnn`, as Keras spells names. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** The next free name of a class: `lstm`, `lstm_1`, ... */
export function uniqueName(className: string): string {
  const base = snakeCase(className);
  const n = counts.get(base) ?? 0;
  counts.set(base, n + 1);
  return n === 0 ? base : `${base}_${n}`;
}

/** Starts counting afresh: names of layers made from here on begin without a number. Keras `clear_session`. */
export function resetNames(): void {
  counts.clear();
}
