import { Command } from '@recurra/kernels';
import type { DType, Shape } from '@recurra/tensor';
import {
  broadcastStrides,
  isContiguous,
  type NDArray,
  ndarray,
  rowMajorStrides,
  sameShape,
  sizeOf,
} from '@recurra/tensor/extend';
import { COPY } from '../families/elementwise.js';
import type { ElementwiseOperation, PrimitiveRules } from '../families/family.js';
import { rulesOf } from '../families/index.js';
import { fusedProduct, type Product, type Surroundings } from '../families/matmul.js';
import { type Graph, isUniform, type Node, type Value } from '../graph.js';
import { type ScanParams, scanPrimitive } from '../scan.js';
import type { Variable } from '../variable.js';
import { Buffer, bufferAround, bytesOf, denseRef, mergeAxes, type Ref } from './buffer.js';
import { chainWalk, emitChainCommand } from './chain-command.js';
import type { Emission } from './emission.js';
import { dtypesOf, isEvaluated, lacking, missingText } from './evaluation.js';
import { emitLowered } from './lowering.js';
import { Address, isCommand, Program } from './program.js';
import { refusingNodes } from './refusals.js';
import type { ChainOperation } from './registers.js';
import type { Schedule } from './schedule.js';
import { everyCommand, type Supports } from './supports.js';
import { type Unit, Units } from './units.js';
import { commonDims, MAX_DIMS } from './walk.js';

/** From this much work a step on, a loop is shared among workers, who meet several times in each step. */
const SHARED_LOOP = 200_000;

/** What a planner found. */
interface Planned {
  readonly program: Program;
  readonly inputs: readonly (Ref | null)[];
  readonly outputs: readonly Ref[];
  readonly constants: readonly { readonly buffer: Buffer; readonly array: NDArray }[];
  readonly variables: readonly Variable[];
  readonly updated: readonly Variable[];
  /** What was fused and planned, for explanations. */
  readonly notes: readonly string[];
}

/** The schedule of a graph for engines that answer so. Nothing of an engine is touched. */
export function schedule(graph: Graph, supports: Supports = everyCommand): Schedule {
  const { program, inputs, outputs, constants, variables, updated, notes } = new Planner(graph, supports).plan();
  const { steps, buffers } = program;
  const work = steps.reduce((sum, step) => sum + (isCommand(step) ? step.work : 0), 0);
  return { graph, steps, buffers: [...buffers], inputs, outputs, constants, variables, updated, work, notes };
}

/** Turns a graph into a program: views become strides, element-wise neighbours one pass, updates happen in place. */
class Planner implements Emission, Surroundings {
  private readonly graph: Graph;
  private readonly refs = new Map<Value, Ref>();
  private readonly writers = new Map<Buffer, Node>();
  private readonly constants = new Map<NDArray, Buffer>();
  private readonly variableBuffers = new Map<Variable, Buffer>();
  readonly program: Program;
  private readonly supports: Supports;
  private readonly operations = new Map<Node, ElementwiseOperation>();
  /** Nodes that cost less to compute again than to keep: random numbers, and what follows from them and scalars alone. */
  private readonly free = new Set<Node>();
  private readonly products = new Map<Node, Product>();
  private readonly units: Units;
  private readonly readers = new Map<Value, Node[]>();
  private readonly results = new Set<Value>();
  private readonly staged = new Set<Buffer>();
  private readonly copies = new Map<Buffer, Map<string, Ref>>();
  private readonly notes: string[] = [];

  /** Constants of loops' bodies. */
  private readonly innerConstants: { readonly buffer: Buffer; readonly array: NDArray }[] = [];

  /** @param given places of inputs that lie elsewhere: what the body of a loop takes from around it */
  constructor(graph: Graph, supports: Supports, given: ReadonlyMap<Value, Ref> = new Map()) {
    this.graph = graph;
    this.supports = supports;
    this.program = new Program(supports);
    this.units = new Units(graph.nodes.length);
    for (const [value, ref] of given) this.refs.set(value, ref);
    this.given = new Set([...given.values()].map((ref) => ref.buffer));
  }
  private readonly given: ReadonlySet<Buffer>;

