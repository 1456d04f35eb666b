import { type Tensor, type TensorLike, tensor, ValueError } from '@recurra/tensor';
import { asTensor, checkValue, rules } from '@recurra/tensor/extend';
import { type ListOf, stringsOf } from '../internal/texts.js';

/**
 * Class indices as one-hot rows, float64 [..., classes] (a last axis of size 1 is dropped). Keras `to_categorical`, which cuts fractions off:
 * here they throw `ValueError`, as indices out of range do.
 */
export function toCategorical(labels: TensorLike, numClasses: number | null = null): Tensor {
  if (numClasses !== null && !(Number.isInteger(numClasses) && numClasses >= 1))
    throw new ValueError(`toCategorical: expected numClasses to be an integer >= 1 or null, received ${numClasses}`);
  let t = asTensor(labels);
  if (t.rank > 1 && t.shape[t.rank - 1] === 1) t = t.squeeze(-1);
  const ids = t.data;
  for (const id of ids)
    if (!Number.isInteger(id)) throw new ValueError(`toCategorical: expected labels to be integers, received ${id}`);
  let classes = numClasses ?? 0;
  if (numClasses === null) for (const id of ids) classes = Math.max(classes, id + 1);
  const data = new Float64Array(ids.length * classes);
  ids.forEach((id, i) => {
    if (id < 0 || id >= classes)
      throw new ValueError(`toCategorical: expected labels in 0..${classes - 1}, received ${id}`);
    data[i * classes + id] = 1;
  });
  return tensor(data, { shape: [...t.shape, classes] });
}

/** Names of classes to ids and back, in the order of first appearance or sorted. */
export class LabelEncoder {
  /** The names, by id. */
  readonly classes: readonly string[];
  private readonly ids: Map<string, number>;

  /** @param labels names, with repetitions; ids follow their sorted order. Throws `ValueError` for one string, and names that are none. */
  constructor(labels: ListOf<string>) {
    this.classes = [...new Set(stringsOf('LabelEncoder', 'names', labels))].sort();
    this.ids = new Map(this.classes.map((name, i) => [name, i]));
  }

  /** The id of a name. Throws `ValueError` for an unknown one. */
  encode(label: string): number {
    const id = this.ids.get(label);
    if (id === undefined)
      throw new ValueError(`LabelEncoder: expected a label among ${this.classes.join(', ')}, received "${label}"`);
    return id;
  }

  /** Is the name known? */
  has(label: string): boolean {
    return this.ids.has(label);
  }

  /** The name of an id. Throws `ValueError` for one out of range. */
  decode(id: number): string {
    checkValue('LabelEncoder', 'the id', id, rules.countOrZero);
    const name = this.classes[id];
    if (name === undefined)
      throw new ValueError(`LabelEncoder: expected an id in 0..${this.classes.length - 1}, received ${id}`);
    return name;
  }
}
