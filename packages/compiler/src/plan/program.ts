import { type FieldsOf, type Layout, SERIAL, wordsOf } from '@recurra/kernels';
import type { Node } from '../graph.js';
import type { Buffer, Ref } from './buffer.js';

/** An address in a command: some bytes into a buffer. */
export class Address {
  readonly buffer: Buffer;
  readonly bytes: number;

  constructor(buffer: Buffer, bytes = 0) {
    this.buffer = buffer;
    this.bytes = bytes;
  }
}

/** One kernel command: its words, of which those in `fixups` are addresses. */
export interface Command {
  readonly label: string;
  readonly words: number[];
  readonly fixups: readonly { readonly at: number; readonly address: Address }[];
  /** About how many multiply-adds it takes. */
  readonly work: number;
  /** The commands that a loop repeats; they follow its own words. */
  readonly body: readonly Command[];
  /** What a value is told that its kernel does not take; absent for kernels that take all. */
  readonly failure?: (value: number) => string;
}

/** The length of a command in words, with its body. */
export function lengthOf(command: Command): number {
  return command.body.reduce((sum, inner) => sum + lengthOf(inner), command.words.length);
}

/** An operation without kernels, evaluated on the calling thread. */
export interface HostCall {
  readonly label: string;
  readonly node: Node;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
}

/** Less work than this is not shared: meeting takes about as long. */
const SHARED_WORK = 20_000;

/** What a command may have beside its own words. */
export interface CommandOptions {
  /** Words of the lists that it holds. */
  readonly records?: readonly (number | Address)[];
  /** The commands that a loop repeats. */
  readonly body?: readonly Command[];
  /** Is it worth while to share it among workers? By default as its work says. */
  readonly shared?: boolean;
  /** See {@link Command}. */
  readonly failure?: (value: number) => string;
}

/** A list of commands in the making; it keeps the lifetimes of the buffers that they touch. */
export class Program {
  readonly steps: (Command | HostCall)[] = [];
  readonly buffers: Set<Buffer> = new Set<Buffer>();

  /** The position of the next command. */
  get position(): number {
    return this.steps.length;
  }

  /** Notes that the next command uses a buffer. */
  touch(buffer: Buffer): void {
    this.buffers.add(buffer.root);
    buffer.root.touch(this.position);
  }

  /** Appends a kernel command of about so many multiply-adds. */
  command<N extends string, P extends string, O extends string>(
    label: string,
    layout: Layout<N, P, O>,
    fields: FieldsOf<N, P, O, Address>,
    work: number,
    { records = [], body = [], shared = work >= SHARED_WORK, failure }: CommandOptions = {},
  ): void {
    const operands = [...wordsOf(layout, fields), ...records];
    const length = body.reduce((sum, inner) => sum + lengthOf(inner), operands.length + 2);
    const words = [layout.number, shared ? length : length | SERIAL];
    const fixups: { at: number; address: Address }[] = [];
    for (const operand of operands) {
      if (operand instanceof Address) {
        fixups.push({ at: words.length, address: operand });
        this.touch(operand.buffer);
        words.push(0);
      } else words.push(operand);
    }
    const touchAll = (commands: readonly Command[]): void => {
      for (const inner of commands) {
        for (const { address } of inner.fixups) this.touch(address.buffer);
        touchAll(inner.body);
      }
    };
    touchAll(body);
    this.steps.push({ label, words, fixups, work, body, ...(failure ? { failure } : {}) });
  }

  /** Appends an evaluation on the calling thread. */
  host(node: Node, inputs: readonly Ref[], outputs: readonly Ref[]): void {
    for (const { buffer } of [...inputs, ...outputs]) this.touch(buffer);
    this.steps.push({ label: `${node.primitive.name} (host)`, node, inputs, outputs });
  }
}
