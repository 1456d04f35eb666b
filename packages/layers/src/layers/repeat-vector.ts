import { repeat, type Tensor } from '@recurra/tensor';
import { Layer } from '../base/layer.js';
import { expectInteger, type LayerOptions, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';

/** A vector at each of `n` steps: [batch, features] -> [batch, n, features], to feed a decoder. Keras `RepeatVector`. */
export class RepeatVector extends Layer {
  static override readonly positional: readonly string[] = ['n'];
  readonly n: number;

  constructor(n: number, options: LayerOptions = {}) {
    super(options);
    settle('RepeatVector', options, {});
    this.n = expectInteger('RepeatVector', 'n', n);
  }

  override get className(): string {
    return 'RepeatVector';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.expectRank(shape, 2, '[batch, features]', 'A recurrent layer gives that without returnSequences.');
  }

  call(x: Tensor): Tensor {
    return repeat(x.expandDims(1), this.n, 1);
  }

  protected override fields(): Record<string, unknown> {
    return { n: this.n };
  }
}
