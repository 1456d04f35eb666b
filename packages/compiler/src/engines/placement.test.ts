import { Command } from '@recurra/kernels';
import fc from 'fast-check';
import { Buffer, bufferAround } from '../schedule/buffer.js';
import { align, Placement } from './placement.js';

const never = (): number => {
  throw new Error('nothing is sized here');
};

function buffer(elements: number, first: number, last: number): Buffer {
  const made = new Buffer('float32', elements);
  made.touch(first);
  made.touch(last);
  return made;
}

const lives = fc.array(fc.record({ elements: fc.nat(400), first: fc.nat(30), length: fc.nat(10) }), {
  minLength: 1,
  maxLength: 40,
});

test('what lives at the same time lies apart, each at a cache line, within the size that is told', () => {
  fc.assert(
    fc.property(lives, (list) => {
      const buffers = list.map(({ elements, first, length }) => buffer(elements, first, first + length));
      const placement = new Placement(never);
      const total = placement.place(buffers);
      buffers.forEach((a, i) => {
        const at = placement.offsetOf(a);
        expect(at % 64).toBe(0);
        expect(at + a.bytes).toBeLessThanOrEqual(total);
        for (const b of buffers.slice(i + 1)) {
          if (a.last < b.first || b.last < a.first) continue;
          const other = placement.offsetOf(b);
          expect(at + Math.max(a.bytes, 1) <= other || other + Math.max(b.bytes, 1) <= at).toBe(true);
        }
      });
      expect(total).toBeLessThanOrEqual(buffers.reduce((sum, b) => sum + align(Math.max(b.bytes, 1)), 0));
    }),
    { seed: 1 },
  );
});

test('what an engine sizes, and what others lie in, has its size from there', () => {
  const [a, b] = [buffer(10, 0, 1), buffer(20, 2, 3)];
  const around = bufferAround([a, b]);
  around.touch(0);
  const scratch = buffer(0, 0, 0);
  scratch.sized = { layout: Command.sequenceForward, fields: { units: 3 }, name: 'scratch' };
  const placement = new Placement(({ fields, name }) => (name === 'scratch' ? 1000 * (fields['units'] as number) : 0));
  // The two within never live at once.
  expect(placement.bytesOf(around)).toBe(128);
  expect(placement.bytesOf(scratch)).toBe(3000);
  expect(placement.place([around, scratch])).toBe(align(3000) + 128);
  expect([placement.offsetOf(scratch), placement.offsetOf(around)]).toEqual([0, align(3000)]);
  expect([placement.offsetOf(a), placement.offsetOf(b)]).toEqual([0, 0]);
});

test('stacked buffers follow each other', () => {
  const list = [buffer(1, 0, 0), buffer(17, 0, 0), buffer(1, 0, 0)];
  const placement = new Placement(never);
  expect(placement.stack(list)).toBe(256);
  expect(list.map((one) => placement.offsetOf(one))).toEqual([0, 64, 192]);
});
