import fc from 'fast-check';
import { promoteTypes } from './extend.js';
import {
  add,
  arange,
  broadcastShapes,
  concat,
  DTypeError,
  einsum,
  matmul,
  ones,
  pad,
  resolveActivation,
  ShapeError,
  split,
  stack,
  stridedSlice,
  Tensor,
  TraceError,
  tensor,
  tile,
  topK,
  unstack,
  ValueError,
  where,
  zeros,
} from './index.js';

describe('construction', () => {
  test('dtypes follow the values, and are converted on request', () => {
    expect(
      tensor([
        [1, 2],
        [3, 4],
      ]).dtype,
    ).toBe('float32');
    expect(tensor([true, false]).dtype).toBe('bool');
    expect(tensor(Int32Array.of(1, 2)).dtype).toBe('int32');
    expect(tensor(Float64Array.of(1)).dtype).toBe('float64');
    expect(tensor([1, 2], { dtype: 'int32' }).toArray()).toEqual([1, 2]);
    expect(tensor(5).item()).toBe(5);
    expect(tensor([]).shape).toEqual([0]);
  });

  test('typed arrays are copied: a tensor never changes', () => {
    const source = Float32Array.of(1, 2);
    const x = tensor(source);
    source[0] = 9;
    expect(x.toArray()).toEqual([1, 2]);
  });

  test('ragged, deep, fractional and foreign values are refused', () => {
    expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
    expect(() => tensor([1, [2]] as never)).toThrow(ShapeError);
    expect(() => tensor([1.5], { dtype: 'int32' })).toThrow(DTypeError);
    expect(() => tensor(['a'] as never)).toThrow(/received string/);
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(ShapeError);
    expect(() => zeros([1, 1, 1, 1, 1, 1, 1, 1, 1])).toThrow(/rank of at most 8/);
  });
});

describe('type promotion', () => {
  test('bool < int32 < float32 < float64', () => {
    expect(promoteTypes('bool', 'int32')).toBe('int32');
    expect(promoteTypes('float64', 'float32')).toBe('float64');
    expect(add(tensor(Int32Array.of(1)), tensor([0.5])).dtype).toBe('float32');
  });

  test('JavaScript numbers are weak', () => {
    expect(tensor(Int32Array.of(1)).add(2).dtype).toBe('int32');
    expect(tensor(Int32Array.of(1)).add(0.5).dtype).toBe('float32');
    expect(tensor(Float64Array.of(1)).mul(2).dtype).toBe('float64');
    expect(tensor(Int32Array.of(6)).div(3).dtype).toBe('float32');
  });

  test('int32 products wrap as 32-bit integers do', () => {
    expect(tensor(Int32Array.of(123456789)).mul(987654321).item()).toBe(Math.imul(123456789, 987654321));
  });
});

const shape = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

describe('properties', () => {
  test('broadcasting is symmetric, and agrees with element-wise indexing', () => {
    fc.assert(
      fc.property(shape, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (full, drop) => {
        const small = full.map((d, i) => (drop[i] ? 1 : d));
        expect(broadcastShapes(full, small, 'test')).toEqual(full);
        expect(broadcastShapes(small, full, 'test')).toEqual(full);
        const n = full.reduce((a, b) => a * b, 1);
        const m = small.reduce((a, b) => a * b, 1);
        const a = arange(n).reshape(full);
        const b = arange(m).mul(100).reshape(small);
        const expected = [...a.data].map((v, flat) => {
          let rest = flat;
          let at = 0;
          let stride = 1;
          for (let i = full.length - 1; i >= 0; i--) {
            const index = rest % full[i]!;
            rest = Math.floor(rest / full[i]!);
            if (small[i] !== 1) at += index * stride;
            stride *= small[i]!;
          }
          return v + 100 * at;
        });
        expect([...a.add(b).data]).toEqual(expected);
      }),
    );
  });

  test('views do not change values: transpose, flip and slices against index arithmetic', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), (r, c) => {
        const rows = Array.from({ length: r }, (_, i) => Array.from({ length: c }, (_, j) => 10 * i + j));
        const x = tensor(rows);
        expect(x.transpose().toArray()).toEqual(Array.from({ length: c }, (_, j) => rows.map((row) => row[j])));
        expect(x.flip(0).toArray()).toEqual([...rows].reverse());
        expect(x.transpose().transpose().flip(1).flip(1).toArray()).toEqual(rows);
        expect(x.transpose().reshape([-1]).toArray()).toEqual(
          Array.from({ length: c }, (_, j) => rows.map((row) => row[j]!)).flat(),
        );
        expect(stridedSlice(x, [{ step: -1 }, { start: 1 }]).toArray()).toEqual(
          [...rows].reverse().map((row) => row.slice(1)),
        );
      }),
    );
  });

  test('concat undoes split, stack undoes unstack', () => {
    fc.assert(
      fc.property(
        shape.filter((s) => s.length > 0),
        (s) => {
          const x = arange(s.reduce((a, b) => a * b, 1)).reshape(s);
          expect(concat(split(x, [1], 0), 0).toArray()).toEqual(x.toArray());
          expect(stack(unstack(x, -1), -1).toArray()).toEqual(x.toArray());
        },
      ),
    );
  });

  test('matmul of any sizes and strides agrees with the definition', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 9 }),
        fc.boolean(),
        fc.boolean(),
        (m, k, n, ta, tb) => {
          const a = arange(m * k)
            .reshape([m, k])
            .cast('float32');
          const b = arange(k * n)
            .sub(7)
            .reshape([k, n])
            .cast('float32');
          const left = ta ? tensor(a.transpose().data as Float32Array, { shape: [k, m] }).transpose() : a;
          const right = tb ? tensor(b.transpose().data as Float32Array, { shape: [n, k] }).transpose() : b;
          const expected = Array.from({ length: m }, (_, i) =>
            Array.from({ length: n }, (_, j) =>
              Array.from({ length: k }, (_, q) => a.data[i * k + q]! * b.data[q * n + j]!).reduce((x, y) => x + y, 0),
            ),
          );
          expect([...matmul(left, right).data]).toEqual(expected.flat());
          expect([...einsum('ij,jk->ik', left, right).data]).toEqual(expected.flat());
        },
      ),
    );
  });

  test('padding and tiling have the sizes that they say', () => {
    expect(
      pad(ones([2, 3]), [
        [1, 0],
        [0, 2],
      ]).toArray(),
    ).toEqual([
      [0, 0, 0, 0, 0],
      [1, 1, 1, 0, 0],
      [1, 1, 1, 0, 0],
    ]);
    expect(tile(tensor([1, 2]), [2, 2]).toArray()).toEqual([
      [1, 2, 1, 2],
      [1, 2, 1, 2],
    ]);
  });
});

