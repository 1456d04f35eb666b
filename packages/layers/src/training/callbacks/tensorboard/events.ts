import { concatenated } from '@recurra/tensor/extend';
import { crc32c } from '../../../internal/crc32c.js';
import { Message } from './protobuf.js';

/** What a summary is for, by TensorFlow's numbers of data classes. */
const CLASSES = { scalars: 1, histograms: 2, text: 2, graph_keras_model: 3 } as const;
type Plugin = keyof typeof CLASSES;

/** Numbers of dtypes in `TensorProto`. */
const FLOAT = 1;
const DOUBLE = 2;
const STRING = 7;

/** `crc32c`, turned and shifted, as TFRecord has it: sums of data that holds sums stay of use. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A TFRecord: length, its sum, data, its sum (little-endian). */
export function record(data: Uint8Array): Uint8Array {
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(head.subarray(0, 8)), true);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, masked(data), true);
  return concatenated([head, data, tail]);
}

/** An `Event` as a record: `wallTime` in seconds. */
function event(wallTime: number, step: number, field: number, what: Message | string): Uint8Array {
  const message = new Message().double(1, wallTime);
  if (step > 0) message.integer(2, step);
  return record(message.bytes(field, what).finish());
}

/** The first record of every file. */
export function fileVersion(wallTime: number): Uint8Array {
  return event(wallTime, 0, 3, 'brain.Event:2');
}

function tensorOf(dtype: number, shape: readonly number[], content: Uint8Array | string): Message {
  const dims = new Message();
  for (const size of shape) dims.bytes(2, new Message().integer(1, size));
  const tensor = new Message().integer(1, dtype).bytes(2, dims);
  return typeof content === 'string' ? tensor.bytes(8, content) : tensor.bytes(4, content);
}

function summary(
  wallTime: number,
  step: number,
  tag: string,
  plugin: Plugin,
  tensor: Message,
  content = '',
): Uint8Array {
  const data = new Message().bytes(1, plugin);
  if (content !== '') data.bytes(2, content);
  const metadata = new Message().bytes(1, data).integer(4, CLASSES[plugin]);
  const value = new Message().bytes(1, tag).bytes(8, tensor).bytes(9, metadata);
  return event(wallTime, step, 5, new Message().bytes(1, value));
}

/** A number at a step. */
export function scalarEvent(wallTime: number, step: number, tag: string, value: number): Uint8Array {
  return summary(wallTime, step, tag, 'scalars', tensorOf(FLOAT, [], new Uint8Array(Float32Array.of(value).buffer)));
}

/** Markdown. */
export function textEvent(wallTime: number, step: number, tag: string, text: string): Uint8Array {
  return summary(wallTime, step, tag, 'text', tensorOf(STRING, [], text));
}

/** The configuration of a model as Keras' JSON, which the graph dashboard draws. */
export function graphEvent(wallTime: number, json: string): Uint8Array {
  return summary(wallTime, 0, 'keras', 'graph_keras_model', tensorOf(STRING, [], json), '1');
}

/** How often values occur, in 30 intervals. */
export function histogramEvent(wallTime: number, step: number, tag: string, values: ArrayLike<number>): Uint8Array {
  const rows = histogram(values);
  const content = new Uint8Array(Float64Array.from(rows.flat()).buffer);
  return summary(wallTime, step, tag, 'histograms', tensorOf(DOUBLE, [rows.length, 3], content));
}

const BUCKETS = 30;

/**
 * Intervals of one width from the least value to the largest, each as [left, right, count]; for a single value one of width 1 around it. TensorFlow's
 * `tf.summary.histogram`. What is not finite has no place, and is not counted.
 */
export function histogram(values: ArrayLike<number>): [left: number, right: number, count: number][] {
  let least = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (!Number.isFinite(v)) continue;
    total++;
    if (v < least) least = v;
    if (v > largest) largest = v;
  }
  if (total === 0) return [];
  if (least === largest) return [[least - 0.5, least + 0.5, total]];
  const width = (largest - least) / BUCKETS;
  const counts = new Array<number>(BUCKETS).fill(0);
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (Number.isFinite(v)) counts[Math.min(BUCKETS - 1, Math.floor((v - least) / width))]!++;
  }
  return counts.map((count, i) => [least + i * width, i === BUCKETS - 1 ? largest : least + (i + 1) * width, count]);
}
