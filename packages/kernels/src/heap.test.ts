import { Heap, HeapError } from './heap.js';

const PAGE = 65_536;
const MIB = 2 ** 20;

function heap(limit = 64 * MIB): Heap {
  return new Heap(new WebAssembly.Memory({ initial: 16, maximum: limit / PAGE }), PAGE, limit);
}

test('blocks do not overlap, and are had again once they are given back', () => {
  const h = heap();
  const a = h.allocate(1000);
  const b = h.allocate(1);
  expect([a % 64, b % 64]).toEqual([0, 0]);
  expect(b - a).toBeGreaterThanOrEqual(1000);
  h.release(a);
  expect(h.allocate(900)).toBe(a);
  expect(() => h.release(a + 64)).toThrow(/expected the address of a block/);
});

test('neighbours that are free are one range, in whatever order they become so', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 0, 2],
  ]) {
    const h = heap();
    const blocks = [h.allocate(64_000), h.allocate(64_000), h.allocate(64_000)];
    h.allocate(64);
    for (const i of order) h.release(blocks[i]!);
    expect(h.allocate(192_000)).toBe(blocks[0]);
  }
});

test('a block at the end of memory gets its old place back when it grows: up to the limit, not twice its size', () => {
  const h = heap();
  let at = h.allocate(20 * MIB, undefined, true);
  for (const size of [40, 50, 58, 60]) {
    h.release(at);
    // What stays is taken from the bottom, and is not in its way.
    h.allocate(1000);
    at = h.allocate(size * MIB, undefined, true);
    expect(at + size * MIB).toBe(h.usage().total);
  }
  h.release(at);
  expect(h.usage().allocated).toBeLessThan(8 * 1024);
});

test('what does not fit is told with sizes, and leaves the heap as it was', () => {
  const h = heap();
  const at = h.allocate(30 * MIB);
  const before = h.usage();
  expect(() => h.allocate(40 * MIB)).toThrow(HeapError);
  expect(() => h.allocate(40 * MIB)).toThrow(
    /expected 40.00 MiB to fit into the 64.00 MiB that WebAssembly memory may grow to, of which 30.00 MiB are in use/,
  );
  expect(h.usage()).toEqual(before);
  h.release(at);
  expect(h.allocate(40 * MIB)).toBe(at);
});

test('a system that gives less than was asked for is an error of the same kind', () => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 32 });
  // The engine's own limit lies below the heap's.
  const h = new Heap(memory, PAGE, 64 * MIB);
  expect(() => h.allocate(3 * MIB)).toThrow(HeapError);
  expect(h.allocate(MIB)).toBeGreaterThanOrEqual(PAGE);
});

test('no block ends at 2^32, where addresses begin anew', () => {
  const h = new Heap(new WebAssembly.Memory({ initial: 1, maximum: 65_536 }), PAGE, 2 ** 32);
  expect(h.limit).toBeLessThanOrEqual(2 ** 32 - PAGE);
});

test('holders are known by kind, name and size', () => {
  const h = heap();
  h.allocate(100, { kind: 'variables', name: 'w' });
  expect([...h.holdings()]).toEqual([{ holder: { kind: 'variables', name: 'w' }, bytes: 128 }]);
});
