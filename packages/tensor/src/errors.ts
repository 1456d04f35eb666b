/** Base class of every error that Recurra throws on purpose: `error instanceof RecurraError` tells ours from a bug. */
export class RecurraError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** Shapes do not fit the operation or layer. */
export class ShapeError extends RecurraError {}

/** A dtype is not accepted, or would be cast silently. */
export class DTypeError extends RecurraError {}

/** An argument has a value outside of what the function accepts. */
export class ValueError extends RecurraError {}

/** A traced value was used where concrete data is needed, or outlived its transformation. */
export class TraceError extends RecurraError {}

/** A file or text does not have the format that it should have. */
export class FormatError extends RecurraError {}
