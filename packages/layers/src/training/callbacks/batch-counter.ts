/** Is something due after a batch? Counts batches over epochs, also where some are skipped. */
export class BatchCounter {
  /** Batches since it was due last. */
  since = 0;
  private readonly every: number;

  constructor(every: number) {
    this.every = every;
  }

  /** Counts a batch; is it the one? */
  due(): boolean {
    if (++this.since < this.every) return false;
    this.since = 0;
    return true;
  }
}
