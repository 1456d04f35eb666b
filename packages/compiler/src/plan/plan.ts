import { SCRATCH_BYTES } from '@recurra/kernels';
import { denseData, type NDArray, rowMajorStrides, sizeOf, Tensor, ValueError } from '@recurra/tensor';
import type { Executor } from '../executor.js';
import { type Graph, isUniform } from '../graph.js';
import { bytesOf, type Runtime } from '../runtime.js';
import type { Variable } from '../variable.js';
import { type Buffer, placeBuffers, type Ref } from './buffer.js';
import { Planner } from './planner.js';
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

/** A run of kernel commands, from one host call to the next, in the program's memory. */
interface Segment {
  readonly start: number;
  readonly end: number;
  /** About how many multiply-adds it takes. */
  readonly work: number;
}

/** Where kernels report what they do not take, in words of the control block; codes as in `assembly/sync.ts`. */
const ErrorWord = { code: 4, value: 5, command: 6 } as const;
const BAD_FLOAT = 2;

const ALIGNMENT = 64;
const align = (n: number): number => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

/**
 * The memory of a plan. It is given back once it is evicted and no call uses it. It knows nothing of the plan, so that whoever
 * keeps it to give it back does not keep the plan alive.
 */
export class PlanBlock {
  readonly address: number;
  private readonly runtime: Runtime;
  private users = 0;
  private evicted = false;
  private released = false;

  constructor(runtime: Runtime, bytes: number) {
    this.runtime = runtime;
    this.address = runtime.kernels.heap.allocate(bytes);
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
    if (!this.evicted || this.users > 0 || this.released) return;
    this.released = true;
    this.runtime.kernels.heap.release(this.address);
  }
}

/** A graph made ready to run: commands and constants in memory, and a place for every value. */
export class Plan {
  readonly graph: Graph;
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
  /** The address of every kernel command. */
  private readonly starts: readonly number[];
  /** Its constants and its program. */
  readonly block: PlanBlock;
  private readonly arenaBytes: number;
  private linkedTo = -1;

  constructor(graph: Graph, runtime: Runtime) {
    this.graph = graph;
    this.runtime = runtime;
    const { program, inputs, outputs, constants, variables, updated, notes } = new Planner(graph).plan();
    this.steps = program.steps;
    this.inputs = inputs;
    this.outputs = outputs;
    this.variables = variables;
    this.updated = updated;
    this.notes = notes;
    for (const ref of outputs) ref.buffer.touch(this.steps.length);
    const arena = [...program.buffers].filter((b) => b.place === 'arena');
    this.arenaBytes = placeBuffers(arena);

    // The plan's own block: constants, then the program.
    let bytes = 0;
    for (const { buffer } of constants) {
      buffer.at = bytes;
      bytes += align(buffer.bytes);
    }
    const constantBytes = bytes;
    const words = this.steps.reduce((sum, step) => sum + ('words' in step ? lengthOf(step) : 0), 0);
    bytes += align(words * 4);
    this.block = new PlanBlock(runtime, Math.max(bytes, 4));
    for (const { buffer, array } of constants) this.writeConstant(buffer, array);
    const starts: number[] = [];
    const order: (Segment | HostCall)[] = [];
    let at = this.block.address + constantBytes;
    let segment: { start: number; end: number; work: number } | null = null;
    for (const step of this.steps) {
      starts.push(at);
      if ('node' in step) {
        segment = null;
        order.push(step);
        continue;
      }
      if (!segment) {
        segment = { start: at, end: at, work: 0 };
        order.push(segment);
      }
      at += lengthOf(step) * 4;
      segment.end = at;
      segment.work += step.work;
    }
    this.starts = starts;
    this.order = order;
    this.work = this.steps.reduce((sum, step) => sum + ('words' in step ? step.work : 0), 0);
    this.memory = {
      arena: this.arenaBytes,
      unplanned: arena.reduce((sum, b) => sum + align(b.bytes), 0),
      plan: bytes,
      variables: variables.reduce((sum, v) => {
        const { size, dtype } = v.concrete();
        return sum + size * bytesOf(dtype);
      }, 0),
    };
  }

