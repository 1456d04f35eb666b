import { randomKey, randomUniform, splitKey, type Tensor } from '@recurra/tensor';
import { sipHash24 } from '../internal/siphash.js';

/** Uniform random integers, drawn in blocks from a stream of keys that seed and epoch decide. */
export class Draws {
  private key: Tensor;
  private block: ArrayLike<number> = [];
  private at = 0;

  constructor(seed: number, epoch: number) {
    // Streams of different seeds and epochs have nothing in common.
    const words = new BigUint64Array([BigInt(seed), BigInt(epoch)]);
    this.key = randomKey(Number(sipHash24(new Uint8Array(words.buffer), [0n, 0n]) >> 11n));
  }

  /** An integer of 0..n-1 (n at most 2^24). */
  below(n: number): number {
    if (this.at === this.block.length) {
      const [next, use] = splitKey(this.key) as [Tensor, Tensor];
      this.key = next;
      // Few at first: most data sets are small.
      this.block = randomUniform([Math.min(4096, Math.max(32, 4 * this.block.length))], { key: use }).data;
      this.at = 0;
    }
    return Math.floor(this.block[this.at++]! * n);
  }
}
