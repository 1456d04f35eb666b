import { FormatError, type Tensor, tensor } from '@recurra/tensor';
import { ATTRIBUTE_TYPES, DATA_TYPES } from './proto.js';

/** Types of the values in a graph. */
export type ElementType = keyof typeof DATA_TYPES;

/** A size that is known, or not before the model runs. */
export type Dim = number | null;

/** What marks values: nothing that JSON holds is one. */
const VALUE: unique symbol = Symbol('value');

/** A value in the graph: what a node gives, an input, or a constant. */
export interface Value {
  readonly [VALUE]: true;
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly type: ElementType;
  /** Which steps count, as Keras' masks that travel with tensors. */
  readonly mask: Value | null;
}

/** A value without a mask. */
export const valueOf = (name: string, shape: readonly Dim[], type: ElementType): Value => ({
  [VALUE]: true,
  name,
  shape,
  type,
  mask: null,
});

/** Is it a value of the graph, rather than JSON? */
export const isValue = (argument: unknown): argument is Value =>
  typeof argument === 'object' && argument !== null && VALUE in argument;

/** An attribute of a node, with its type: a whole number may be meant as a float. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly texts: readonly string[] };

/** A node as it is written. */
export interface GraphNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant: its elements, with the type that they have in the file. */
export interface Constant {
  readonly type: ElementType;
  readonly value: Tensor;
}

/** What a node gives, but for its name. */
export interface OutputSpec {
  readonly shape: readonly Dim[];
  readonly type?: ElementType;
}

/** The size of an axis that is open: asked for in the graph only where it is needed. */
export interface OpenSize {
  readonly of: Value;
  readonly axis: number;
}

/** A size as part of a shape that is computed: known, open, or a value int64 [1]. */
export type Size = number | OpenSize | Value;

/** How large a graph may become. */
export interface Limits {
  /** Elements of constants that are no weights: tables of positions and the like. */
  readonly constants: number;
  /** Nodes, and calls of layers: a layer within models that are called often is written as often. */
  readonly steps: number;
}

const LIMITS: Limits = { constants: 1 << 26, steps: 1 << 20 };

const text = new TextEncoder();