  /** The program of the graph. */
  plan(): Planned {
    const { graph, program } = this;
    const inputs = graph.inputs.map((value) => {
      const ref = this.refOf(value);
      if (!this.given.has(ref.buffer)) ref.buffer.first = -1;
      return ref;
    });
    for (const value of [...graph.outputs, ...graph.updates.map((u) => u.value)]) this.results.add(value);
    for (const node of graph.nodes)
      for (const value of new Set(node.inputs)) {
        const list = this.readers.get(value);
        if (list) list.push(node);
        else this.readers.set(value, [node]);
      }
    for (const node of graph.nodes) this.analyse(node);
    this.group();
    const order = this.units.ordered();
    const copied = this.placeUpdates(order);
    for (const unit of order) this.emit(unit);
    // Results that show a block which is about to change are copied first.
    const changing = new Set(copied.map((u) => this.variableBuffer(u.variable)));
    const outputs = graph.outputs.map((value) => {
      const ref = this.refOf(value);
      if (!changing.has(ref.buffer)) return ref;
      const copy = denseRef(ref.dtype, ref.shape);
      this.emitCopy(ref, copy, 'copy');
      return copy;
    });
    this.emitCopies(copied);
    for (const { buffer } of outputs) program.touch(buffer);
    for (const { buffer } of inputs) if (buffer.last > -2) program.buffers.add(buffer);
    return {
      program,
      inputs: inputs.map((ref) => (program.buffers.has(ref.buffer) ? ref : null)),
      outputs,
      constants: [
        ...[...this.constants]
          .filter(([, buffer]) => program.buffers.has(buffer))
          .map(([array, buffer]) => ({ array, buffer })),
        ...this.innerConstants,
      ],
      variables: [...this.variableBuffers.keys()],
      updated: graph.updates.map((u) => u.variable),
      notes: this.notes,
    };
  }

