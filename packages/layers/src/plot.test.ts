/** Images of models: their boxes, frames and edges are read from the SVG text. */
import type { Tensor } from '@recurra/tensor';
import { Add, Dense, Dropout, Input, LSTM, Model, plotModel, Sequential } from './index.js';

function net(): Model<never, never> {
  const [a, b] = [Input({ shape: [4], name: 'a' }), Input({ shape: [4], name: 'b' })];
  const inside = Input({ shape: [4], name: 'ii' });
  const hidden = new Dense(3, { name: 'id', activation: 'relu' }).apply(inside);
  const inner = new Model({ inputs: inside, outputs: new Dropout(0.5, { name: 'drop' }).apply(hidden), name: 'inner' });
  const shared = new Dense(4, { name: 'shared' });
  const sum = new Add({ name: 'add' }).apply([shared.apply(a), shared.apply(b)]);
  const tower = new Sequential([new Dense(3, { name: 't1' }), new Dense(2, { name: 't2' })], { name: 'tower' });
  return new Model({ inputs: [a, b], outputs: tower.apply(inner.apply(sum)), name: 'net' }) as never;
}

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((m) => m.slice(1).join(' > '));
const layers = (text: string): string[] => all(text, /<g class="layer" data-layer="([^"]*)"/g).sort();
const edges = (text: string): string[] => all(text, /data-from="([^"]*)" data-to="([^"]*)"/g).sort();
const texts = (text: string): string[] => all(text, /<text [^>]*>([^<]*)<\/text>/g);
const boxes = (text: string): Map<string, number[]> =>
  new Map(
    [
      ...text.matchAll(
        /data-layer="([^"]*)"[^>]*><rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"/g,
      ),
    ].map((m) => [m[1]!, m.slice(2, 6).map(Number)]),
  );

test('a box a layer, an edge from each to what it feeds, none over another', async () => {
  const text = await plotModel(net());
  expect(layers(text)).toEqual(['a', 'add', 'b', 'inner', 'shared', 'tower']);
  // A layer that is called twice feeds the next one by one line, as Keras draws it.
  expect(edges(text)).toEqual(['a > shared', 'add > inner', 'b > shared', 'inner > tower', 'shared > add']);
  expect(texts(text)).toEqual(['InputLayer', 'InputLayer', 'Dense', 'Add', 'Functional', 'Sequential']);
  const places = [...boxes(text).values()];
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(text)!.map(Number) as [number, number, number];
  places.forEach(([x, y, w, h], i) => {
    expect(x! >= 0 && y! >= 0 && x! + w! <= width && y! + h! <= height).toBe(true);
    for (const [x2, y2, w2, h2] of places.slice(i + 1))
      expect(x! + w! <= x2! || x2! + w2! <= x! || y! + h! <= y2! || y2! + h2! <= y!).toBe(true);
  });
});

test('names, shapes, dtypes, activations, what is trained', async () => {
  const model = net();
  model.getLayer('tower').trainable = false;
  const options = {
    showLayerNames: true,
    showShapes: true,
    showDtype: true,
    showLayerActivations: true,
    showTrainable: true,
  };
  const found = texts(await plotModel(model, options));
  const of = (title: string, n: number): string[] => found.slice(found.indexOf(title), found.indexOf(title) + n);
  expect(of('a (InputLayer)', 3)).toEqual(['a (InputLayer)', 'Output shape: (None, 4)', 'Output dtype: float32']);
  expect(of('add (Add)', 4)).toEqual([
    'add (Add)',
    'Input shape: [(None, 4), (None, 4)]',
    'Output shape: (None, 4)',
    'Output dtype: float32',
  ]);
  expect(of('shared (Dense)', 6)).toEqual([
    'shared (Dense)',
    'Activation: linear',
    'Input shape: (None, 4)',
    'Output shape: (None, 4)',
    'Output dtype: float32',
    'Trainable',
  ]);
  expect(of('tower (Sequential)', 5).at(-1)).toBe('Non-trainable');
});

test('models within as frames: edges lead to the layers in them', async () => {
  const text = await plotModel(net(), { expandNested: true });
  expect(layers(text)).toEqual(['a', 'add', 'b', 'drop', 'id', 'ii', 'shared', 't1', 't2']);
  expect(all(text, /data-model="([^"]*)"/g)).toEqual(['inner', 'tower']);
  expect(edges(text)).toEqual([
    'a > shared',
    'add > ii',
    'b > shared',
    'drop > t1',
    'id > drop',
    'ii > id',
    'shared > add',
    't1 > t2',
  ]);
});

test('directions: what comes later stands below, above, right or left', async () => {
  const model = new Sequential([Input({ shape: [3] }), new Dense(2, { name: 'p' }), new Dense(2, { name: 'q' })]);
  const delta = async (rankdir: 'TB' | 'BT' | 'LR' | 'RL'): Promise<number[]> => {
    const places = boxes(await plotModel(model, { rankdir }));
    const [p, q] = [places.get('p')!, places.get('q')!];
    return [Math.sign(q[0]! - p[0]!), Math.sign(q[1]! - p[1]!)];
  };
  expect(await delta('TB')).toEqual([0, 1]);
  expect(await delta('BT')).toEqual([0, -1]);
  expect(await delta('LR')).toEqual([1, 0]);
  expect(await delta('RL')).toEqual([-1, 0]);
});

test('texts cannot leave their place', async () => {
  const name = `<script>"&'\u0000</script>`;
  const model = new Sequential([Input({ shape: [3] }), new Dense(2, { name })], { name });
  const text = await plotModel(new Sequential([Input({ shape: [3] }), model], { name }), {
    showLayerNames: true,
    expandNested: true,
  });
  expect(text).not.toContain('<script');
  expect(text).not.toContain('\u0000');
  expect(text).toContain('&#60;script&#62;&#34;&#38;&#39;\ufffd&#60;/script&#62;');
  // Every start tag has its end: nothing but our own elements.
  expect([...new Set(all(text, /<([a-z]+)/g))].sort()).toEqual(['defs', 'g', 'marker', 'path', 'rect', 'svg', 'text']);
});

test('a model that writes call is one box; what cannot be drawn is told', async () => {
  class Own extends Model {
    private readonly head = new Dense(2);
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
  }
  const own = new Own({ name: 'own' });
  await expect(plotModel(own)).rejects.toThrow(/a built model, received "own" without weights/);
  own.build([null, 3]);
  expect(layers(await plotModel(own))).toEqual(['own']);
  await expect(plotModel(new Dense(1) as never)).rejects.toThrow(/expected a model, received a Dense/);
  await expect(plotModel(new Sequential([new LSTM(2)]))).rejects.toThrow(/without weights/);
  await expect(plotModel(net(), { rankdir: 'XY' as never })).rejects.toThrow(
    /rankdir to be one of 'TB', 'BT', 'LR', 'RL'/,
  );
  await expect(plotModel(net(), { show_shapes: true } as never)).rejects.toThrow(/Did you mean "showShapes"/);
});
