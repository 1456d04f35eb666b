import { Tensor, ValueError } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { SymbolicTensor } from '../../base/symbolic.js';
import { describeTree } from '../../base/tree.js';

/** Texts, in nested lists. */
export type Texts = string | readonly Texts[];

/**
 * A layer whose inputs are texts. Texts are no tensors, so that such a layer stands before a model, not in it: `model.predict(layer.apply(texts))`,
 * `dataset.map((text) => layer.apply([text]))`.
 */
// biome-ignore lint/suspicious/noExplicitAny: what subclasses give is theirs
export abstract class TextLayer extends Layer<never, any> {
  /** What the layer gives for texts, eagerly. Throws `ValueError` within a model. */
  // biome-ignore lint/suspicious/noExplicitAny: what subclasses give is theirs
  override apply(inputs: never): any {
    this.expectTexts(inputs);
    // biome-ignore lint/suspicious/noExplicitAny: texts need no context
    return (this.call as (inputs: never) => any)(inputs);
  }

  override computeOutputShape(): never {
    throw this.noTensors(null);
  }

  /** Throws for tensors, also symbolic ones. */
  protected expectTexts(inputs: unknown): void {
    if (inputs === null || inputs === undefined || inputs instanceof Tensor || inputs instanceof SymbolicTensor)
      throw this.noTensors(inputs);
  }

  private noTensors(inputs: unknown): ValueError {
    const received = inputs === null || inputs === undefined ? '' : `, received ${describeTree(inputs)}`;
    return new ValueError(
      `${this.label}: expected texts (strings in lists)${received}. Texts are no tensors: such a layer stands before a model, not in it: model.predict(layer.apply(texts)), or dataset.map((text) => layer.apply([text])).`,
    );
  }
}