  // ---------------------------------------------------------------- values and their places
  refOf(value: Value): Ref {
    const known = this.refs.get(value);
    if (known) return known;
    let ref: Ref;
    const { source, shape, dtype } = value;
    if (source.kind === 'constant') ref = this.constantRef(source.array);
    else if (source.kind === 'variable') {
      ref = { buffer: this.variableBuffer(source.variable), dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
    } else ref = denseRef(dtype, shape);
    this.refs.set(value, ref);
    return ref;
  }

  private variableBuffer(variable: Variable): Buffer {
    let buffer = this.variableBuffers.get(variable);
    if (!buffer) {
      buffer = new Buffer(variable.dtype, sizeOf(variable.shape));
      buffer.place = 'fixed';
      buffer.variable = variable;
      this.variableBuffers.set(variable, buffer);
    }
    return buffer;
  }

  private constantRef(array: NDArray): Ref {
    const { dtype, shape } = array;
    const uniform = isUniform(array);
    let buffer = this.constants.get(array);
    if (!buffer) {
      buffer = new Buffer(dtype, uniform ? 1 : sizeOf(shape));
      buffer.place = 'own';
      this.constants.set(array, buffer);
    }
    return { buffer, dtype, shape, strides: uniform ? shape.map(() => 0) : rowMajorStrides(shape), offset: 0 };
  }

  /** A constant scalar. */
  scalar(dtype: DType, value: number): Ref {
    const array = ndarray(dtype, []);
    array.data[0] = value;
    return this.constantRef(array);
  }

  // ---------------------------------------------------------------- what each node is
  private analyse(node: Node): void {
    const rules = rulesOf(node.primitive);
    if (rules?.view) {
      const views = rules.view(this.refOf(node.inputs[0]!), node.params as never, node);
      if (views) {
        node.outputs.forEach((value, i) => {
          this.refs.set(value, views[i]!);
        });
        return;
      }
      if (node.outputs[0]!.dtype !== 'float64' && this.isChained(node)) this.operations.set(node, COPY);
    } else {
      const operation = rules?.chain?.(node);
      if (operation && this.isChained(node)) this.operations.set(node, operation);
    }
    for (const value of node.outputs) this.writers.set(this.refOf(value).buffer, node);
    if (this.isFree(node)) this.free.add(node);
  }

  /** Has the engine chains over what the node reads and writes? */
  private isChained(node: Node): boolean {
    return this.supports(Command.chain, dtypesOf(node));
  }

  /** The uniform numbers that a chain draws for itself in place of this node. */
  private drawn(node: Node): { readonly stream: number } | null {
    const drawn = rulesOf(node.primitive)?.draws?.(node) ?? null;
    return drawn && this.isChained(node) && lacking(node, this.supports) === null ? drawn : null;
  }

  private isFree(node: Node): boolean {
    if (this.drawn(node)) return true;
    const shape = node.outputs[0]!.shape;
    if (!this.operations.has(node) || isFlat(node)) return false;
    let sources = 0;
    for (const value of node.inputs) {
      const { source } = value;
      if (source.kind === 'node' && this.free.has(source.node)) {
        if (!sameShape(value.shape, shape)) return false;
        sources++;
      } else if (source.kind !== 'constant' || !isUniform(source.array)) return false;
    }
    return sources > 0;
  }

  /** The node that writes what a value shows, if any. */
  private writer(value: Value): Node | undefined {
    return this.writers.get(this.refOf(value).buffer);
  }

  /** The nodes that must have run before `node`; in place of free ones, what those need. */
  private needs(inputs: readonly Value[]): Set<Node> {
    const result = new Set<Node>();
    for (const value of inputs) {
      for (const token of barriersOf(value)) {
        const first = this.writer(token);
        if (first) result.add(first);
      }
      const node = this.writer(value);
      if (!node) continue;
      if (this.free.has(node) && !this.units.of(node)) for (const inner of this.needs(node.inputs)) result.add(inner);
      else result.add(node);
    }
    return result;
  }

  // ---------------------------------------------------------------- units
  private group(): void {
    const absorbed = this.matchProducts();
    for (const node of this.graph.nodes) {
      if (!this.writers.has(this.refOf(node.outputs[0]!).buffer) || this.isView(node) || absorbed.has(node)) continue;
      if (this.free.has(node) && !this.isKept(node)) continue;
      const operation = this.operations.get(node);
      if (operation) this.addChain(node, operation);
      else if (this.products.has(node)) {
        const { bias, output, absorbed: taken } = this.products.get(node)!;
        const nodes = [node, ...taken];
        this.units.add('matmul', nodes, this.needs(bias ? [...node.inputs, bias] : node.inputs));
        // Whoever reads the result finds this unit.
        this.writers.set(this.refOf(output).buffer, nodes[nodes.length - 1]!);
      } else this.units.add('other', [node], this.needs(node.inputs));
    }
  }

  private isView(node: Node): boolean {
    return this.writers.get(this.refOf(node.outputs[0]!).buffer) !== node;
  }

  /** Is a free node read by more than chains of its own size, so that it has to lie in memory? */
  private isKept(node: Node): boolean {
    return node.outputs.some(
      (value) =>
        this.results.has(value) ||
        (this.readers.get(value) ?? []).some(
          (reader) =>
            !this.operations.has(reader) || isFlat(reader) || !sameShape(reader.outputs[0]!.shape, value.shape),
        ),
    );
  }

  private addChain(node: Node, operation: ElementwiseOperation): void {
    const shape = this.iterationShape(node);
    const needs = this.needs(node.inputs);
    const steps = 1 + (operation.convert === null ? 0 : node.inputs.length);
    let unit = this.units.add('chain', [node], needs, sizeOf(shape), steps);
    for (const before of needs) {
      const other = this.units.of(before)!;
      if (other.kind !== 'chain' || other.count !== unit.count) continue;
      if (!this.passesOn(other, unit) || !this.passesOn(unit, other) || !this.walkTogether(other, unit)) continue;
      if (this.units.join(other, unit)) unit = other;
    }
  }

  /** Does chain b read what chain a computes element by element, so that a register can hand it on? */
  private passesOn(a: Unit, b: Unit): boolean {
    const made = new Set(a.nodes);
    return b.nodes.every((node) =>
      node.inputs.every((value) => {
        const writer = this.writer(value);
        return !writer || !made.has(writer) || this.isWhole(this.refOf(value));
      }),
    );
  }

  /** Is it all of its buffer, row-major? */
  private isWhole(ref: Ref): boolean {
    return ref.offset === 0 && isContiguous(ref) && ref.buffer.bytes === sizeOf(ref.shape) * bytesOf(ref.dtype);
  }

  private iterationShape(node: Node): Shape {
    // A change of shape that copies walks its input; both have the same elements in the same order.
    return isFlat(node) ? node.inputs[0]!.shape : node.outputs[0]!.shape;
  }

  /** Can one walk of at most four dimensions serve the operands of both chains? */
  private walkTogether(a: Unit, b: Unit): boolean {
    const shapes = [...a.nodes, ...b.nodes].map((node) => this.iterationShape(node));
    if (shapes.every((s) => sameShape(s, shapes[0]!) && s.length <= MAX_DIMS)) return true;
    return commonDims([...a.nodes, ...b.nodes].flatMap((n) => this.walks(n))) !== null;
  }

  private walks(node: Node): { dims: number[]; strides: number[] }[] {
    const shape = this.iterationShape(node);
    return node.inputs.map((value) => mergeAxes(shape, broadcastStrides(this.refOf(value), shape)));
  }

  /** Finds matrix products whose bias and activation can be applied as they are written. */
  private matchProducts(): Set<Node> {
    const absorbed = new Set<Node>();
    for (const node of this.graph.nodes) {
      if (!isProduct(node) || lacking(node, this.supports) !== null) continue;
      const product = fusedProduct(node, this);
      this.products.set(node, product);
      for (const one of product.absorbed) absorbed.add(one);
      if (product.note !== null) this.notes.push(product.note);
    }
    return absorbed;
  }

  /** The element-wise operation that alone reads a value, with its rules. */
  reader(value: Value): { readonly node: Node; readonly rules: PrimitiveRules } | null {
    const list = this.readers.get(value);
    if (list?.length !== 1 || this.results.has(value)) return null;
    const [node] = list as [Node];
    const rules = rulesOf(node.primitive);
    return rules && this.operations.has(node) ? { node, rules } : null;
  }

  /** Is it one row, the same for all rows of `like`, whose last axis it has, and known before `before`? */
  isRow(value: Value, like: Value, before: Node): boolean {
    const n = like.shape[like.shape.length - 1]!;
    const ref = this.refOf(value);
    const writer = this.writer(value);
    return (
      value.dtype === 'float32' &&
      sizeOf(value.shape) === n &&
      value.shape[value.shape.length - 1] === n &&
      isContiguous(ref) &&
      (!writer || (writer.index < before.index && !this.free.has(writer)))
    );
  }

  // ---------------------------------------------------------------- variables
  /**
   * Lets updates write into their variable's block where nothing is read from there later, and nothing can fail any more: variables of
   * a step that fails are as they were. Returns the others.
   */
  private placeUpdates(order: readonly Unit[]): { readonly variable: Variable; readonly value: Value }[] {
    const position = new Map(order.map((unit, i) => [unit, i]));
    const reading = new Map<Buffer, Set<Unit>>();
    for (const unit of order)
      for (const value of this.readBy(unit)) {
        const { buffer } = this.refOf(value);
        if (buffer.place !== 'fixed') continue;
        const set = reading.get(buffer);
        if (set) set.add(unit);
        else reading.set(buffer, new Set([unit]));
      }
    const refusing = refusingNodes(this.graph, (node) => isEvaluated(node, this.supports));
    // What can fail must come first: a step that fails leaves variables as they were.
    const lastRisk = order.findLastIndex((unit) => unit.nodes.some((node) => refusing.has(node)));
    const late = new Set([...this.results].map((value) => this.refOf(value).buffer));
    const rest: { variable: Variable; value: Value }[] = [];
    for (const update of this.graph.updates) {
      const block = this.variableBuffer(update.variable);
      const ref = this.refOf(update.value);
      const writer = this.writers.get(ref.buffer);
      const unit = writer && this.units.of(writer);
      const fits = unit && ref.buffer.place === 'arena' && this.isWhole(ref);
      const inOrder = (): boolean =>
        [...(reading.get(block) ?? [])].every((other) =>
          other === unit
            ? unit.kind === 'chain' && this.readsAligned(unit, block)
            : position.get(other)! < position.get(unit!)!,
        );
      if (fits && position.get(unit)! > lastRisk && !late.has(block) && inOrder()) {
        ref.buffer.place = 'fixed';
        ref.buffer.variable = block.variable;
        this.staged.add(ref.buffer);
      } else rest.push(update);
    }
    const placed = this.graph.updates.length - rest.length;
    if (this.graph.updates.length > 0)
      this.notes.push(`${placed} of ${this.graph.updates.length} variables updated in place`);
    return rest;
  }

  /** The values that a unit reads from memory. */
  private readBy(unit: Unit): Value[] {
    const inner = new Set(unit.nodes.flatMap((node) => [...node.outputs]));
    return unit.nodes.flatMap((node) => node.inputs.flatMap((v) => (inner.has(v) ? [] : this.expandFree(v))));
  }

  private expandFree(value: Value): Value[] {
    const node = this.writer(value);
    if (node && this.free.has(node) && !this.units.of(node)) return node.inputs.flatMap((v) => this.expandFree(v));
    return [value];
  }

  /** Does a chain read this block element by element, as it writes? */
  private readsAligned(unit: Unit, block: Buffer): boolean {
    return unit.nodes.every((node) =>
      node.inputs.every((value) => {
        const ref = this.refOf(value);
        if (ref.buffer !== block) return true;
        return ref.offset === 0 && isContiguous(ref) && sizeOf(ref.shape) === unit.count;
      }),
    );
  }

  private emitCopies(updates: readonly { readonly variable: Variable; readonly value: Value }[]): void {
    const blocks = new Set(updates.map((u) => this.variableBuffer(u.variable)));
    // What lies in a block that is itself about to change is read first.
    const sources = updates.map(({ value }) => {
      const ref = this.refOf(value);
      if (!blocks.has(ref.buffer)) return ref;
      const beside = denseRef(ref.dtype, ref.shape);
      this.emitCopy(ref, beside, 'copy');
      return beside;
    });
    updates.forEach(({ variable, value }, i) => {
      const to = { ...denseRef(value.dtype, value.shape), buffer: this.variableBuffer(variable) };
      this.emitCopy(sources[i]!, to, `assign ${variable.path}`);
    });
  }

  // ---------------------------------------------------------------- commands
  private emit(unit: Unit): void {
    if (unit.kind === 'chain') {
      this.emitChain(unit);
      return;
    }
    const node = unit.nodes[0]!;
    const missing = lacking(node, this.supports);
    if (missing !== null) this.emitHost(node, missing);
    else if (unit.kind === 'matmul') rulesOf(node.primitive)!.product!(this, node, this.products.get(node)!);
    else if (node.primitive === (scanPrimitive as unknown)) this.emitScan(node);
    else if (rulesOf(node.primitive)) this.emitOwn(node);
    else if (node.primitive.lower) emitLowered(this, node, (value) => this.isRead(value));
    else this.emitHost(node, 'no kernel');
  }

  private emitHost(node: Node, reason: string): void {
    this.program.host(
      node,
      node.inputs.map((v) => this.refOf(v)),
      node.outputs.map((v) => this.refOf(v)),
      reason,
    );
  }

  address(ref: Ref): Address {
    return new Address(ref.buffer, ref.offset * bytesOf(ref.dtype));
  }

  /** The elements in row-major order: `ref` itself, or a copy. */
  dense(ref: Ref): Ref {
    // What has no elements lies in any order; its strides must be those of rows all the same, since products are walked by them.
    if (sizeOf(ref.shape) === 0) return { ...ref, strides: rowMajorStrides(ref.shape) };
    if (isContiguous(ref)) return ref;
    const key = `${ref.shape.join()} ${ref.strides.join()} ${ref.offset}`;
    const known = this.copies.get(ref.buffer)?.get(key);
    if (known) return known;
    const copy = denseRef(ref.dtype, ref.shape);
    this.emitCopy(ref, copy, 'copy');
    // The block of a variable may change; everything else is written once.
    if (ref.buffer.place !== 'fixed') {
      const copies = this.copies.get(ref.buffer) ?? new Map<string, Ref>();
      this.copies.set(ref.buffer, copies.set(key, copy));
    }
    return copy;
  }

  emitCopy(from: Ref, to: Ref, label: string): void {
    if (sizeOf(from.shape) === 0) return;
    if (from.dtype === 'float64' || !this.supports(Command.chain, [from.dtype])) {
      this.copyOnHost(from, to);
      return;
    }
    const walk = commonDims([mergeAxes(from.shape, from.strides), mergeAxes(to.shape, to.strides)]);
    if (walk) {
      emitChainCommand(this, this.staged, {
        label,
        count: sizeOf(from.shape),
        walk,
        inputs: [{ ref: from, shape: from.shape }],
        outputs: [{ ref: to, shape: to.shape }],
        operations: [{ code: COPY.code, to: 1, a: 0, b: 0, c: 0 }],
        registers: 2,
      });
      return;
    }
    // More dimensions than a chain walks: one copy for each index of the outermost.
    const [n] = from.shape as readonly [number];
    for (let i = 0; i < n; i++) {
      const part = (ref: Ref): Ref => ({
        ...ref,
        shape: ref.shape.slice(1),
        strides: ref.strides.slice(1),
        offset: ref.offset + i * ref.strides[0]!,
      });
      this.emitCopy(part(from), part(to), label);
    }
  }

  private copyOnHost(from: Ref, to: Ref): void {
    const identity = {
      name: 'copy',
      abstract: () => [],
      evaluate: ([x]: readonly NDArray[]) => [x!],
      vjp: null,
      samples: [],
    };
    const node: Node = { index: -1, primitive: identity, inputs: [], params: null, outputs: [] };
    this.program.host(
      node,
      [from],
      [to],
      from.dtype === 'float64' ? 'float64' : missingText(Command.chain, [from.dtype]),
    );
  }

  private emitChain(unit: Unit): void {
    const nodes: Node[] = [];
    const taken = new Set<Node>();
    // Free nodes are computed again wherever they are needed.
    const take = (node: Node): void => {
      if (taken.has(node)) return;
      taken.add(node);
      for (const value of node.inputs) {
        const maker = this.writer(value);
        if (maker && this.free.has(maker) && !this.units.of(maker)) take(maker);
      }
      nodes.push(node);
    };
    unit.nodes.forEach(take);
    const own = new Set(unit.nodes);
    /** Registers of what is computed here, by the buffer that it would lie in. */
    const inside = new Map<Buffer, number>();
    const inputs: { ref: Ref; shape: Shape; random?: { readonly stream: number }; register: number }[] = [];
    const operations: ChainOperation[] = [];
    let registers = 0;
    const keys = new Map<string, number>();
    const operand = (value: Value, shape: Shape): number => {
      const ref = this.refOf(value);
      const made = inside.get(ref.buffer);
      if (made !== undefined) return made;
      const key = `${value.id} ${shape.join()}`;
      let register = keys.get(key);
      if (register === undefined) {
        register = registers++;
        keys.set(key, register);
        inputs.push({ ref, shape, register });
      }
      return register;
    };
    for (const node of nodes) {
      const random = this.drawn(node);
      if (random) {
        const register = registers++;
        const shape = node.outputs[0]!.shape;
        inputs.push({ ref: this.dense(this.refOf(node.inputs[0]!)), shape, random, register });
        inside.set(this.refOf(node.outputs[0]!).buffer, register);
        continue;
      }
      const { code, convert } = this.operations.get(node)!;
      const shape = this.iterationShape(node);
      const args = node.inputs.map((value) => {
        const register = operand(value, shape);
        if (convert === null || value.dtype === 'float32') return register;
        const converted = registers++;
        operations.push({ code: convert, to: converted, a: register, b: 0, c: 0 });
        return converted;
      });
      const to = registers++;
      operations.push({ code, to, a: args[0]!, b: args[1] ?? 0, c: args[2] ?? 0 });
      inside.set(this.refOf(node.outputs[0]!).buffer, to);
    }
    const outputs = unit.nodes
      .map((node) => node.outputs[0]!)
      .filter((value) => this.isReadOutside(value, own))
      .map((value) => {
        const ref = this.refOf(value);
        return { ref, shape: value.shape, register: inside.get(ref.buffer)! };
      });
    if (outputs.length === 0 || unit.count === 0) return;
    const names = unit.nodes.map((n) => n.primitive.name);
    if (names.length > 1)
      this.notes.push(`${names.length} operations in one pass over ${unit.count}: ${names.join(', ')}`);
    const label = names.length > 4 ? `${names.slice(0, 3).join(' ')} ... ${names[names.length - 1]}` : names.join(' ');
    const { count } = unit;
    const walk = chainWalk(this, inputs, count);
    emitChainCommand(this, this.staged, { label, count, walk, inputs, outputs, operations, registers });
  }

  private isReadOutside(value: Value, own: ReadonlySet<Node>): boolean {
    if (this.results.has(value)) return true;
    return (this.readers.get(value) ?? []).some((reader) =>
      this.isView(reader) ? reader.outputs.some((view) => this.isReadOutside(view, own)) : !own.has(reader),
    );
  }

  private emitOwn(node: Node): void {
    const isWide = dtypesOf(node).includes('float64');
    const rules = isWide ? undefined : rulesOf(node.primitive);
    if (!rules?.emit?.(this, node)) this.emitHost(node, isWide ? 'float64' : 'no kernel');
  }

  /** Does anybody want it? */
  private isRead(value: Value): boolean {
    return this.readers.has(value) || this.results.has(value);
  }

  /** A loop: its body is planned like a step of its own, inside of one buffer of this one. */
  private emitScan(node: Node): void {
    const { body, carries, elements, length, reverse } = node.params as ScanParams;
    const outer = node.inputs.map((value) => this.refOf(value));
    const given = new Map(
      body.inputs.slice(carries + elements).map((value, i) => [value, outer[carries + elements + i]!]),
    );
    const planner = new Planner(body, this.supports, given);
    const inner = planner.plan();
    const slots = body.inputs.slice(0, carries + elements).map((value) => planner.refOf(value));
    // What a step hands on must not lie in the slot of another carry, which would be overwritten before it is read.
    const carrySlots = new Set(slots.slice(0, carries).map((ref) => ref.buffer));
    const results = inner.outputs.map((ref, i) => {
      if (i < carries && isSame(ref, slots[i]!)) return ref;
      if (!carrySlots.has(ref.buffer) && isContiguous(ref)) return ref;
      const copy = denseRef(ref.dtype, ref.shape);
      planner.emitCopy(ref, copy, 'copy');
      return copy;
    });
    const evaluated = inner.program.steps.flatMap((step) => (isCommand(step) ? [] : [`${step.label}: ${step.reason}`]));
    if (evaluated.length > 0) {
      this.emitHost(node, `in its body, ${[...new Set(evaluated)].join('; ')}`);
      return;
    }
    const end = inner.program.position;
    for (const { buffer } of [...slots, ...results]) {
      buffer.first = -1;
      buffer.last = end;
    }
    const own = [...new Set([...inner.program.buffers, ...[...slots, ...results].map((ref) => ref.buffer)])].filter(
      (buffer) => buffer.place === 'arena' && !this.isOuter(buffer, outer),
    );
    bufferAround(own);
    for (const buffer of inner.program.buffers)
      if (buffer.place === 'own' && !this.isOuter(buffer, outer)) this.program.buffers.add(buffer);
    this.innerConstants.push(...inner.constants.filter(({ buffer }) => !this.isOuter(buffer, outer)));

    for (let i = 0; i < carries; i++) this.emitCopy(outer[i]!, slots[i]!, 'carry');
    const stacked = outer.slice(carries, carries + elements).map((ref) => this.dense(ref));
    const bytes = (ref: Ref): number => sizeOf(ref.shape) * bytesOf(ref.dtype);
    const used = (i: number): boolean => this.isRead(node.outputs[i]!);
    const copy = (slot: Ref, base: Ref): { slot: Address; base: Address; bytes: number } => ({
      slot: this.address(slot),
      base: this.address(base),
      bytes: bytes(slot),
    });
    const ins = stacked.map((ref, i) => copy(slots[carries + i]!, ref));
    const count = body.outputs.length;
    const outs = [
      ...results.slice(carries).map((ref, i) => ({ ref, output: carries + i })),
      ...slots.slice(0, carries).map((ref, i) => ({ ref, output: count + i })),
    ]
      .filter(({ output }) => used(output))
      .map(({ ref, output }) => copy(ref, this.refOf(node.outputs[output]!)));
    const moves = results
      .slice(0, carries)
      .flatMap((ref, i) =>
        isSame(ref, slots[i]!) ? [] : [{ from: this.address(ref), to: this.address(slots[i]!), bytes: bytes(ref) }],
      );
    const commands = inner.program.steps.filter(isCommand);
    const each = commands.reduce((sum, command) => sum + command.work, 0);
    this.program.command(
      `scan of ${length} steps`,
      Command.loop,
      { count: length, reverse: reverse ? 1 : 0 },
      each * length,
      { records: { ins, outs, carries: moves }, body: commands, shared: each >= SHARED_LOOP },
    );
    for (let i = 0; i < carries; i++) if (used(i)) this.emitCopy(slots[i]!, this.refOf(node.outputs[i]!), 'carry');
    this.notes.push(`a loop of ${length} steps, ${commands.length} commands each`, ...inner.notes.map((n) => `  ${n}`));
  }

  private isOuter(buffer: Buffer, outer: readonly Ref[]): boolean {
    return outer.some((ref) => ref.buffer === buffer);
  }
}

/** Is it a matrix product that has a kernel? */
function isProduct(node: Node): boolean {
  return rulesOf(node.primitive)?.product !== undefined && node.outputs[0]!.dtype === 'float32';
}

/** Does it give the elements of its input in their order? */
function isFlat(node: Node): boolean {
  return rulesOf(node.primitive)?.flat ?? false;
}

/** What must be there before a value may be used: the second inputs of the barriers that it was seen through. */
function barriersOf(value: Value): Value[] {
  const tokens: Value[] = [];
  for (let { source } = value; source.kind === 'node'; { source } = source.node.inputs[0]!) {
    const { node } = source;
    const rules = rulesOf(node.primitive);
    if (rules?.token !== undefined) tokens.push(node.inputs[rules.token]!);
    else if (!rules?.view) break;
  }
  return tokens;
}

/** Do both show the same elements in the same way? */
function isSame(a: Ref, b: Ref): boolean {
  return a.buffer === b.buffer && a.offset === b.offset && isContiguous(a) && isContiguous(b);
}
