import { Control, ErrorKind, HeapError, SCRATCH_BYTES } from '@recurra/kernels';
import { Tensor, type TypedArray, ValueError } from '@recurra/tensor';
import {
  copiedData,
  denseData,
  isContiguous,
  type NDArray,
  ndarray,
  rowMajorStrides,
  sizeOf,
} from '@recurra/tensor/extend';
import type { Executor } from '../executor.js';
import { type Graph, isUniform } from '../graph.js';
import type { Needs } from '../memory.js';
import { bytesOf, type Runtime } from '../runtime.js';
import type { Variable } from '../variable.js';
import { type Buffer, placeBuffers, type Ref } from './buffer.js';
import { type Layoutless, Planner } from './planner.js';
import { type Command, type HostCall, lengthOf } from './program.js';

/** Bytes of memory that a plan takes. */
export interface MemoryUse {
  /** Intermediate values, at their peak; all plans share one arena of the largest of these sizes. */
  readonly arena: number;
  /** What the intermediate values would take if each kept its own place. */
  readonly unplanned: number;
  /** Constants and commands. */
  readonly plan: number;
  /** Variables that the step reads or writes. */
  readonly variables: number;
}

/** The time of one command. */
export interface KernelTime {
  readonly label: string;
  readonly milliseconds: number;
}

/** A run of kernel commands, from one host call to the next: bytes from the beginning of the plan's block. */
interface Segment {
  readonly start: number;
  readonly end: number;
}

/** Elements of a result for which there might be no memory. */
const LARGE = 1 << 20;
const ALIGNMENT = 64;
const align = (n: number): number => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

/**
 * The memory of a plan: had when it first runs, given back once it is evicted and no call uses it. It knows nothing of the plan, so that
 * whoever keeps it to give it back does not keep the plan alive.
 */
export class PlanBlock {
  readonly bytes: number;
  private readonly runtime: Runtime;
  private readonly name: string;
  private place: number | null = null;
  private users = 0;
  private evicted = false;

  constructor(runtime: Runtime, bytes: number, name: string) {
    this.runtime = runtime;
    this.bytes = bytes;
    this.name = name;
  }

  get isPlaced(): boolean {
    return this.place !== null;
  }

  /** Its address, once it is placed. */
  get address(): number {
    return this.place!;
  }

  /** Takes memory, unless it has some. Throws `HeapError`. */
  allocate(): void {
    this.place ??= this.runtime.allocate(this.bytes, { kind: 'plans', name: this.name });
  }

  /** Gives the memory back. */
  release(): void {
    if (this.place !== null) this.runtime.release(this.place);
    this.place = null;
  }

  /** A call begins. */
  use(): void {
    this.users++;
  }

  /** A call has ended. */
  leave(): void {
    this.users--;
    this.releaseIfFree();
  }

  /** There will be no further calls. */
  evict(): void {
    this.evicted = true;
    this.releaseIfFree();
  }

  private releaseIfFree(): void {
    if (this.evicted && this.users === 0) this.release();
  }
}

/** A graph made ready to run: commands and constants in memory, and a place for every value. */
export class Plan {
  readonly graph: Graph;
  readonly name: string;
  readonly variables: readonly Variable[];
  readonly memory: MemoryUse;
  readonly notes: readonly string[];
  readonly work: number;
  private readonly runtime: Runtime;
  private readonly steps: readonly (Command | HostCall)[];
  private readonly inputs: readonly (Ref | null)[];
  private readonly outputs: readonly Ref[];
  private readonly updated: readonly Variable[];
  private readonly order: readonly (Segment | HostCall)[];
  /** Where every kernel command begins in the plan's block. */
  private readonly starts: readonly number[];
  /** Its constants and its program. */
  readonly block: PlanBlock;
  private readonly arenaBytes: number;
  /** Those that are not yet written to the block. */
  private constants: Layoutless['constants'];
  private linkedTo = -1;