describe('reading and printing', () => {
  test('scalars, empty tensors and booleans', () => {
    expect(tensor(2).toArray()).toBe(2);
    expect(zeros([0, 3]).toArray()).toEqual([]);
    expect(zeros([2, 0]).toArray()).toEqual([[], []]);
    expect(tensor([1, 2]).equal(1).toArray()).toEqual([true, false]);
    expect(() => tensor([1, 2]).item()).toThrow(ShapeError);
  });

  test('prints as NumPy does, and truncates', () => {
    expect(
      tensor([
        [1, -2.5],
        [0.125, 4],
      ]).toString(),
    ).toBe('[[   1.  -2.5]\n [0.125    4.]]\nTensor [2, 2] float32');
    expect(arange(2000).toString()).toBe('[   0    1    2 ... 1997 1998 1999]\nTensor [2000] int32');
  });
});

describe('errors name the operation, what was expected and what was received', () => {
  const x = ones([2, 3]);
  test.each<[string, () => unknown, new (m: string) => Error, RegExp]>([
    [
      'shapes that do not broadcast',
      () => x.add(ones([4])),
      ShapeError,
      /add: expected shapes that broadcast.*\[2, 3\] and \[4\]/,
    ],
    [
      'inner sizes',
      () => x.matmul(x),
      ShapeError,
      /matmul: expected shapes \[..., m, k\] and \[..., k, n\], received \[2, 3\] and \[2, 3\]/,
    ],
    ['axis', () => x.sum(2), ValueError, /sum: expected an axis in -2..1/],
    ['index', () => x.gather(tensor(Int32Array.of(5)), 0), ValueError, /gather: expected indices in -2..1, received 5/],
    ['index dtype', () => x.gather(tensor([0.5]), 0), DTypeError, /int32, received float32/],
    ['empty maximum', () => zeros([0]).max(), ValueError, /max: expected at least one element/],
    ['k', () => topK(x, 4), ValueError, /topK: expected k in 0..3, received 4/],
    [
      'cast',
      () => x.cast('uint8' as never),
      DTypeError,
      /cast: expected dtype float32, float64, int32 or bool, received uint8/,
    ],
    ['condition', () => where(x, 1, 2), DTypeError, /dtype bool, received float32/],
    ['einsum', () => einsum('ij,jk', x), ValueError, /one term for each of 1 operands/],
    [
      'activation',
      () => resolveActivation('sigmoidal' as never),
      ValueError,
      /expected one of .*sigmoid.* received "sigmoidal"/,
    ],
    ['reshape', () => x.reshape([4, -1]), ShapeError, /divide 6 elements/],
  ])('%s', (_name, f, type, message) => {
    expect(f).toThrow(type);
    expect(f).toThrow(message);
  });

  test('a traced value has no data', () => {
    const traced = new Tensor([2], 'float32', null);
    expect(() => traced.toArray()).toThrow(TraceError);
  });
});

test('activations are found in both spellings', () => {
  const x = tensor([-4, 0, 4]);
  expect(resolveActivation('hard_sigmoid')(x).toArray()).toEqual(resolveActivation('hardSigmoid')(x).toArray());
  expect(resolveActivation(null)(x)).toBe(x);
});
