import { Control, ErrorKind, HeapError } from '@recurra/kernels';
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
import { isUniform } from '../../graph.js';
import { rested } from '../../pacer.js';
import { type Buffer, bytesOf, type Ref, type Sized } from '../../schedule/buffer.js';
import { type HostCall, isCommand } from '../../schedule/program.js';
import type { Schedule } from '../../schedule/schedule.js';
import { movedVariables, type Variable } from '../../variable.js';
import type { Engine, Holding, KernelTime, MemoryUse, Prepared } from '../engine.js';
import { align, Placement } from '../placement.js';
import { type Encoded, encode, type Filling } from './encode.js';
import type { LinearMemory } from './memory.js';
import type { Needs } from './room.js';

/** Those who run commands on several threads. */
export interface Crew {
  /** Runs commands from `start` to `end`. */
  run(start: number, end: number): Promise<void>;
}

/** What runs commands that lie in the memory. */
export interface Runner {
  readonly engine: Engine;
  /** What it writes into commands as they are assembled. */
  readonly fill: Filling;
  /** Runs commands from `start` to `end` on the calling thread. */
  run(start: number, end: number): void;
  /** Those who run a step of so much work; `null` where the calling thread does. */
  crew(work: number): Crew | Promise<Crew | null> | null;
}

/** A run of kernel commands, from one host call to the next: bytes from the beginning of the program's block. */
interface Segment {
  readonly start: number;
  readonly end: number;
}

/** Elements of a result for which there might be no memory. */
const LARGE = 1 << 20;

/** Constants and commands of a program in the memory. */
export class ProgramBlock implements Holding {
  readonly bytes: number;
  private readonly memory: LinearMemory;
  private readonly name: string;
  private place: number | null = null;
  private users = 0;
  private evicted = false;

  constructor(memory: LinearMemory, bytes: number, name: string) {
    this.memory = memory;
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
    this.place ??= this.memory.allocate(this.bytes, { kind: 'plans', name: this.name });
  }

  /** Gives the memory back. */
  release(): void {
    if (this.place !== null) this.memory.release(this.place);
    this.place = null;
  }

  use(): void {
    this.users++;
  }

  leave(): void {
    this.users--;
    this.releaseIfFree();
  }

  evict(): void {
    this.evicted = true;
    this.releaseIfFree();
  }

  private releaseIfFree(): void {
    if (this.evicted && this.users === 0) this.release();
  }
}

/** A step of a program: a command as words with the place where they begin, or an evaluation on the calling thread. */
type Step = { readonly encoded: Encoded; readonly start: number } | { readonly call: HostCall };

/** A schedule as words in the memory: constants and commands in its own block, a place for every value. */
export class LinearProgram implements Prepared {
  readonly engine: Engine;
  readonly schedule: Schedule;
  readonly memory: MemoryUse;
  readonly holding: ProgramBlock;
  private readonly name: string;
  private readonly runner: Runner;
  private readonly room: LinearMemory;
  private readonly placement: Placement;
  private readonly steps: readonly Step[];
  private readonly order: readonly (Segment | HostCall)[];
  private readonly arenaBytes: number;
  /** Those that are not yet written to the block. */
  private constants: Schedule['constants'];
  /** The arena, and where variables were, that the commands were last written for. */
  private linkedTo = -1;
  private linkedAfter = -1;

  constructor(schedule: Schedule, room: LinearMemory, runner: Runner, name: string) {
    this.schedule = schedule;
    this.room = room;
    this.runner = runner;
    this.engine = runner.engine;
    this.name = name;
    const { constants, buffers, variables } = schedule;
    this.constants = constants;
    const placement = new Placement((block: Sized) => runner.engine.size(block));
    this.placement = placement;
    const arena = buffers.filter((b) => b.place === 'arena');
    this.arenaBytes = placement.place(arena);

    let bytes = placement.stack(constants.map(({ buffer }) => buffer));
    const steps: Step[] = [];
    const order: (Segment | HostCall)[] = [];
    let segment: { start: number; end: number } | null = null;
    for (const step of schedule.steps) {
      if (!isCommand(step)) {
        steps.push({ call: step });
        order.push(step);
        segment = null;
        continue;
      }
      const encoded = encode(step, runner.fill);
      steps.push({ encoded, start: bytes });
      if (!segment) {
        segment = { start: bytes, end: bytes };
        order.push(segment);
      }
      bytes += encoded.length * 4;
      segment.end = bytes;
    }
    this.steps = steps;
    this.order = order;
    this.holding = new ProgramBlock(room, align(Math.max(bytes, 4)), name);
    this.memory = {
      arena: this.arenaBytes,
      unplanned: arena.reduce((sum, b) => sum + align(placement.bytesOf(b)), 0),
      plan: bytes,
      variables: variables.reduce((sum, v) => sum + v.bytes, 0),
    };
  }

