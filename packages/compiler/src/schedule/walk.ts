/** Dimensions that a chain walks. */
export const MAX_DIMS = 4;

/** The dimensions of one walk that follows all of these, or `null` where there is none of at most four. */
export function commonDims(walks: readonly { readonly dims: readonly number[] }[]): number[] | null {
  const bounds = new Set<number>();
  for (const { dims } of walks) {
    let size = 1;
    for (let i = dims.length - 1; i >= 0; i--) {
      size *= dims[i]!;
      bounds.add(size);
    }
  }
  const sorted = [...bounds].sort((a, b) => a - b);
  const result: number[] = [];
  let last = 1;
  for (const bound of sorted) {
    if (bound === 0 || bound % last !== 0) return null;
    if (bound > last) result.unshift(bound / last);
    last = bound;
  }
  return result.length <= MAX_DIMS ? result : null;
}

/** The strides of a merged walk on finer dimensions. */
export function stridesOn(
  walk: readonly number[],
  merged: { readonly dims: readonly number[]; readonly strides: readonly number[] },
): number[] {
  const result = new Array<number>(walk.length).fill(0);
  let axis = merged.dims.length - 1;
  let done = 1;
  for (let i = walk.length - 1; i >= 0; i--) {
    if (axis >= 0 && done === merged.dims[axis]) {
      axis--;
      done = 1;
    }
    if (axis < 0) break;
    result[i] = merged.strides[axis]! * done;
    done *= walk[i]!;
  }
  return result;
}
