import { ValueError } from '@recurra/tensor';

/**
 * Refuses what is known to have no end (a data set with `size` Infinity), where all of it would be read.
 * @param way how to go on instead
 */
export function refuseEndless(name: string, source: unknown, way = 'Cut it first: take(n).'): void {
  if ((source as { readonly size?: unknown } | null)?.size === Infinity)
    throw new ValueError(
      `${name}: expected data with an end, received an endless data set (repeat() without a count). ${way}`,
    );
}
