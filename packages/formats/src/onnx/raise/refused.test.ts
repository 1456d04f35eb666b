/** What no layer computes is refused with the name of the node, its operator, and why; and bytes that others wrote, when they are damaged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { decodeOnnx } from '../decode.js';
import { ATTRIBUTE_TYPES, writeModel } from '../proto.js';

type Attributes = Readonly<Record<string, number | readonly number[] | string>>;

interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs?: readonly string[];
  readonly attributes?: Attributes;
}

const utf8 = new TextEncoder();
const dims = (shape: readonly (number | string)[]): object[] =>
  shape.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: BigInt(d) }));
const value = (name: string, shape: readonly (number | string)[], elemType = 1): object => ({
  name,
  type: { tensorType: { elemType, shape: { dim: dims(shape) } } },
});
const floats = (name: string, shape: readonly number[], fill = (i: number): number => Math.sin(i + 1)): object => ({
  name,
  dataType: 1,
  dims: shape.map(BigInt),
  floatData: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => fill(i)),
});
const ints = (name: string, list: readonly number[], dataType = 7): object =>
  dataType === 7
    ? { name, dataType, dims: [BigInt(list.length)], int64Data: list.map(BigInt) }
    : { name, dataType, dims: [BigInt(list.length)], int32Data: list };

/** A graph with x [n, t, 3] and what else is given; its output is `y`. */
function graph(nodes: readonly Node[], constants: readonly object[] = [], inputs: readonly object[] = []): Uint8Array {
  const attribute = Object.entries;
  return writeModel({
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 17n }],
    graph: {
      name: 'refused',
      node: nodes.map(({ op, inputs: input, outputs = ['y'], attributes = {} }, i) => ({
        opType: op,
        name: `node_${i}`,
        input,
        output: outputs,
        attribute: attribute(attributes).map(([name, v]) =>
          typeof v === 'string'
            ? { name, type: ATTRIBUTE_TYPES.string, s: utf8.encode(v) }
            : typeof v === 'number'
              ? { name, type: ATTRIBUTE_TYPES.int, i: BigInt(v) }
              : { name, type: ATTRIBUTE_TYPES.ints, ints: v.map(BigInt) },
        ),
      })),
      initializer: constants,
      input: [value('x', ['n', 't', 3]), ...inputs],
      output: [{ name: 'y' }],
    },
  });
}

const turned: Node = { op: 'Transpose', inputs: ['x'], outputs: ['z'], attributes: { perm: [1, 0, 2] } };
const gru = [floats('W', [1, 6, 3]), floats('R', [1, 6, 2]), floats('B', [1, 12])];
const walk = (inputs: readonly string[], attributes: Attributes = {}): Node => ({
  op: 'GRU',
  inputs: ['z', 'W', 'R', 'B', ...inputs],
  outputs: ['', 'y'],
  attributes,
});

