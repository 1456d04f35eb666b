import { fault } from './fault.js';

/** A value of Thrift's compact protocol: 64-bit integers as `bigint`. */
export type ThriftValue = boolean | number | bigint | Uint8Array | readonly ThriftValue[] | ThriftStruct;
/** The fields of a struct by their ids. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** Structs within structs: Parquet has fewer than ten. */
const DEEPEST = 32;

/**
 * Reads structs of Thrift's compact protocol (as `hyparquet` understands it) and never more than the bytes can hold: lists have no more items than there
 * are bytes left, integers no more bytes than their type needs, and depth is bounded. Throws `Fault` for anything else.
 */
export class ThriftReader {
  constructor(
    private readonly bytes: Uint8Array,
    /** Where the next byte is. */
    public offset: number = 0,
    private readonly end: number = bytes.length,
  ) {}

  struct(depth = 0): ThriftStruct {
    if (depth > DEEPEST) fault(`structs at most ${DEEPEST} deep`, 'deeper ones');
    const fields = new Map<number, ThriftValue>();
    for (let id = 0; ; ) {
      const head = this.byte();
      const type = head & 15;
      if (type === 0) return fields;
      id = head >> 4 ? id + (head >> 4) : zigzag(this.varint());
      fields.set(id, this.value(type, depth));
    }
  }

  private value(type: number, depth: number): ThriftValue {
    switch (type) {
      case 1:
      case 2:
        return type === 1;
      case 3:
        return (this.byte() << 24) >> 24;
      case 4:
      case 5:
        return zigzag(this.varint());
      case 6:
        return this.long();
      case 7:
        return new DataView(this.take(8).slice().buffer).getFloat64(0, true);
      case 8:
        return this.take(this.varint());
      case 9: {
        const head = this.byte();
        const count = head >> 4 === 15 ? this.varint() : head >> 4;
        if (count > this.end - this.offset)
          fault(`a list of at most ${this.end - this.offset} items, which the bytes could hold`, count);
        if (depth > DEEPEST) fault(`lists at most ${DEEPEST} deep`, 'deeper ones');
        const item = head & 15;
        const items: ThriftValue[] = [];
        // Booleans of lists have a byte each.
        for (let i = 0; i < count; i++)
          items.push(item === 1 || item === 2 ? this.byte() === 1 : this.value(item, depth + 1));
        return items;
      }
      case 12:
        return this.struct(depth + 1);
      default:
        return fault('a type of Thrift that Parquet uses', type);
    }
  }

  private byte(): number {
    if (this.offset >= this.end) fault('more bytes', 'the end');
    return this.bytes[this.offset++]!;
  }

  private take(count: number): Uint8Array {
    if (count > this.end - this.offset) fault(`at most ${this.end - this.offset} bytes`, count);
    this.offset += count;
    return this.bytes.subarray(this.offset - count, this.offset);
  }

  /** An unsigned 32-bit integer. */
  private varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value < 2 ** 32 ? value : fault('an integer of 32 bits', value);
    }
    return fault('an integer of at most 5 bytes', 'more');
  }

  private long(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return (value >> 1n) ^ -(value & 1n);
    }
    return fault('an integer of at most 10 bytes', 'more');
  }
}

const zigzag = (value: number): number => (value >>> 1) ^ -(value & 1);
