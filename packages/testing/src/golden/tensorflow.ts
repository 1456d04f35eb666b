import { customGradient } from '@recurra/autograd';
import { type AnyLayer, Embedding, type LayerClass } from '@recurra/layers';
import type { Optimizer } from '@recurra/optim';
import { segmentSum, Tensor, type TensorLike } from '@recurra/tensor';
import { asTensor } from '@recurra/tensor/extend';

/**
 * What Keras on TensorFlow does differently with embeddings, so that its recorded training runs can be replayed. There the
 * gradient of an embedding is a list of rows, one a lookup, with repeated ids; Keras' optimizers square the rows before they
 * add up those of one id. Second moments (Adam, RMSprop) are then sums of squares, where the gradient, and Keras on JAX or
 * PyTorch, have the square of the sum. The library does the latter; these two classes do the former.
 */
class LookupEmbedding extends Embedding {
  /** Per row of the table, the sum of the squared gradients of its lookups in the last backward pass. */
  squares: Tensor | null = null;

  override call(x: Tensor): Tensor {
    const ids = x.cast('int32');
    const lookup = customGradient((table) => ({
      value: table!.gather(ids, 0),
      gradient: (dy) => {
        const rows = dy.reshape([-1, this.outputDim]);
        this.squares = segmentSum(rows.square(), ids.flatten(), this.inputDim);
        return [segmentSum(rows, ids.flatten(), this.inputDim)];
      },
    }));
    return lookup(this.weights[0]!.value);
  }
}

/** A gradient that squares, and is scaled by a number, as a list of lookups is. */
class LookupGradient extends Tensor {
  private readonly squares: Tensor;

  constructor(gradient: Tensor, squares: Tensor) {
    super(gradient.shape, gradient.dtype, gradient.array, gradient.trace);
    this.squares = squares;
  }

  override square(): Tensor {
    return this.squares;
  }

  /** Clipped to a norm (`tf.clip_by_norm`), it still is a list. */
  override mul(scale: TensorLike): Tensor {
    return new LookupGradient(super.mul(scale), this.squares.mul(asTensor(scale).square()));
  }
}

/** Classes for `customObjects`: embeddings that record the squares of their lookups. */
export const TENSORFLOW_CLASSES = { Embedding: LookupEmbedding } as unknown as Readonly<Record<string, LayerClass>>;

/** Makes the optimizer use what the embeddings in the model record. */
export function squareLookups(model: AnyLayer, optimizer: Optimizer): void {
  const update = optimizer.update.bind(optimizer);
  optimizer.update = (gradients, state, parameters, rate) => {
    const replaced = { ...gradients } as Record<string, Tensor>;
    for (const layer of model.layersWithin())
      if (layer instanceof LookupEmbedding && layer.squares) {
        const path = layer.weights[0]!.path;
        replaced[path] = new LookupGradient(replaced[path]!, layer.squares);
      }
    return update(replaced as typeof gradients, state, parameters, rate);
  };
}