  private writeConstant(buffer: Buffer, array: NDArray): void {
    const to = this.addressOf(buffer);
    if (isUniform(array)) this.room.view(to, array.dtype, 1)[0] = array.data[array.offset]!;
    else this.room.write(to, array);
  }

  private addressOf(buffer: Buffer): number {
    if (buffer.variable) return buffer.variable.block(this.room) as number;
    const offset = this.placement.offsetOf(buffer);
    if (buffer.parent) return this.addressOf(buffer.parent) + offset;
    return (buffer.place === 'own' ? this.holding.address : this.room.arena.base) + offset;
  }

  place(): void {
    const { arena, kernels } = this.room;
    if (this.linkedTo === arena.base && this.linkedAfter === movedVariables() && this.arenaBytes <= arena.bytes) return;
    this.allocate();
    const { i32 } = kernels.heap.arrays;
    const write = ({ words, fixups, body }: Encoded, at: number): number => {
      i32.set(words, at);
      for (const { at: word, address } of fixups) i32[at + word] = this.addressOf(address.buffer) + address.bytes;
      return body.reduce((next, inner) => write(inner, next), at + words.length);
    };
    for (const step of this.steps) if ('encoded' in step) write(step.encoded, (this.holding.address + step.start) / 4);
    this.linkedTo = arena.base;
    this.linkedAfter = movedVariables();
  }

  /** Takes the memory that the program has not yet. */
  private allocate(): void {
    const { room, holding, arenaBytes } = this;
    const { variables } = this.schedule;
    const isNew = !holding.isPlaced;
    const fresh = variables.filter((v) => !v.isIn(room));
    const sum = (list: readonly Variable[]): number => list.reduce((bytes, v) => bytes + align(v.bytes), 0);
    const needs: Needs = {
      arena: align(arenaBytes),
      plan: holding.bytes,
      variables: sum(variables),
      held: sum(variables) - sum(fresh) + (isNew ? 0 : holding.bytes),
    };
    room.expectRoom(this.name, needs);
    try {
      for (const variable of fresh) variable.block(room);
      holding.allocate();
      room.arena.ensure(arenaBytes);
    } catch (error) {
      for (const variable of fresh) variable.forget();
      if (isNew) holding.release();
      // Free ranges would hold it together, but none of them alone.
      if (error instanceof HeapError) throw room.noRoom(this.name, needs);
      throw error;
    }
    for (const { buffer, array } of this.constants) this.writeConstant(buffer, array);
    // They lie in the block from now on.
    this.constants = [];
  }

  private arrayOf(ref: Ref): NDArray {
    const { f32, f64, i32, u8 } = this.room.kernels.heap.arrays;
    const { dtype, shape, strides, offset } = ref;
    const data = dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : dtype === 'float64' ? f64 : u8;
    return { data, dtype, shape, strides, offset: this.addressOf(ref.buffer) / bytesOf(dtype) + offset };
  }

  private prepare(inputs: readonly Tensor[]): void {
    const { schedule, room } = this;
    inputs.forEach((tensor, i) => {
      const ref = schedule.inputs[i];
      if (ref) room.write(this.addressOf(ref.buffer), tensor.concrete('compiled step'));
    });
    for (const variable of schedule.variables) variable.upload();
  }

  private evaluate(step: HostCall): void {
    const outputs = step.outputs.map(({ shape, dtype }) => ({ shape, dtype }));
    const arrays = step.node.primitive.evaluate(
      step.inputs.map((ref) => this.arrayOf(ref)),
      step.node.params,
      outputs,
    );
    // All results are taken before any is written: they may be views of inputs.
    const results = arrays.map((array) => denseData(array));
    step.outputs.forEach((ref, i) => {
      this.room
        .view(this.addressOf(ref.buffer) + ref.offset * bytesOf(ref.dtype), ref.dtype, sizeOf(ref.shape))
        .set(results[i]!);
    });
  }

