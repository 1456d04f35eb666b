import { denseData, type NDArray } from '../ndarray.js';
import { formatShape, sizeOf } from '../shape.js';

/** Longer tensors are printed with an ellipsis, as NumPy does. */
const THRESHOLD = 1000;
const EDGE = 3;

function formatNumbers(values: number[], dtype: string): string[] {
  if (dtype === 'bool') return values.map((v) => (v ? 'true' : 'false'));
  if (dtype === 'int32') return values.map(String);
  const finite = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const large = Math.max(0, ...finite);
  const small = Math.min(Infinity, ...finite);
  const exponent = large >= 1e8 || (finite.length > 0 && (small < 1e-4 || large / small > 1e8));
  return values.map((v) => {
    if (!Number.isFinite(v)) return String(v).replace('Infinity', 'inf').replace('NaN', 'nan');
    if (exponent) return v.toExponential(4);
    return v.toFixed(4).replace(/0+$/, '');
  });
}

/** NumPy-like text: aligned columns, nested brackets, truncated in the middle where long. */
export function formatArray(a: NDArray): string {
  const data = denseData(a);
  const truncate = sizeOf(a.shape) > THRESHOLD;
  const shown: number[] = [];
  const visit = (axis: number, offset: number, stride: number, leaf: (at: number) => void, gap: () => void): void => {
    if (axis === a.shape.length) {
      leaf(offset);
      return;
    }
    const n = a.shape[axis]!;
    const inner = stride / Math.max(1, n);
    for (let i = 0; i < n; i++) {
      if (truncate && n > 2 * EDGE && i === EDGE) {
        gap();
        i = n - EDGE;
      }
      visit(axis + 1, offset + i * inner, inner, leaf, gap);
    }
  };
  visit(
    0,
    0,
    data.length,
    (at) => shown.push(data[at]!),
    () => {},
  );
  const texts = formatNumbers(shown, a.dtype);
  const width = Math.max(0, ...texts.map((t) => t.length));
  let next = 0;
  const write = (axis: number): string => {
    if (axis === a.shape.length) return texts[next++]!.padStart(a.shape.length === 0 ? 0 : width);
    const n = a.shape[axis]!;
    const parts: string[] = [];
    for (let i = 0; i < n; i++) {
      if (truncate && n > 2 * EDGE && i === EDGE) {
        parts.push('...');
        i = n - EDGE;
      }
      parts.push(write(axis + 1));
    }
    const depth = a.shape.length - axis;
    const separator = depth === 1 ? ' ' : '\n'.repeat(depth - 1) + ' '.repeat(axis + 1);
    return `[${parts.join(separator)}]`;
  };
  return `${write(0)}\nTensor ${formatShape(a.shape)} ${a.dtype}`;
}
