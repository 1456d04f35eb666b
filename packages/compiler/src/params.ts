import { isRecord } from '@recurra/tensor/extend';
import { Graph } from './graph.js';
import { identityOf } from './identity.js';

/** Longer typed arrays are not compared. */
const COMPARED = 64;

/**
 * Parameters of an operation as text: equal texts, equal parameters. `null` where they hold something whose content cannot be seen (an
 * instance of a class): such an operation equals no other. Functions equal themselves.
 */
export function keyOf(params: unknown): string | null {
  switch (typeof params) {
    case 'string':
      return JSON.stringify(params);
    case 'number':
      return Object.is(params, -0) ? '-0' : String(params);
    case 'function':
    case 'symbol':
      return identityOf(params);
    case 'object':
      break;
    default:
      return `${typeof params} ${String(params)}`;
  }
  if (params === null) return 'null';
  if (params instanceof Graph) return identityOf(params);
  if (Array.isArray(params)) return joined('(', params, ')');
  if (params instanceof Map) return joined('Map(', [...params].flat(), ')');
  if (params instanceof Set) return joined('Set(', [...params], ')');
  if (ArrayBuffer.isView(params) && !(params instanceof DataView)) {
    const elements = params as unknown as ArrayLike<number | bigint>;
    return elements.length > COMPARED ? null : joined(`${params.constructor.name}(`, Array.from(elements), ')');
  }
  // What has symbols as keys is no plain data.
  if (!isRecord(params) || Object.getOwnPropertySymbols(params).length > 0) return null;
  const entries = Object.entries(params);
  const values = entries.map(([name, value]) => {
    const key = keyOf(value);
    return key === null ? null : `${JSON.stringify(name)}:${key}`;
  });
  return values.includes(null) ? null : `{${values.join()}}`;
}

function joined(open: string, items: readonly unknown[], close: string): string | null {
  let text = open;
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) return null;
    text += `${key},`;
  }
  return text + close;
}

/** A copy, so that the operation keeps the parameters that it was given; functions and instances of classes are what they are. */
export function copyOf<P>(params: P): P {
  const copy = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(copy);
    if (value instanceof Map) return new Map([...value].map(([k, v]) => [copy(k), copy(v)]));
    if (value instanceof Set) return new Set([...value].map(copy));
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return (value as Uint8Array).slice();
    if (!isRecord(value)) return value;
    const copied = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)]));
    for (const symbol of Object.getOwnPropertySymbols(value))
      copied[symbol as never] = copy((value as Record<symbol, unknown>)[symbol]);
    return copied;
  };
  return copy(params) as P;
}
