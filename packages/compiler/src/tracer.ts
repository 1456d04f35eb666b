import { type DType, type Shape, Tensor, TraceError } from '@recurra/tensor';
import {
  type Aval,
  type Interpreter,
  isFloating,
  type NDArray,
  nextLevel,
  type Primitive,
  type Trace,
} from '@recurra/tensor/extend';
import { rulesOf } from './families/index.js';
import { Graph, isUniform, type Node, type Source, type Update, Value } from './graph.js';
import type { Check } from './guard.js';
import { copyOf, keyOf } from './params.js';
import { simplify } from './simplify.js';
import type { Variable } from './variable.js';

/** The mark of a value that a tracer knows. */
interface Mark extends Trace {
  readonly interpreter: Tracer;
  readonly value: Value;
}

/** A check of an argument's data, made before every run. */
export interface Guard {
  readonly input: number;
  readonly check: Check;
}

/**
 * Records the operations of a function as a graph. Equal operations on equal values are recorded once; operations on
 * constants alone never come here, since they are evaluated as they are met.
 */
export class Tracer implements Interpreter {
  readonly level: number = nextLevel();
  private readonly nodes: Node[] = [];
  private readonly inputs: Value[] = [];
  private readonly constants = new Map<NDArray | string, Value>();
  private readonly known = new Map<string, Node>();
  private readonly variables = new Map<Variable, { readonly initial: Tensor; now: Tensor }>();
  /** What the function closes over from outside of the trace: further inputs of the graph (loops have them). */
  readonly captured: Tensor[] = [];
  private readonly captures = new Map<Tensor | Value, Value>();
  private readonly capturing: boolean;
  /** Checks to make before every run. */
  readonly guards: Guard[] = [];
  private values = 0;

  /** @param capturing values of outer transformations become inputs, rather than errors */
  constructor(options: { readonly capturing?: boolean } = {}) {
    this.capturing = options.capturing ?? false;
  }

  private value(shape: Shape, dtype: DType, source: Source): Value {
    return new Value(this.values++, shape, dtype, source);
  }

  /** A further input of the graph, as a tensor to compute with. */
  input(aval: Aval): Tensor {
    const value = this.value(aval.shape, aval.dtype, { kind: 'input', index: this.inputs.length });
    this.inputs.push(value);
    return this.tensorOf(value);
  }

  /** The value behind a tensor: known, constant, or captured. */
  valueOf(tensor: Tensor, operation: string): Value {
    if (tensor.trace?.interpreter === this) return (tensor.trace as Mark).value;
    if (tensor.trace === null && tensor.array !== null) return this.constant(tensor.array);
    if (!this.capturing)
      throw new TraceError(
        `${operation}: expected values of the function that is being compiled, received one of shape [${tensor.shape.join(', ')}] that belongs to another transformation. Pass it as an argument, or return it from the function that made it.`,
      );
    const outer = tensor.trace?.interpreter instanceof Tracer ? (tensor.trace as Mark).value : tensor;
    let value = this.captures.get(outer);
    if (!value) {
      value = this.value(tensor.shape, tensor.dtype, { kind: 'input', index: -1 });
      this.captures.set(outer, value);
      this.captured.push(tensor);
    }
    return value;
  }

  private constant(array: NDArray): Value {
    // Equal numbers are one constant, however often they were written.
    const key = isUniform(array)
      ? `${array.dtype} ${array.shape.join()} ${Object.is(array.data[array.offset], -0) ? '-0' : array.data[array.offset]}`
      : array;
    let value = this.constants.get(key);
    if (!value) {
      value = this.value(array.shape, array.dtype, { kind: 'constant', array });
      this.constants.set(key, value);
    }
    return value;
  }

  /** A tensor that stands for a value; constants stay concrete, so that what follows from them is computed at once. */
  tensorOf(value: Value): Tensor {
    const { source } = value;
    if (source.kind === 'constant') return new Tensor(value.shape, value.dtype, source.array);
    const mark: Mark = { interpreter: this, value };
    return new Tensor(value.shape, value.dtype, null, mark);
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const values = inputs.map((input) => this.valueOf(input, primitive.name));
    const outputs = primitive.abstract(values, params);
    const simple = simplify(primitive as unknown as Primitive<unknown>, values, params, outputs);
    if (simple) {
      if (simple.kind === 'value') return [this.tensorOf(simple.value)];
      return this.apply(primitive, simple.inputs, simple.params as P, outputs);
    }
    return this.apply(primitive, values, params, outputs);
  }

  private apply<P>(primitive: Primitive<P>, values: readonly Value[], params: P, outputs: readonly Aval[]): Tensor[] {
    const content = keyOf(params);
    const key = content === null ? null : `${primitive.name} ${values.map((v) => v.id).join()} ${content}`;
    let node = key === null ? undefined : this.known.get(key);
    if (!node || node.primitive !== (primitive as unknown)) {
      node = {
        index: this.nodes.length,
        primitive: primitive as unknown as Primitive<unknown>,
        inputs: values,
        params: copyOf(params),
        outputs: [],
      };
      const made: Node = node;
      node.outputs = outputs.map(({ shape, dtype }, output) =>
        this.value(shape, dtype, { kind: 'node', node: made, output }),
      );
      this.nodes.push(node);
      if (key !== null) this.known.set(key, node);
    }
    return node.outputs.map((value) => this.tensorOf(value));
  }

  private entry(variable: Variable): { readonly initial: Tensor; now: Tensor } {
    let entry = this.variables.get(variable);
    if (!entry) {
      const { shape, dtype } = variable;
      const initial = this.tensorOf(this.value(shape, dtype, { kind: 'variable', variable }));
      entry = { initial, now: initial };
      this.variables.set(variable, entry);
    }
    return entry;
  }

  /** The value of a variable at this point of the function. */
  read(variable: Variable): Tensor {
    return this.entry(variable).now;
  }

  /** Assigns a variable. */
  write(variable: Variable, value: Tensor): void {
    this.entry(variable).now = value;
  }

  /** Notes a check of an argument; see the function of this name. */
  guard(tensor: Tensor, check: Check): void {
    if (tensor.trace?.interpreter !== this) return;
    let { source } = (tensor.trace as Mark).value;
    while (source.kind === 'node' && rulesOf(source.node.primitive)?.checkedAsInput)
      source = source.node.inputs[0]!.source;
    if (source.kind === 'input') this.guards.push({ input: source.index, check });
  }

  /** The finished graph. */
  finish(results: readonly Tensor[], operation: string): Graph {
    const outputs = results.map((tensor) => this.valueOf(tensor, operation));
    const updates: Update[] = [];
    for (const [variable, { initial, now }] of this.variables)
      if (now !== initial) updates.push({ variable, value: this.valueOf(now, variable.path) });
    return new Graph([...this.inputs, ...this.captures.values()], this.nodes, outputs, updates);
  }
}

/** The zero gradient that a transformation puts where nothing flows, seen through any marks? */
export function isZero(tensor: Tensor): boolean {
  const { array } = tensor;
  if (array === null || !isFloating(tensor.dtype)) return false;
  return array.shape.every((d, i) => d === 1 || array.strides[i] === 0) && array.data[array.offset] === 0;
}
