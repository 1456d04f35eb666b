import { ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { describeValue, knownName, type SnakeCase } from '@recurra/tensor/extend';
import { expectInteger } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';

type FormatName = 'channelsLast' | 'channelsFirst';
/** [batch, time, channels] or [batch, channels, time]. */
export type DataFormat = FormatName | SnakeCase<FormatName>;
/** An integer, alone or in a list of one, as Keras writes it down. */
export type OneInteger = number | readonly [number];

/** Keras' spelling of a data format: what configurations hold. Throws `ValueError` for another name. */
export function resolveDataFormat(label: string, format: DataFormat | null | undefined): SnakeCase<FormatName> {
  const name = knownName(['channelsLast', 'channelsFirst'], format ?? 'channelsLast', `${label}: dataFormat`);
  return name === 'channelsLast' ? 'channels_last' : 'channels_first';
}

/** The integer that an option for one axis stands for. Throws `ValueError` below `least`, and for more than one. */
export function oneInteger(label: string, name: string, value: unknown, least = 1): number {
  return expectInteger(label, name, Array.isArray(value) && value.length === 1 ? value[0] : value, least);
}

/** How many steps to add or take before and after: one number stands for both. Throws `ValueError`. */
export function bothEnds(label: string, name: string, value: unknown): readonly [number, number] {
  const pair = Array.isArray(value) ? (value as readonly unknown[]) : [value, value];
  if (pair.length !== 2)
    throw new ValueError(
      `${label}: expected ${name} to be an integer or a list of two, received ${describeValue(value)}`,
    );
  return [expectInteger(label, name, pair[0], 0), expectInteger(label, name, pair[1], 0)];
}

/** Where time and channels are in shapes and tensors of one data format. */
export class TimeAxis {
  readonly time: 1 | 2;
  readonly channels: 1 | 2;

  constructor(format: SnakeCase<FormatName>) {
    this.time = format === 'channels_last' ? 1 : 2;
    this.channels = format === 'channels_last' ? 2 : 1;
  }

  /** [batch, time, channels] of a tensor in the format; and back. */
  swap(x: Tensor): Tensor {
    return this.time === 1 ? x : x.swapaxes(1, 2);
  }

  /** The shape in the format. */
  shape(batch: number | null, time: number | null, channels: number | null): PartialShape {
    return this.time === 1 ? [batch, time, channels] : [batch, channels, time];
  }

  /** Throws `ShapeError` unless the shape has batch, time and channels. */
  check(label: string, shape: PartialShape): void {
    const form = this.time === 1 ? '[batch, time, channels]' : '[batch, channels, time]';
    const hint =
      shape.length === 2 ? ' Token ids need an Embedding first; a series needs an axis of channels: Reshape.' : '';
    if (shape.length !== 3)
      throw new ShapeError(`${label}: expected input of rank 3 ${form}, received ${formatPartial(shape)}.${hint}`);
  }
}

/** The number of windows along time, or along other `steps`. Throws `ShapeError` where there is not one, since the sequence is too short. */
export function windowCount(
  label: string,
  time: number | null,
  span: number,
  stride: number,
  padding: 'valid' | 'same' | 'causal',
  steps = 'steps',
): number | null {
  if (time === null) return null;
  if (padding !== 'valid') return Math.ceil(time / stride);
  if (time < span)
    throw new ShapeError(
      `${label}: expected at least ${span} ${steps}, which one window spans, received ${time}. Use padding: 'same' or longer sequences.`,
    );
  return Math.floor((time - span) / stride) + 1;
}
