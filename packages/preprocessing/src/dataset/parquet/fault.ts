/** What is wrong with a Parquet file; whoever knows the file's name makes a `ReadError` of it. */
class Fault extends Error {}

/** Throws a `Fault`: `expected ..., received ...`. */
export function fault(expected: string, received: unknown): never {
  throw new Fault(`expected ${expected}, received ${String(received)}`);
}
