import { FormatError, type Tensor, tensor } from '@recurra/tensor';
import type { Constant } from '../graph.js';
import type { AttributeProto, NodeProto } from '../proto.js';
import { readTensor } from '../read.js';
import type { KerasBuilder } from './builder.js';
import type { Raised, RaisedRepeated, RaisedTensor, RaisedView } from './values.js';
import { settledView, viewOf, viewOfStack } from './views.js';

const utf8 = new TextDecoder();

/** What values are, in messages. */
const KINDS: Readonly<Record<Raised['kind'], string>> = {
  tensor: 'a tensor',
  view: 'a tensor',
  stack: 'what a recurrent operator gives',
  constant: 'a constant',
  repeated: 'a constant that is repeated',
  zeros: 'zeros',
  sizes: 'sizes of axes',
  scores: 'scores of an attention',
};

/** What a value is, in messages. */
export const kindName = (x: Raised): string => KINDS[x.kind];

/** A node, with what its inputs stand for. */
export class NodeReader {
  readonly node: NodeProto;
  readonly keras: KerasBuilder;
  /** How often a name is read. */
  readonly uses: ReadonlyMap<string, number>;
  private readonly values: ReadonlyMap<string, Raised>;
  private readonly attributes: ReadonlyMap<string, AttributeProto>;
  private readonly replaced: Map<number, Raised> = new Map();

  constructor(
    node: NodeProto,
    keras: KerasBuilder,
    values: ReadonlyMap<string, Raised>,
    uses: ReadonlyMap<string, number>,
  ) {
    this.node = node;
    this.keras = keras;
    this.values = values;
    this.uses = uses;
    this.attributes = new Map(node.attribute.map((a) => [a.name, a]));
  }

  get label(): string {
    return `${this.node.opType}${this.node.name ? ` "${this.node.name}"` : ''}`;
  }

  fail(message: string): never {
    throw new FormatError(`ONNX: ${this.label}: ${message}`);
  }

  /** What an input stands for; `null` where it is left out. */
  input(i: number): Raised | null {
    const name = this.node.input[i];
    if (!name) return null;
    return this.replaced.get(i) ?? this.values.get(name) ?? this.fail(`expected an input "${name}" that is there`);
  }

  /** Lets an input stand for another value: for this node alone. */
  put(i: number, value: Raised): void {
    this.replaced.set(i, value);
  }

  tensor(i: number): RaisedTensor {
    return this.settled(this.input(i), i);
  }

  /** A value as a tensor whose axes are those of a layer's output: layers cut and join them where the graph does. */
  settled(given: Raised | null, i = 0): RaisedTensor {
    const x =
      given?.kind === 'view'
        ? settledView(this.keras, given, this.label)
        : given?.kind === 'stack'
          ? settledView(this.keras, viewOfStack(this.keras, given, this.label), this.label)
          : given;
    if (x?.kind !== 'tensor')
      this.fail(`expected input ${i} to be a tensor that is computed, received ${x ? kindName(x) : 'none'}`);
    if (x.rounded) this.fail('expected values that are not rounded, for which Keras has no layer but Embedding');
    return x;
  }

  /** A tensor whose axes may be cut and joined: what is computed element by element, or over features, does not mind. */
  view(i: number): RaisedView {
    return this.viewed(this.input(i), i);
  }

  viewed(x: Raised | null, i = 0): RaisedView {
    if (x?.kind === 'view') return x;
    return x?.kind === 'stack' ? viewOfStack(this.keras, x, this.label) : viewOf(this.keras, this.settled(x, i));
  }

  /** A constant that is repeated, with as many axes as it is seen with. */
  broadcastRank({ value, sizes }: RaisedRepeated): Tensor {
    return value.reshape([...sizes.slice(value.rank).map(() => 1), ...value.shape]);
  }

  /** A tensor of ids, for an Embedding. */
  ids(i: number): RaisedTensor {
    const x = this.input(i);
    return x?.kind === 'tensor' ? x : this.tensor(i);
  }

  constant(i: number): Constant | null {
    const x = this.input(i);
    if (x === null) return null;
    if (x.kind !== 'constant') this.fail(`expected input ${i} to be a constant, received a value that is computed`);
    return x.constant;
  }

  /** A constant of floats of a rank. */
  weight(i: number, rank: number): Tensor {
    const { value } = this.constant(i) ?? this.fail(`expected input ${i}`);
    if (value.shape.length !== rank)
      this.fail(`expected input ${i} of rank ${rank}, received shape [${value.shape.join(', ')}]`);
    return value.dtype === 'float32' ? value : value.cast('float32');
  }

  /** Whole numbers that are an input, or (in older versions) an attribute. */
  integers(i: number, attribute: string): readonly number[] | null {
    const given = this.constant(i);
    if (!given) return this.ints(attribute);
    return this.few([...given.value.data].map(Number));
  }

  private few(list: readonly number[]): readonly number[] {
    if (list.length > 64) this.fail(`expected a few numbers, received ${list.length}`);
    return list;
  }

  int(name: string, fallback: number): number {
    const found = this.attributes.get(name);
    const value = found ? Number(found.i) : fallback;
    if (!Number.isSafeInteger(value)) this.fail(`expected ${name} to be a whole number`);
    return value;
  }

  float(name: string, fallback: number): number {
    return this.attributes.get(name)?.f ?? fallback;
  }

  text(name: string, fallback: string): string {
    const found = this.attributes.get(name);
    return found ? utf8.decode(found.s) : fallback;
  }

  ints(name: string): readonly number[] | null {
    const found = this.attributes.get(name);
    return found ? this.few(found.ints.map(Number)) : null;
  }

  floats(name: string): readonly number[] {
    return this.attributes.get(name)?.floats ?? [];
  }

  texts(name: string): readonly string[] {
    return (this.attributes.get(name)?.strings ?? []).map((s) => utf8.decode(s));
  }

  /** The constant of an attribute. */
  value(): Constant {
    const found = this.attributes.get('value');
    if (found?.t) return readTensor(found.t);
    const one = this.attributes.get('value_float') ?? this.attributes.get('value_int');
    if (one?.name === 'value_int') return { type: 'int64', value: tensor(Number(one.i), { dtype: 'float64' }) };
    if (one) return { type: 'float32', value: tensor(one.f) };
    const list = this.attributes.get('value_ints') ?? this.attributes.get('value_floats');
    if (list) {
      const data = list.name === 'value_ints' ? list.ints.map(Number) : [...list.floats];
      return {
        type: list.name === 'value_ints' ? 'int64' : 'float32',
        value: tensor(Float64Array.from(data), { shape: [data.length] }),
      };
    }
    return this.fail('expected a constant of numbers');
  }

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  /** An axis, counted from 0. */
  axis(axis: number, rank: number): number {
    const found = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(found) || found < 0 || found >= rank)
      this.fail(`expected an axis of a value of rank ${rank}, received ${axis}`);
    return found;
  }

  /** The order of axes that a transposition asks for. */
  permutation(rank: number): number[] {
    const perm = [...(this.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i))];
    if (perm.length !== rank || [...perm].sort((a, b) => a - b).some((a, i) => a !== i))
      this.fail(`expected perm to name each of ${rank} axes`);
    return perm;
  }

  /** Is an output read anywhere? */
  isUsed(i: number): boolean {
    const name = this.node.output[i];
    return name !== undefined && name !== '' && (this.uses.get(name) ?? 0) > 0;
  }
}
