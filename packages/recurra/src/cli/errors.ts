/** What a person called wrongly: told in one sentence, with exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What could not be done with the files that were given: told in one sentence, with exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
}