const REFUSED: Readonly<Record<string, readonly [bytes: () => Uint8Array, message: RegExp]>> = {
  'lengths of single samples': [
    () => graph([turned, walk(['lengths'])], [...gru, ints('lengths', [3, 2], 6)]),
    /GRU "node_1": expected sequence_lens that are the length of the sequence, or an input/,
  ],
  'states that differ between samples': [
    () => graph([turned, walk(['', 'begin'])], [...gru, floats('begin', [1, 2, 2])]),
    /GRU "node_1": expected initial states that are the same for all samples, or an input/,
  ],
  'states of other sizes': [
    () => graph([turned, walk(['', 'begin'])], gru, [value('begin', [1, 'n', 5])]),
    /GRU "node_1": expected initial states of 1 directions and 2 units, received \[open, 1, 5\]/,
  ],
  'an output projected or clipped': [
    () => graph([turned, walk([], { clip: 1 })], gru),
    /GRU "node_1": expected neither clip nor input_forget/,
  ],
  'an operator that is not known': [
    () => graph([{ op: 'Scan', inputs: ['x'] }]),
    /expected operators that layers compute \(.*\), received Scan "node_0"/,
  ],
  'an operator of others': [() => graph([{ op: 'Trilu', inputs: ['x'] }]), /received Trilu "node_0"/],
  'products of four axes that are no heads': [
    () =>
      graph(
        [
          { op: 'Unsqueeze', inputs: ['x', 'two'], outputs: ['a'] },
          { op: 'Transpose', inputs: ['a'], outputs: ['b'], attributes: { perm: [0, 1, 3, 2] } },
          { op: 'MatMul', inputs: ['a', 'b'] },
        ],
        [ints('two', [2])],
      ),
    /MatMul "node_2": expected queries \[batch, heads, time, depth\]/,
  ],
  'a mask that is not causal': [
    () =>
      graph(
        [
          { op: 'Reshape', inputs: ['x', 'cut'], outputs: ['a'] },
          { op: 'Transpose', inputs: ['a'], outputs: ['q'], attributes: { perm: [0, 2, 1, 3] } },
          { op: 'Transpose', inputs: ['a'], outputs: ['k'], attributes: { perm: [0, 2, 3, 1] } },
          { op: 'MatMul', inputs: ['q', 'k'], outputs: ['s'] },
          { op: 'Add', inputs: ['s', 'hide'] },
        ],
        [ints('cut', [0, 0, 3, 1]), floats('hide', [4, 4], (i) => (i % 2 ? 0 : -1e9))],
      ),
    /Add "node_4": expected a factor, or a constant mask that hides later steps/,
  ],
  'scores without a softmax': [
    () =>
      graph(
        [
          { op: 'Reshape', inputs: ['x', 'cut'], outputs: ['a'] },
          { op: 'Transpose', inputs: ['a'], outputs: ['q'], attributes: { perm: [0, 2, 1, 3] } },
          { op: 'Transpose', inputs: ['a'], outputs: ['k'], attributes: { perm: [0, 2, 3, 1] } },
          { op: 'MatMul', inputs: ['q', 'k'] },
        ],
        [ints('cut', [0, 0, 3, 1])],
      ),
    /output "y": expected a value that a layer gives, received scores of an attention/,
  ],
  'a shape that mixes samples': [
    () => graph([{ op: 'Reshape', inputs: ['x', 'flat'] }], [ints('flat', [-1, 3])]),
    /output "y": expected the axis of the batch by itself, received it joined with another one/,
  ],
  'a shape of other elements': [
    () => graph([{ op: 'Reshape', inputs: ['x', 'flat'] }], [ints('flat', [0, 0, 4])]),
    /Reshape "node_0": expected a shape of as many elements/,
  ],
  'a sum over an open number of steps': [
    () => graph([{ op: 'ReduceSum', inputs: ['x', 'one'] }], [ints('one', [1])]),
    /ReduceSum "node_0": expected a known number of steps, or a product with shares/,
  ],
  'a step in the middle of an open sequence': [
    () => graph([{ op: 'Gather', inputs: ['x', 'two'], attributes: { axis: 1 } }], [ints('two', [2])]),
    /Gather "node_0": expected the first or the last step of a sequence of open length, received 2/,
  ],
  'a table as large as memory': [
    () =>
      graph(
        [
          { op: 'ConstantOfShape', inputs: ['sizes'], outputs: ['c'] },
          { op: 'Add', inputs: ['x', 'c'] },
        ],
        [ints('sizes', [1 << 16, 1 << 16])],
      ),
    /ConstantOfShape "node_0": expected constants of at most 4194304 elements/,
  ],
};

test.each(Object.entries(REFUSED))('%s', (_what, [bytes, message]) => {
  expect(() => decodeOnnx(bytes())).toThrow(FormatError);
  expect(() => decodeOnnx(bytes())).toThrow(message);
});

test('a single output that nothing reads is no part of the model, nor is what it comes of', () => {
  const file = decodeOnnx(
    graph([
      { op: 'Relu', inputs: ['x'] },
      { op: 'NonZero', inputs: ['x'], outputs: ['unused'] },
    ]),
  );
  expect(JSON.stringify(file.model)).toContain('"relu"');
});

const FOLDER = join(__dirname, '../../../../testing/golden/files/onnx');

test.each(['multihead.open', 'lstm_states_num_layers2_bidirectional.open', 'lengths.made', 'transformer.dynamo'])(
  '%s with bytes changed, cut or doubled is a model or a FormatError',
  (name) => {
    const bytes = new Uint8Array(readFileSync(join(FOLDER, `${name}.onnx`)));
    const seen = { model: 0, error: 0 };
    const edit = fc.record({
      at: fc.nat({ max: bytes.length - 1 }),
      byte: fc.nat({ max: 255 }),
      cut: fc.integer({ min: -8, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let given = Uint8Array.from(bytes);
        for (const { at, byte, cut } of edits) {
          if (cut > 0 && byte < 32) given = Uint8Array.from([...given.subarray(0, at), ...given.subarray(at + cut)]);
          else if (cut < 0 && byte < 32)
            given = Uint8Array.from([...given.subarray(0, at), ...given.subarray(Math.max(0, at + cut))]);
          else if (at < given.length) given[at] = byte;
        }
        try {
          decodeOnnx(given);
          seen.model++;
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          seen.error++;
        }
      }),
      { numRuns: 300, seed: 7 },
    );
    expect(seen.model + seen.error).toBe(300);
    expect(seen.error).toBeGreaterThan(0);
  },
);