  /** @param name that of the step, for messages */
  constructor(graph: Graph, runtime: Runtime, name: string) {
    this.graph = graph;
    this.name = name;
    this.runtime = runtime;
    const { program, inputs, outputs, constants, variables, updated, notes } = new Planner(graph).plan();
    this.steps = program.steps;
    this.inputs = inputs;
    this.outputs = outputs;
    this.variables = variables;
    this.updated = updated;
    this.notes = notes;
    this.constants = constants;
    for (const ref of outputs) ref.buffer.touch(this.steps.length);
    const arena = [...program.buffers].filter((b) => b.place === 'arena');
    this.arenaBytes = placeBuffers(arena);

    // The plan's own block: constants, then the program.
    let bytes = 0;
    for (const { buffer } of constants) {
      buffer.at = bytes;
      bytes += align(buffer.bytes);
    }
    const starts: number[] = [];
    const order: (Segment | HostCall)[] = [];
    let segment: { start: number; end: number } | null = null;
    for (const step of this.steps) {
      starts.push(bytes);
      if ('node' in step) {
        segment = null;
        order.push(step);
        continue;
      }
      if (!segment) {
        segment = { start: bytes, end: bytes };
        order.push(segment);
      }
      bytes += lengthOf(step) * 4;
      segment.end = bytes;
    }
    this.block = new PlanBlock(runtime, align(Math.max(bytes, 4)), name);
    this.starts = starts;
    this.order = order;
    this.work = this.steps.reduce((sum, step) => sum + ('words' in step ? step.work : 0), 0);
    this.memory = {
      arena: this.arenaBytes,
      unplanned: arena.reduce((sum, b) => sum + align(b.bytes), 0),
      plan: bytes,
      variables: variables.reduce((sum, v) => sum + v.bytes, 0),
    };
  }

  private writeConstant(buffer: Buffer, array: NDArray): void {
    const to = this.block.address + buffer.at;
    if (isUniform(array)) this.runtime.view(to, array.dtype, 1)[0] = array.data[array.offset]!;
    else this.runtime.write(to, array);
  }

  private addressOf(buffer: Buffer): number {
    if (buffer.variable) return buffer.variable.address();
    if (buffer.parent) return this.addressOf(buffer.parent) + buffer.at;
    return (buffer.place === 'own' ? this.block.address : this.runtime.arena.base) + buffer.at;
  }

  /**
   * Gives the plan, its variables and its intermediate values their places, and writes the commands with the addresses that hold now; to be
   * called before each run. Throws `MemoryError` where there is not enough memory; what was taken is then given back.
   */
  place(): void {
    const { arena, kernels } = this.runtime;
    if (this.linkedTo === arena.base && this.arenaBytes <= arena.bytes) return;
    this.allocate();
    const { i32 } = kernels.heap.arrays;
    const write = (command: Command, at: number): number => {
      i32.set(command.words, at);
      for (const { at: word, address } of command.fixups)
        i32[at + word] = this.addressOf(address.buffer) + address.bytes;
      return command.body.reduce((next, inner) => write(inner, next), at + command.words.length);
    };
    this.steps.forEach((step, i) => {
      if ('words' in step) write(step, (this.block.address + this.starts[i]!) / 4);
    });
    this.linkedTo = arena.base;
  }

  /** Takes the memory that the plan has not yet. */
  private allocate(): void {
    const { runtime, block, variables, arenaBytes } = this;
    const isNew = !block.isPlaced;
    const fresh = variables.filter((v) => !v.isPlaced);
    const sum = (list: readonly Variable[]): number => list.reduce((bytes, v) => bytes + align(v.bytes), 0);
    const needs: Needs = {
      arena: align(arenaBytes),
      plan: block.bytes,
      variables: sum(variables),
      held: sum(variables) - sum(fresh) + (isNew ? 0 : block.bytes),
    };
    runtime.expectRoom(this.name, needs);
    try {
      for (const variable of fresh) variable.address();
      block.allocate();
      runtime.arena.ensure(arenaBytes);
    } catch (error) {
      for (const variable of fresh) variable.forget();
      if (isNew) block.release();
      // Free ranges would hold it together, but none of them alone.
      if (error instanceof HeapError) throw runtime.noRoom(this.name, needs);
      throw error;
    }
    for (const { buffer, array } of this.constants) this.writeConstant(buffer, array);
    // They lie in the block from now on.
    this.constants = [];
  }

  private arrayOf(ref: Ref): NDArray {
    const { f32, f64, i32, u8 } = this.runtime.kernels.heap.arrays;
    const { dtype, shape, strides, offset } = ref;
    const data = dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : dtype === 'float64' ? f64 : u8;
    return { data, dtype, shape, strides, offset: this.addressOf(ref.buffer) / bytesOf(dtype) + offset };
  }

  private prepare(inputs: readonly Tensor[]): void {
    inputs.forEach((tensor, i) => {
      const ref = this.inputs[i];
      if (ref) this.runtime.write(this.addressOf(ref.buffer), tensor);
    });
    for (const variable of this.variables) variable.upload();
  }

  private call(step: HostCall): void {
    const outputs = step.outputs.map(({ shape, dtype }) => ({ shape, dtype }));
    const arrays = step.node.primitive.evaluate(
      step.inputs.map((ref) => this.arrayOf(ref)),
      step.node.params,
      outputs,
    );
    // All results are taken before any is written: they may be views of inputs.
    const results = arrays.map((array) => denseData(array));
    step.outputs.forEach((ref, i) => {
      this.runtime
        .view(this.addressOf(ref.buffer) + ref.offset * bytesOf(ref.dtype), ref.dtype, sizeOf(ref.shape))
        .set(results[i]!);
    });
  }

