import assert from 'node:assert/strict';
import type { Tensor } from '@recurra/tensor';
import { isFloating } from '@recurra/tensor/extend';

/** One thing that every engine does alike. */
export interface EngineCase {
  readonly name: string;
  /** Rejects where it does not. */
  run(): Promise<void>;
}

/** Both have the same shapes and dtypes, and agree to rounding. */
export function expectClose(found: readonly Tensor[], expected: readonly Tensor[], tolerance: number): void {
  assert.deepEqual(
    found.map((t) => [t.dtype, ...t.shape]),
    expected.map((t) => [t.dtype, ...t.shape]),
  );
  found.forEach((t, i) => {
    const wanted = expected[i]!.data;
    t.data.forEach((v: number, k: number) => {
      const e = wanted[k]!;
      const isNear =
        !isFloating(t.dtype) || !Number.isFinite(e)
          ? v === e || (Number.isNaN(v) && Number.isNaN(e))
          : Math.abs(v - e) <= tolerance * Math.max(1, Math.abs(e));
      assert.ok(isNear, `element ${k} of result ${i}: expected ${e} within ${tolerance}, received ${v}`);
    });
  });
}
