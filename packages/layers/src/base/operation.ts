import { ValueError } from '@recurra/tensor';
import { hasSymbolic, type Spec, SymbolicTensor } from './symbolic.js';
import { leavesOf, mapTree, sortedLeaves } from './tree.js';

/** What does something with tensors and has a name: layers, and what users build on {@link Operation}. */
export interface Named {
  readonly name: string;
}

/**
 * One call of an operation on symbolic tensors, as a graph remembers it: `inputs` and `options` as they were given (trees with
 * symbolic tensors among them), `outputs` in the structure that the operation gives.
 */
export class Call {
  readonly operation: Operation;
  readonly inputs: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputs: unknown;

  constructor(operation: Operation, inputs: unknown, options: Readonly<Record<string, unknown>>, specs: unknown) {
    this.operation = operation;
    this.inputs = inputs;
    this.options = options;
    let index = 0;
    this.outputs = mapTree(specs, (spec) => (isSpec(spec) ? new SymbolicTensor(spec, this, index++) : spec));
  }

  /** The symbolic tensors that the call takes, among its inputs and its options, in Keras' order. */
  get sources(): SymbolicTensor[] {
    return sortedLeaves([this.inputs, this.options]).filter((leaf) => leaf instanceof SymbolicTensor);
  }

  /** The symbolic tensors that the call gives. */
  get results(): SymbolicTensor[] {
    return leavesOf(this.outputs).filter((leaf) => leaf instanceof SymbolicTensor);
  }
}

/** Specs are instances, so that trees of them can be told from what surrounds them. */
export class SpecOf implements Spec {
  readonly shape: Spec['shape'];
  readonly dtype: Spec['dtype'];

  constructor(shape: Spec['shape'], dtype: Spec['dtype']) {
    this.shape = shape;
    this.dtype = dtype;
  }
}

function isSpec(value: unknown): value is Spec {
  return value instanceof SpecOf;
}

/**
 * A function of trees of tensors with a name. On values it computes; where a symbolic tensor is among what it is given, it records
 * a {@link Call} and gives symbolic tensors. Keras `Operation`.
 */
export abstract class Operation implements Named {
  abstract readonly name: string;

  /** The results for values. */
  protected abstract compute(inputs: unknown, options: Readonly<Record<string, unknown>>): unknown;

  /** What the results will be, as a tree of {@link SpecOf}, for inputs of which as much is known. */
  protected abstract specify(inputs: unknown, options: Readonly<Record<string, unknown>>): unknown;

  /** @internal Computes or records. */
  protected invoke(inputs: unknown, options: Readonly<Record<string, unknown>>): unknown {
    if (!hasSymbolic(inputs) && !hasSymbolic(options)) return this.compute(inputs, options);
    if (options['mask'] !== undefined && options['mask'] !== null && !hasSymbolic(options['mask']))
      throw new ValueError(
        `"${this.name}": expected a symbolic mask in a call on symbolic tensors, received a tensor. Masks of values come with the values.`,
      );
    return new Call(this, inputs, options, this.specify(inputs, options)).outputs;
  }
}
