import { initializers } from '@recurra/cells';
import { stopGradient, type Tensor, ValueError } from '@recurra/tensor';
import { describeLayer } from '../../base/describe.js';
import { type AnyLayer, type Context, Layer } from '../../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import { Variable, withValues } from '../../base/variable.js';
import { unit } from '../../internal/unit.js';

/** Options of {@link SpectralNormalization}. */
export interface SpectralNormalizationOptions extends LayerOptions {
  /** Steps of the power iteration in each step of training; 1. */
  readonly powerIterations?: number;
}

/** Keras' epsilon: no length is taken to be smaller. */
const LEAST = 1e-7;

/**
 * A layer whose kernel W (`kernel`, or the `embeddings` of an `Embedding`) is divided by its largest singular value sigma, before each step of
 * training: `W <- W / sigma`. sigma = v W u^T is estimated by power iteration, v = u W^T / |u W^T|, u = v W / |v W|, W taken as a matrix [-1, last axis];
 * the vector u (`vector_u` [1, last axis]) is kept from step to step. Inference uses the kernel as it stands. Inputs and outputs are those of the layer.
 *
 * Throws `ValueError` for a layer that has neither. Miyato et al. 2018. Keras `SpectralNormalization`.
 */
export class SpectralNormalization extends Layer {
  static override readonly positional: readonly string[] = ['layer'];
  readonly layer: AnyLayer;
  protected override readonly settled: Settled<SpectralNormalizationOptions>;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  private vectorU!: Variable;

  constructor(layer: AnyLayer, options: SpectralNormalizationOptions = {}) {
    super(options);
    if (!(layer instanceof Layer))
      throw new ValueError(`SpectralNormalization: expected a layer, received ${String(layer)}`);
    this.layer = layer;
    this.settled = settle<SpectralNormalizationOptions>('SpectralNormalization', options, { powerIterations: 1 });
    expectInteger('SpectralNormalization', 'powerIterations', this.settled.powerIterations);
    if (options.trainable === false) this.trainable = false;
  }

  override get className(): string {
    return 'SpectralNormalization';
  }

  /** The weight that is normalized. */
  private get kernel(): Variable {
    const { kernel, embeddings } = this.layer as unknown as Readonly<Record<'kernel' | 'embeddings', unknown>>;
    const found = kernel instanceof Variable ? kernel : embeddings;
    if (!(found instanceof Variable))
      throw new ValueError(
        `${this.label}: expected a layer with a kernel or embeddings (Dense, Conv1D, Embedding), received ${this.layer.className} "${this.layer.name}"`,
      );
    return found;
  }

  override build(inputShape: PartialShape): void {
    this.layer.build(inputShape);
    // As in Keras, it counts as one of this layer's own, before u.
    const { shape } = this.keep(this.kernel);
    this.vectorU = this.variable({
      name: 'vector_u',
      shape: [1, shape[shape.length - 1]!],
      initializer: initializers.truncatedNormal({ stddev: 0.02 } as never),
      trainable: false,
    });
  }

  call(x: Tensor, { training, mask }: Context): Tensor {
    const run = (): Tensor => this.layer.apply(x, { training, mask }) as Tensor;
    if (!training) return run();
    const { kernel } = this;
    const before = kernel.value;
    const normalized = this.normalize(stopGradient(before));
    kernel.assign(normalized);
    // The new kernel is what is trained from here on: its gradient does not see what it was made from.
    return withValues([kernel], [before.add(stopGradient(normalized.sub(before)))], run);
  }

  /** The kernel over its largest singular value; as it is where all of it is 0. Moves u on. */
  private normalize(kernel: Tensor): Tensor {
    const last = kernel.shape[kernel.rank - 1]!;
    const w = kernel.reshape([kernel.size / last, last]);
    const start = this.vectorU.value;
    let u = start;
    let v = u;
    for (let i = 0; i < this.settled.powerIterations; i++) {
      v = unit(u.matmul(w.transpose()), -1, LEAST);
      u = unit(v.matmul(w), -1, LEAST);
    }
    const sigma = v.matmul(w).matmul(u.transpose()).reshape([]);
    const some = kernel.notEqual(0).any();
    this.vectorU.assign(some.select(u, start));
    return kernel.div(some.select(sigma, 1));
  }

  override computeMask(inputs: Tensor, mask: Tensor | null, outputs?: Tensor): Tensor | null {
    return this.layer.computeMask(inputs, mask, outputs) as Tensor | null;
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return this.layer.computeOutputShape(inputShape) as PartialShape;
  }

  protected override fields(): Record<string, unknown> {
    return { layer: describeLayer(this.layer), ...super.fields() };
  }
}