  private check(): void {
    const { heap, control } = this.room.kernels;
    const { i32 } = heap.arrays;
    const words = i32.subarray(control / 4, control / 4 + 8);
    const kind = words[Control.errorKind]!;
    if (kind === 0) return;
    const bits = Int32Array.of(words[Control.errorValue]!);
    const value = kind === ErrorKind.float ? new Float32Array(bits.buffer)[0]! : bits[0]!;
    const command = this.commandAt(words[Control.errorCommand]! >>> 0);
    this.room.resetControl();
    throw new ValueError(command?.failure?.(value) ?? `${command?.label ?? 'kernel'}: failed at ${value}`);
  }

  /** The command, of the program or of a loop in it, that begins at an address. */
  private commandAt(address: number): Encoded['command'] | null {
    const find = ({ command, words, body }: Encoded, start: number): Encoded['command'] | null => {
      if (address === start) return command;
      let at = start + words.length * 4;
      for (const inner of body) {
        const found = find(inner, at);
        if (found) return found;
        at += inner.length * 4;
      }
      return null;
    };
    for (const step of this.steps) {
      const found = 'encoded' in step ? find(step.encoded, this.holding.address + step.start) : null;
      if (found) return found;
    }
    return null;
  }

  /** Memory for large results, before the step changes anything: there may be none. */
  private space(): (TypedArray | null)[] {
    return this.schedule.graph.outputs.map(({ source, shape, dtype }) =>
      source.kind === 'constant' || source.kind === 'input' || sizeOf(shape) < LARGE
        ? null
        : ndarray(dtype, shape).data,
    );
  }

  private collect(inputs: readonly Tensor[], space: readonly (TypedArray | null)[]): Tensor[] {
    const { room, schedule } = this;
    for (const variable of schedule.updated) variable.updated();
    return schedule.graph.outputs.map((value, i) => {
      const { source } = value;
      if (source.kind === 'constant') return new Tensor(value.shape, value.dtype, source.array);
      if (source.kind === 'input') return inputs[source.index]!;
      const ref = schedule.outputs[i]!;
      let own = space[i]!;
      if (own && isContiguous(ref)) {
        own.set(room.view(this.addressOf(ref.buffer) + ref.offset * bytesOf(ref.dtype), ref.dtype, own.length));
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
    for (const variable of this.schedule.updated) variable.restore();
  }

  run(inputs: readonly Tensor[]): Tensor[] | Promise<Tensor[]> {
    const crew = this.runner.crew(this.schedule.work);
    if (crew === null) return this.runInline(inputs);
    if (!(crew instanceof Promise)) return this.runOn(crew, inputs);
    return crew.then((found) => {
      // The memory that they took may have moved the arena.
      this.place();
      return found ? this.runOn(found, inputs) : this.runInline(inputs);
    });
  }

  /** Runs on the calling thread. */
  private runInline(inputs: readonly Tensor[]): Tensor[] {
    let space: (TypedArray | null)[];
    try {
      space = this.space();
      this.prepare(inputs);
      const base = this.holding.address;
      for (const part of this.order)
        if ('node' in part) this.evaluate(part);
        else {
          this.runner.run(base + part.start, base + part.end);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    return this.collect(inputs, space);
  }

  /** Runs on several threads. */
  private async runOn(crew: Crew, inputs: readonly Tensor[]): Promise<Tensor[]> {
    let space: (TypedArray | null)[];
    try {
      space = this.space();
      this.prepare(inputs);
      const base = this.holding.address;
      for (const part of this.order)
        if ('node' in part) this.evaluate(part);
        else {
          await crew.run(base + part.start, base + part.end);
          this.check();
        }
    } catch (error) {
      this.restore();
      throw error;
    }
    const outputs = this.collect(inputs, space);
    // Their answer came with a turn of the event loop.
    rested();
    return outputs;
  }

  runTimed(inputs: readonly Tensor[]): { outputs: Tensor[]; times: KernelTime[] } {
    const times: KernelTime[] = [];
    let space: (TypedArray | null)[];
    try {
      space = this.space();
      this.prepare(inputs);
      for (const step of this.steps) {
        const begin = performance.now();
        if ('call' in step) this.evaluate(step.call);
        else {
          const start = this.holding.address + step.start;
          this.runner.run(start, start + step.encoded.length * 4);
          this.check();
        }
        const { label } = 'call' in step ? step.call : step.encoded.command;
        times.push({ label, milliseconds: performance.now() - begin });
      }
    } catch (error) {
      this.restore();
      throw error;
    }
    return { outputs: this.collect(inputs, space), times };
  }
}