  private writeConstant(buffer: Buffer, array: NDArray): void {
    const to = this.block.address + buffer.at;
    if (isUniform(array)) this.runtime.view(to, array.dtype, 1)[0] = array.data[array.offset]!;
    else this.runtime.write(to, array);
  }

  private addressOf(buffer: Buffer): number {
    if (buffer.place === 'fixed') return buffer.at;
    if (buffer.parent) return this.addressOf(buffer.parent) + buffer.at;
    return (buffer.place === 'own' ? this.block.address : this.runtime.arena.base) + buffer.at;
  }

  /** Writes the commands with the addresses that hold now. */
  private link(): void {
    const { arena, kernels } = this.runtime;
    arena.ensure(this.arenaBytes);
    if (this.linkedTo === arena.base) return;
    const { i32 } = kernels.heap.arrays;
    const write = (command: Command, at: number): number => {
      i32.set(command.words, at);
      for (const { at: word, address } of command.fixups)
        i32[at + word] = this.addressOf(address.buffer) + address.bytes;
      return command.body.reduce((next, inner) => write(inner, next), at + command.words.length);
    };
    this.steps.forEach((step, i) => {
      if ('words' in step) write(step, this.starts[i]! >> 2);
    });
    this.linkedTo = arena.base;
  }

  private arrayOf(ref: Ref): NDArray {
    const { f32, f64, i32, u8 } = this.runtime.kernels.heap.arrays;
    const { dtype, shape, strides, offset } = ref;
    const data = dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : dtype === 'float64' ? f64 : u8;
    return { data, dtype, shape, strides, offset: this.addressOf(ref.buffer) / bytesOf(dtype) + offset };
  }

  private prepare(inputs: readonly Tensor[]): void {
    this.link();
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
    const code = words[ErrorWord.code]!;
    if (code === 0) return;
    const bits = Int32Array.of(words[ErrorWord.value]!);
    const value = code === BAD_FLOAT ? new Float32Array(bits.buffer)[0]! : bits[0]!;
    const command = this.commandAt(words[ErrorWord.command]! >>> 0);
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
      const found = 'words' in step ? find(step, this.starts[i]!) : null;
      if (found) return found;
    }
    return null;
  }

  private collect(inputs: readonly Tensor[]): Tensor[] {
    for (const variable of this.updated) variable.updated();
    return this.graph.outputs.map((value, i) => {
      const { source } = value;
      if (source.kind === 'constant') return new Tensor(value.shape, value.dtype, source.array);
      if (source.kind === 'input') return inputs[source.index]!;
      const array = this.arrayOf(this.outputs[i]!);
      const dense = denseData(array);
      const own = dense.buffer === array.data.buffer ? dense.slice() : dense;
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
    try {
      this.prepare(inputs);
      const { exports, control, scratch } = this.runtime.kernels;
      for (const part of this.order)
        if ('node' in part) this.call(part);
        else {
          exports.run(part.start, part.end, 0, 1, control, scratch, SCRATCH_BYTES);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    return this.collect(inputs);
  }

  /** Runs on a pool of workers. */
  async runOn(executor: Executor, inputs: readonly Tensor[]): Promise<Tensor[]> {
    try {
      this.prepare(inputs);
      for (const part of this.order)
        if ('node' in part) this.call(part);
        else {
          await executor.run(part.start, part.end);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    return this.collect(inputs);
  }

  /** Runs on the calling thread, command by command, and measures each. */
  runTimed(inputs: readonly Tensor[]): { outputs: Tensor[]; times: KernelTime[] } {
    const times: KernelTime[] = [];
    try {
      this.prepare(inputs);
      const { exports, control, scratch } = this.runtime.kernels;
      this.steps.forEach((step, i) => {
        const begin = performance.now();
        if ('node' in step) this.call(step);
        else {
          const start = this.starts[i]!;
          exports.run(start, start + lengthOf(step) * 4, 0, 1, control, scratch, SCRATCH_BYTES);
          this.check();
        }
        times.push({ label: step.label, milliseconds: performance.now() - begin });
      });
    } catch (error) {
      this.restore();
      throw error;
    }
    return { outputs: this.collect(inputs), times };
  }

  /** Labels of the commands, in order. */
  get labels(): readonly string[] {
    return this.steps.map((step) => step.label);
  }
}
