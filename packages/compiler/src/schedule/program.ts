import type { Fields, FieldsOf, Layout } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';
import type { Node } from '../graph.js';
import { Buffer, type Ref } from './buffer.js';
import { everyCommand, type Supports } from './supports.js';

/** A place in a command: some bytes into a buffer. What the place is, an engine knows. */
export class Address {
  readonly buffer: Buffer;
  readonly bytes: number;

  constructor(buffer: Buffer, bytes = 0) {
    this.buffer = buffer;
    this.bytes = bytes;
  }
}

/** One command: what its words are by name, and the lists that it holds. */
export interface Command {
  readonly label: string;
  readonly layout: Layout;
  readonly fields: Fields<Address>;
  /** What it holds lists of, by the names of the words that count them. */
  readonly records: Readonly<Record<string, readonly Fields<Address>[]>>;
  /** About how many multiply-adds it takes. */
  readonly work: number;
  /** Is it worth while to share it among workers? */
  readonly shared: boolean;
  /** The commands that a loop repeats. */
  readonly body: readonly Command[];
  /** What a value is told that its kernel does not take; absent for kernels that take all. */
  readonly failure?: (value: number) => string;
}

/** An operation that is evaluated on the calling thread. */
export interface HostCall {
  readonly label: string;
  /** Why: what has no kernel. */
  readonly reason: string;
  readonly node: Node;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
}

/** Is it a kernel command, rather than an evaluation on the calling thread? */
export function isCommand(step: Command | HostCall): step is Command {
  return 'layout' in step;
}

/** Less work than this is not shared: meeting takes about as long. */
const SHARED_WORK = 20_000;

/** What a command may have beside its own words. */
export interface CommandOptions {
  readonly records?: Command['records'];
  readonly body?: readonly Command[];
  /** By default as its work says. */
  readonly shared?: boolean;
  readonly failure?: (value: number) => string;
}

/** The types of the elements that a command reads and writes; blocks that its engine sizes have none. */
export function typesOf(fields: Fields<Address>, records: Command['records']): DType[] {
  const all = [fields, ...Object.values(records).flat()].flatMap((one) => Object.values(one));
  return [...new Set(all.flatMap((f) => (f instanceof Address && f.buffer.sized === null ? [f.buffer.dtype] : [])))];
}

/** A list of commands in the making; it keeps the lifetimes of the buffers that they touch. */
export class Program {
  readonly steps: (Command | HostCall)[] = [];
  readonly buffers: Set<Buffer> = new Set<Buffer>();
  private readonly supports: Supports;

  constructor(supports: Supports = everyCommand) {
    this.supports = supports;
  }

  /** The position of the next command. */
  get position(): number {
    return this.steps.length;
  }

  /** Notes that the next command uses a buffer. */
  touch(buffer: Buffer): void {
    this.buffers.add(buffer.root);
    buffer.root.touch(this.position);
  }

  private touchAll(fields: Fields<Address>): void {
    for (const field of Object.values(fields)) if (field instanceof Address) this.touch(field.buffer);
  }

  private touchCommand({ fields, records, body }: Command): void {
    this.touchAll(fields);
    for (const list of Object.values(records)) for (const record of list) this.touchAll(record);
    for (const inner of body) this.touchCommand(inner);
  }

  /** Appends a kernel command of about so many multiply-adds. Blocks that its engine sizes, for it alone, are made. */
  command<N extends string, P extends string, O extends string>(
    label: string,
    layout: Layout<N, P, O>,
    given: FieldsOf<N, P, O, Address>,
    work: number,
    { records = {}, body = [], shared = work >= SHARED_WORK, failure }: CommandOptions = {},
  ): void {
    const fields: Record<string, number | Address | null | undefined> = { ...given };
    for (const name of layout.sized) {
      if (fields[name] === undefined) fields[name] = new Address(new Buffer('float32', 0));
      const block = fields[name];
      if (block instanceof Address) block.buffer.sized = { layout, fields, name };
    }
    // Whoever appends one has asked: an engine must never meet what it does not have.
    if (this.supports !== everyCommand && !this.supports(layout, typesOf(fields, records)))
      throw new Error(`compiler: ${label} was planned as ${layout.name}, which its engine does not have`);
    const command = { label, layout, fields, records, work, shared, body, ...(failure ? { failure } : {}) };
    this.touchCommand(command);
    this.steps.push(command);
  }

  /** Appends an evaluation on the calling thread. */
  host(node: Node, inputs: readonly Ref[], outputs: readonly Ref[], reason: string): void {
    for (const { buffer } of [...inputs, ...outputs]) this.touch(buffer);
    this.steps.push({ label: `${node.primitive.name} (host)`, reason, node, inputs, outputs });
  }
}