/** Makes a graph node by node. Every operation says what shape it gives, as far as that is known. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly constants: Map<string, Constant> = new Map();
  /** Values that stateful layers read and give, beside the model's own. */
  readonly stateInputs: Value[] = [];
  readonly stateOutputs: [value: Value, name: string][] = [];
  /** Where names of nodes begin: the layer that is written. */
  scope = '';
  private readonly used: Map<string, number> = new Map();
  /** The weights of the file that the graph has read. */
  readonly read: Set<Tensor> = new Set();
  /** Names of constants that are made of weights. */
  readonly weights: Set<string> = new Set();
  private readonly limits: Limits;
  private spent = 0;
  private steps = 0;

  constructor(limits: Limits = LIMITS) {
    this.limits = limits;
  }

  /** Counts a node, or a call of a layer. Throws `FormatError` where there are too many. */
  step(): void {
    if (++this.steps > this.limits.steps)
      throw new FormatError(
        `ONNX: ${this.scope}: expected a graph of at most ${this.limits.steps} nodes, received more`,
      );
  }

  /** Takes room for elements before they are made. Throws `FormatError` where there is none. */
  reserve(count: number): void {
    this.spent += count;
    if (!(this.spent <= this.limits.constants))
      throw new FormatError(
        `ONNX: ${this.scope}: expected tables of at most ${this.limits.constants} elements, received ${this.spent}`,
      );
  }

  /** A name that nothing has yet. */
  fresh(base: string): string {
    const n = this.used.get(base) ?? 0;
    this.used.set(base, n + 1);
    return n === 0 ? base : this.fresh(`${base}_${n}`);
  }

  /** Adds a node with some outputs. */
  nodeOf(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: readonly OutputSpec[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly Value[] {
    this.step();
    const name = this.fresh(this.scope ? `${this.scope}/${op}` : op);
    const type = inputs.find((x) => x)?.type ?? 'float32';
    const values = outputs.map((spec, i) =>
      valueOf(i === 0 ? this.fresh(`${name}:0`) : this.fresh(`${name}:${i}`), spec.shape, spec.type ?? type),
    );
    const names = inputs.map((x) => x?.name ?? '');
    while (names.at(-1) === '') names.pop();
    this.nodes.push({ op, name, inputs: names, outputs: values.map((v) => v.name), attributes });
    return values;
  }

  /** Adds a node with one output: of the shape and type of the first input, unless it says otherwise. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    spec: Partial<OutputSpec> = {},
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.nodeOf(op, inputs, [{ shape: inputs[0]?.shape ?? [], ...spec }], attributes)[0]!;
  }

  /** A weight, or what is made of one, under a name. The same name is the same constant: `make` is asked once. */
  weight(name: string, make: () => Tensor): Value {
    const known = this.constants.get(name);
    const value = known?.value ?? make();
    if (!known) {
      this.used.set(name, 1);
      this.weights.add(name);
      this.constants.set(name, { type: 'float32', value });
    }
    return valueOf(name, value.shape, 'float32');
  }

  private constant(key: string, type: ElementType, value: Tensor): Value {
    const name = `const/${key}`;
    if (!this.constants.has(name)) {
      this.reserve(value.size);
      this.constants.set(name, { type, value });
    }
    return valueOf(name, value.shape, type);
  }

  /** A number, as a value of rank 0. */
  number(value: number, type: ElementType = 'float32'): Value {
    return this.constant(`${type}/${Object.is(value, -0) ? '-0' : value}`, type, tensor(value, { dtype: 'float64' }));
  }

  /** Whole numbers as a value int64 [n]. */
  ints(values: readonly number[]): Value {
    return this.constant(
      `int64s/${values.join(',')}`,
      'int64',
      tensor(Float64Array.from(values), { shape: [values.length] }),
    );
  }

  /** A table of numbers under a name of its own. */
  table(name: string, shape: readonly number[], fill: (data: Float64Array) => void): Value {
    const size = shape.reduce((a, b) => a * b, 1);
    const full = `${this.scope}/${name}`;
    if (!this.constants.has(full)) {
      this.reserve(size);
      const data = new Float64Array(size);
      fill(data);
      this.constants.set(full, { type: 'float32', value: tensor(data, { shape: [...shape] }) });
    }
    return valueOf(full, shape, 'float32');
  }

  // Elementwise.

  unary(op: string, x: Value, attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.node(op, [x], {}, attributes);
  }

  binary(op: string, a: Value, b: Value, type: ElementType = a.type): Value {
    return this.node(op, [a, b], { shape: broadcast(a.shape, b.shape), type });
  }

  add(a: Value, b: Value): Value {
    return this.binary('Add', a, b);
  }

  sub(a: Value, b: Value): Value {
    return this.binary('Sub', a, b);
  }

  mul(a: Value, b: Value): Value {
    return this.binary('Mul', a, b);
  }

  div(a: Value, b: Value): Value {
    return this.binary('Div', a, b);
  }

  less(a: Value, b: Value): Value {
    return this.binary('Less', a, b, 'bool');
  }

  greater(a: Value, b: Value): Value {
    return this.binary('Greater', a, b, 'bool');
  }

  and(a: Value, b: Value): Value {
    return this.binary('And', a, b, 'bool');
  }

  or(a: Value, b: Value): Value {
    return this.binary('Or', a, b, 'bool');
  }

  notEqual(a: Value, b: Value): Value {
    return this.node('Not', [this.binary('Equal', a, b, 'bool')]);
  }

  where(condition: Value, a: Value, b: Value): Value {
    return this.node('Where', [condition, a, b], {
      shape: broadcast(condition.shape, broadcast(a.shape, b.shape)),
      type: a.type,
    });
  }

  cast(x: Value, type: ElementType): Value {
    return x.type === type ? x : this.node('Cast', [x], { type }, { to: { int: DATA_TYPES[type] } });
  }

  // Shapes.

  /** The size of an axis, as int64 [1]. */
  sizeOf(x: Value, axis: number): Value {
    const known = x.shape[axis];
    if (known !== null && known !== undefined) return this.ints([known]);
    return this.node(
      'Shape',
      [x],
      { shape: [1], type: 'int64' },
      { start: { int: axis }, ...(axis + 1 < x.shape.length ? { end: { int: axis + 1 } } : {}) },
    );
  }

  /** The size of an axis: known, or open. */
  dim(x: Value, axis: number): Size {
    return x.shape[axis] ?? { of: x, axis };
  }

  /** Sizes as one value int64 [n]. */
  sizes(sizes: readonly Size[]): Value {
    if (sizes.every((s) => typeof s === 'number')) return this.ints(sizes as readonly number[]);
    const parts = sizes.map((s) =>
      typeof s === 'number' ? this.ints([s]) : isValue(s) ? s : this.sizeOf(s.of, s.axis),
    );
    return parts.length === 1
      ? parts[0]!
      : this.node('Concat', parts, { shape: [sizes.length], type: 'int64' }, { axis: { int: 0 } });
  }

  /** The same elements in another shape. One size may be open, and is found; more are given as values. */
  reshape(x: Value, sizes: readonly Size[]): Value {
    const open = sizes.filter((s) => typeof s !== 'number').length;
    // -1 is found by itself where no size is 0.
    const target =
      open === 1 && !sizes.includes(0)
        ? this.ints(sizes.map((s) => (typeof s === 'number' ? s : -1)))
        : this.sizes(sizes);
    return this.node('Reshape', [x, target], { shape: sizes.map((s) => (typeof s === 'number' ? s : null)) });
  }

  transpose(x: Value, order: readonly number[]): Value {
    if (order.every((axis, i) => axis === i)) return x;
    return this.node('Transpose', [x], { shape: order.map((a) => x.shape[a]!) }, { perm: { ints: order } });
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    const shape: Dim[] = [...x.shape];
    for (const axis of axes) shape.splice(axis, 0, 1);
    return this.node('Unsqueeze', [x, this.ints(axes)], { shape });
  }

  squeeze(x: Value, axes: readonly number[]): Value {
    return this.node('Squeeze', [x, this.ints(axes)], { shape: x.shape.filter((_, i) => !axes.includes(i)) });
  }

  /** Axes of size 1 at the end, up to a rank. */
  widen(x: Value, rank: number): Value {
    const missing = Array.from({ length: Math.max(0, rank - x.shape.length) }, (_, i) => x.shape.length + i);
    return missing.length === 0 ? x : this.unsqueeze(x, missing);
  }

  concat(parts: readonly Value[], axis: number): Value {
    if (parts.length === 1) return parts[0]!;
    const sizes = parts.map((p) => p.shape[axis] ?? null);
    const total = sizes.reduce<Dim>((a, b) => (a === null || b === null ? null : a + b), 0);
    const shape = parts[0]!.shape.map((d, i) =>
      i === axis ? total : (parts.map((p) => p.shape[i]).find((s) => s !== null) ?? d),
    );
    return this.node('Concat', parts, { shape }, { axis: { int: axis } });
  }

  /** Elements from `start` to before `end` along an axis; counted from the end where negative. */
  slice(x: Value, axis: number, start: number, end: number | null): Value {
    const size = x.shape[axis] ?? null;
    const at = (n: number): number => (size === null ? n : n < 0 ? Math.max(0, n + size) : Math.min(n, size));
    const length = size === null ? null : Math.max(0, (end === null ? size : at(end)) - at(start));
    return this.node('Slice', [x, this.ints([start]), this.ints([end ?? Number.MAX_SAFE_INTEGER]), this.ints([axis])], {
      shape: x.shape.map((d, i) => (i === axis ? length : d)),
    });
  }

  /** An axis in the opposite order. */
  flip(x: Value, axis: number): Value {
    return this.node('Slice', [
      x,
      this.ints([-1]),
      this.ints([-Number.MAX_SAFE_INTEGER]),
      this.ints([axis]),
      this.ints([-1]),
    ]);
  }

  /** Repeats elements along axes of size 1, up to given sizes. */
  expand(x: Value, sizes: readonly Size[]): Value {
    return this.node('Expand', [x, this.sizes(sizes)], {
      shape: broadcast(
        x.shape,
        sizes.map((s) => (typeof s === 'number' ? s : null)),
      ),
    });
  }

  /** A reduction that takes its axes as an attribute in opset 17. */
  reduce(op: 'ReduceMean' | 'ReduceMax', x: Value, axes: readonly number[], keep = false): Value {
    return this.node(
      op,
      [x],
      { shape: reduced(x.shape, axes, keep) },
      { axes: { ints: axes }, keepdims: { int: keep ? 1 : 0 } },
    );
  }

  sum(x: Value, axes: readonly number[], keep = false): Value {
    return this.node(
      'ReduceSum',
      [x, this.ints(axes)],
      { shape: reduced(x.shape, axes, keep) },
      { keepdims: { int: keep ? 1 : 0 } },
    );
  }

  /** Is any element of a bool true? */
  any(x: Value, axes: readonly number[], keep = false): Value {
    return this.greater(this.sum(this.cast(x, 'int32'), axes, keep), this.number(0, 'int32'));
  }

  /** 0, 1, ... up to before the size of an axis, int64 [n]. */
  range(x: Value, axis: number): Value {
    const size = x.shape[axis] ?? null;
    if (size !== null && size <= 4096) return this.ints(Array.from({ length: size }, (_, i) => i));
    const limit = this.squeeze(this.sizeOf(x, axis), [0]);
    return this.node('Range', [this.number(0, 'int64'), limit, this.number(1, 'int64')], {
      shape: [size],
      type: 'int64',
    });
  }

  matmul(a: Value, b: Value): Value {
    const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.node('MatMul', [a, b], { shape: [...lead, a.shape.at(-2) ?? null, b.shape.at(-1) ?? null] });
  }

  softmax(x: Value, axis: number): Value {
    return this.unary('Softmax', x, { axis: { int: axis } });
  }
}

function reduced(shape: readonly Dim[], axes: readonly number[], keep: boolean): Dim[] {
  return keep ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));
}

/** The shape of an elementwise result. A size that is open may turn out to be 1. */
export function broadcast(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.length - rank + i < 0 ? 1 : a[a.length - rank + i]!;
    const y = b.length - rank + i < 0 ? 1 : b[b.length - rank + i]!;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    return x ?? y;
  });
}

/** A value with a mask. */
export const masked = (value: Value, mask: Value | null): Value => ({ ...value, mask });

/** An attribute as its message. */
export function attributeMessage(name: string, attribute: Attribute): object {
  if ('int' in attribute) return { name, type: ATTRIBUTE_TYPES.int, i: BigInt(attribute.int) };
  if ('float' in attribute) return { name, type: ATTRIBUTE_TYPES.float, f: attribute.float };
  if ('text' in attribute) return { name, type: ATTRIBUTE_TYPES.string, s: text.encode(attribute.text) };
  if ('ints' in attribute) return { name, type: ATTRIBUTE_TYPES.ints, ints: attribute.ints.map(BigInt) };
  if ('floats' in attribute) return { name, type: ATTRIBUTE_TYPES.floats, floats: attribute.floats };
  return { name, type: ATTRIBUTE_TYPES.strings, strings: attribute.texts.map((t) => text.encode(t)) };
}
