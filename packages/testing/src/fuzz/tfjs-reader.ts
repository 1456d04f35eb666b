import { readTfjs, writeTfjs } from '@recurra/formats';
import { tensorsOf } from '@recurra/formats/extend';
import { FormatError, ValueError } from '@recurra/tensor';
import { concatenated } from '@recurra/tensor/extend';
import fc from 'fast-check';
import { FILE, type FormatReader, type Golden } from './format-reader.js';
import { operate, surgery } from './json-surgery.js';
import { changed, changes } from './mutation.js';

/** Models that TensorFlow.js 4.22 saved: text with masks (compiled, with the optimizer's state), a graph, stacked cells, models in a graph. */
const MODELS = ['text', 'graph', 'cells', 'models'];

/** A `model.json` and the bytes of its weights as one file: the length of the first before both. */
function packed(json: Uint8Array, weights: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length, true);
  return concatenated([length, json, weights]);
}

/** The two of a file that {@link packed} made, or that is damaged. */
function unpacked(bytes: Uint8Array): readonly [json: Uint8Array, weights: Uint8Array] {
  if (bytes.length < 4) return [bytes, new Uint8Array()];
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return [bytes.subarray(4, end), bytes.subarray(end)];
}

const elements = (file: Awaited<ReturnType<typeof readTfjs>>): number => {
  const groups = file.weights ? [...tensorsOf(file.weights)].map(({ value }) => value.size) : [];
  const layers = (file.layers ?? []).flatMap(({ variables }) => variables.map(({ value }) => value.size));
  return [...groups, ...layers].reduce((a, b) => a + b, 0);
};

/** What is read has no more elements than the file has bytes, and is written, or refused as what TensorFlow.js cannot load. */
async function read(bytes: Uint8Array): Promise<void> {
  const [json, weights] = unpacked(bytes);
  const file = await readTfjs(json, async (path) => (/\.bin$/.test(path) ? weights : null), {}, FILE);
  if (elements(file) > weights.length)
    throw new Error(`expected at most ${weights.length} elements, received ${elements(file)}`);
  if (file.model && (typeof file.model.class_name !== 'string' || typeof file.model.config !== 'object'))
    throw new Error('expected a model as { class_name, config }');
  try {
    const files = await writeTfjs(file);
    const again = await readTfjs(files.get('model.json')!, async (path) => files.get(path) ?? null, {}, FILE);
    if (elements(again) !== elements(file))
      throw new Error('expected the same weights when they are written and read again');
  } catch (error) {
    if (!(error instanceof FormatError) && !(error instanceof ValueError)) throw error;
  }
}

/** Layers models of TensorFlow.js: JSON that says something else, and bytes that are damaged. */
export function tfjsReader(golden: Golden): FormatReader {
  const models = MODELS.map((name) => [golden(`tfjs/${name}.json`), golden(`tfjs/${name}.bin`)] as const);
  const files = models.map(([json, weights]) => packed(json, weights));
  const damaged = fc
    .tuple(fc.constantFrom(...files), changes)
    .map(([file, list]) =>
      list.reduce((bytes, change) => changed(bytes, change, (b) => [4, 4 + unpacked(b)[0].length]), file),
    );
  const other = fc
    .tuple(fc.constantFrom(...models), fc.array(surgery, { maxLength: 3 }))
    .map(([[json, weights], cuts]) =>
      packed(
        new TextEncoder().encode(cuts.reduce((text, cut) => operate(text, cut), new TextDecoder().decode(json))),
        weights,
      ),
    );
  return {
    name: 'tfjs',
    files: fc.oneof(damaged, { arbitrary: other, weight: 3 }, fc.uint8Array({ maxLength: 64 })),
    read,
  };
}
