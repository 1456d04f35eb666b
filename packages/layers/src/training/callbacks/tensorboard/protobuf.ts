import { concatenated } from '@recurra/tensor/extend';

/** What of Protocol Buffers' encoding the files of TensorBoard need: messages that are written, field by field. https://protobuf.dev/programming-guides/encoding */
export class Message {
  private readonly parts: Uint8Array[] = [];

  /** An integer >= 0 (`int32`, `int64`, an enumeration). */
  integer(field: number, value: number): this {
    return this.push(varint(field * 8), varint(value));
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.push(varint(field * 8 + 1), bytes);
  }

  /** Bytes, a text in UTF-8, or a message within this one. */
  bytes(field: number, value: Uint8Array | string | Message): this {
    const bytes =
      value instanceof Message ? value.finish() : typeof value === 'string' ? new TextEncoder().encode(value) : value;
    return this.push(varint(field * 8 + 2), varint(bytes.length), bytes);
  }

  private push(...parts: Uint8Array[]): this {
    this.parts.push(...parts);
    return this;
  }

  finish(): Uint8Array {
    return concatenated(this.parts);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