  private check(): void {
    const { heap, control } = this.runtime.kernels;
    const { i32 } = heap.arrays;
    const words = i32.subarray(control / 4, control / 4 + 8);
    const kind = words[Control.errorKind]!;
    if (kind === 0) return;
    const bits = Int32Array.of(words[Control.errorValue]!);
    const value = kind === ErrorKind.float ? new Float32Array(bits.buffer)[0]! : bits[0]!;
    const command = this.commandAt(words[Control.errorCommand]! >>> 0);
    this.runtime.resetControl();
    throw new ValueError(command?.failure?.(value) ?? `${command?.label ?? 'kernel'}: failed at ${value}`);
  }

  /** The command, of the program or of a loop in it, that begins at an address. */
  private commandAt(address: number): Command | null {
    const find = (command: Command, start: number): Command | null => {
      if (address === start) return command;
      let at = start + command.words.length * 4;
      for (const inner of command.body) {
        const found = find(inner, at);
        if (found) return found;
        at += lengthOf(inner) * 4;
      }
      return null;
    };
    for (const [i, step] of this.steps.entries()) {
      const found = 'words' in step ? find(step, this.block.address + this.starts[i]!) : null;
      if (found) return found;
    }
    return null;
  }

  /** Memory for large results, before the step changes anything: there may be none. */
  private room(): (TypedArray | null)[] {
    return this.graph.outputs.map(({ source, shape, dtype }) =>
      source.kind === 'constant' || source.kind === 'input' || sizeOf(shape) < LARGE
        ? null
        : ndarray(dtype, shape).data,
    );
  }

  private collect(inputs: readonly Tensor[], room: readonly (TypedArray | null)[]): Tensor[] {
    const { runtime } = this;
    for (const variable of this.updated) variable.updated();
    return this.graph.outputs.map((value, i) => {
      const { source } = value;
      if (source.kind === 'constant') return new Tensor(value.shape, value.dtype, source.array);
      if (source.kind === 'input') return inputs[source.index]!;
      const ref = this.outputs[i]!;
      let own = room[i]!;
      if (own && isContiguous(ref)) {
        own.set(runtime.view(this.addressOf(ref.buffer) + ref.offset * bytesOf(ref.dtype), ref.dtype, own.length));
      } else {
        own = copiedData(this.arrayOf(ref));
      }
      return new Tensor(value.shape, value.dtype, {
        data: own,
        dtype: value.dtype,
        shape: value.shape,
        strides: rowMajorStrides(value.shape),
        offset: 0,
      });
    });
  }

  /** After a failure: variables that the JavaScript side still knows go back to what they were. */
  private restore(): void {
    for (const variable of this.updated) variable.restore();
  }

  /** Runs on the calling thread. */
  runInline(inputs: readonly Tensor[]): Tensor[] {
    let room: (TypedArray | null)[];
    try {
      room = this.room();
      this.prepare(inputs);
      const { exports, control, scratch } = this.runtime.kernels;
      const base = this.block.address;
      for (const part of this.order)
        if ('node' in part) this.call(part);
        else {
          exports.run(base + part.start, base + part.end, 0, 1, control, scratch, SCRATCH_BYTES);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    return this.collect(inputs, room);
  }

  /** Runs on a pool of workers. */
  async runOn(executor: Executor, inputs: readonly Tensor[]): Promise<Tensor[]> {
    let room: (TypedArray | null)[];
    try {
      room = this.room();
      this.prepare(inputs);
      const base = this.block.address;
      for (const part of this.order)
        if ('node' in part) this.call(part);
        else {
          await executor.run(base + part.start, base + part.end);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    return this.collect(inputs, room);
  }

  /** Runs on the calling thread, command by command, and measures each. */
  runTimed(inputs: readonly Tensor[]): { outputs: Tensor[]; times: KernelTime[] } {
    const times: KernelTime[] = [];
    let room: (TypedArray | null)[];
    try {
      room = this.room();
      this.prepare(inputs);
      const { exports, control, scratch } = this.runtime.kernels;
      this.steps.forEach((step, i) => {
        const begin = performance.now();
        if ('node' in step) this.call(step);
        else {
          const start = this.block.address + this.starts[i]!;
          exports.run(start, start + lengthOf(step) * 4, 0, 1, control, scratch, SCRATCH_BYTES);
          this.check();
        }
        times.push({ label: step.label, milliseconds: performance.now() - begin });
      });
    } catch (error) {
      this.restore();
      throw error;
    }
    return { outputs: this.collect(inputs, room), times };
  }

  /** Labels of the commands, in order. */
  get labels(): readonly string[] {
    return this.steps.map((step) => step.label);
  }
}
