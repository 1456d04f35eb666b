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
}

/** An operation without kernels, evaluated on the calling thread. */
export interface HostCall {
  readonly label: string;
  readonly node: Node;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
}

/** Set in the length of a command that one worker does alone. */
const SERIAL = 1 << 30;
/** Less work than this is not shared: meeting takes about as long. */
const SHARED_WORK = 20_000;

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
    this.buffers.add(buffer);
    buffer.touch(this.position);
  }

  /** Appends a kernel command. */
  command(label: string, number: number, operands: readonly (number | Address)[], work: number): void {
    const length = operands.length + 2;
    const words = [number, work < SHARED_WORK ? length | SERIAL : length];
    const fixups: { at: number; address: Address }[] = [];
    for (const operand of operands) {
      if (operand instanceof Address) {
        fixups.push({ at: words.length, address: operand });
        this.touch(operand.buffer);
        words.push(0);
      } else words.push(operand);
    }
    this.steps.push({ label, words, fixups, work });
  }

  /** Appends an evaluation on the calling thread. */
  host(node: Node, inputs: readonly Ref[], outputs: readonly Ref[]): void {
    for (const { buffer } of [...inputs, ...outputs]) this.touch(buffer);
    this.steps.push({ label: `${node.primitive.name} (host)`, node, inputs, outputs });
  }
}
