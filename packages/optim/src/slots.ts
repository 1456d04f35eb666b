import { type Tensor, ValueError } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';

/** The slots of one parameter, by name (e.g. `momentum`, `velocity`). */
export type Slots = Readonly<Record<string, Tensor>>;

/** Dtype and shape of each slot. */
export type Layout = Readonly<Record<string, string>>;

/** Dtype and shape, for comparisons and messages. */
export const keyOf = (tensor: Tensor): string => `${tensor.dtype} ${formatShape(tensor.shape)}`;

/** The layout of slots. */
export function layoutOf(slots: Slots): Layout {
  return Object.fromEntries(Object.entries(slots).map(([name, value]) => [name, keyOf(value)]));
}

const names = (slots: object): string => `[${Object.keys(slots).join(', ')}]`;

/** Throws `ValueError` unless slots have the names, dtypes and shapes of a layout. The order of names is free. */
export function checkLayout(layout: Layout, slots: Slots, label: string): void {
  const expected = Object.keys(layout);
  const found = Object.keys(slots);
  if (found.length !== expected.length || !expected.every((name) => Object.hasOwn(slots, name)))
    throw new ValueError(
      `${label}: expected ${names(layout)}, as init makes them, received ${names(slots)}. States of other optimizers or options do not fit.`,
    );
  for (const name of expected) {
    const key = keyOf(slots[name]!);
    if (key !== layout[name]) throw new ValueError(`${label}: expected ${name} to be ${layout[name]}, received ${key}`);
  }
}

/** Slots with the keys in the order of `last`. Throws `ValueError` unless both have the same names, dtypes and shapes. */
export function inOrderOf(last: Slots, slots: Slots, label: string): Slots {
  checkLayout(layoutOf(last), slots, label);
  return Object.fromEntries(Object.keys(last).map((name) => [name, slots[name]!]));
}

/** 2^-126, the smallest normal float32. */
const SMALLEST = 2 ** -126;

/**
 * Slots in which a momentum that is subnormal is 0. Where gradients stay away (words that no batch has), momentum shrinks by the same factor in each step:
 * after some 800 steps of 0.9 it would be subnormal, and stay so, since rounding ends at a few units. Processors may take a hundred times as long for
 * such numbers; XLA, and so Keras on JAX and TensorFlow, takes them for 0 everywhere.
 */
export function withoutSubnormals(slots: Slots): Slots {
  const { momentum } = slots;
  if (momentum?.dtype !== 'float32') return slots;
  return { ...slots, momentum: momentum.abs().less(SMALLEST).select(momentum.zerosLike(), momentum) };
}
