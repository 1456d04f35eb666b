/** Tables as Keras 3.15 prints them for the same models (`model.summary()`, JAX, a terminal of 80 columns). */
import { ones, type Tensor } from '@recurra/tensor';
import { Add, Dense, Embedding, Flatten, Input, LSTM, Model, Sequential } from './index.js';

function net(): Model<never, never> {
  const [a, b] = [Input({ shape: [4], name: 'a' }), Input({ shape: [4], name: 'b' })];
  const s = Input({ shape: [5, 4], name: 's' });
  const inside = Input({ shape: [4], name: 'ii' });
  const inner = new Model({ inputs: inside, outputs: new Dense(3, { name: 'id' }).apply(inside), name: 'inner' });
  const shared = new Dense(4, { name: 'shared' });
  const [x, y] = [shared.apply(a), shared.apply(b)];
  const sum = new Add({ name: 'add' }).apply([x, y]);
  const tower = new Sequential([new Dense(3, { name: 't' })], { name: 'tower' });
  const [, h, c] = new LSTM(3, { returnState: true, name: 'lstm' }).apply(s);
  const decoded = new LSTM(3, { name: 'dec' }).apply(s, { initialState: [h!, c!] });
  const outputs = [inner.apply(sum), inner.apply(x), tower.apply(decoded)];
  return new Model({ inputs: { a, b, s }, outputs, name: 'net' }) as never;
}

test('a graph, with what each layer is connected to', () => {
  expect(net().summary({ print: false })).toBe(`Model: "net"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ a (InputLayer)      │ (None, 4)         │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ b (InputLayer)      │ (None, 4)         │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ s (InputLayer)      │ (None, 5, 4)      │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ shared (Dense)      │ (None, 4)         │         20 │ a[0][0], b[0][0]  │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ lstm (LSTM)         │ [(None, 3),       │         96 │ s[0][0]           │
│                     │ (None, 3), (None, │            │                   │
│                     │ 3)]               │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ add (Add)           │ (None, 4)         │          0 │ shared[0][0],     │
│                     │                   │            │ shared[1][0]      │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dec (LSTM)          │ (None, 3)         │         96 │ s[0][0],          │
│                     │                   │            │ lstm[0][1],       │
│                     │                   │            │ lstm[0][2]        │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ inner (Functional)  │ (None, 3)         │         15 │ add[0][0],        │
│                     │                   │            │ shared[0][0]      │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ tower (Sequential)  │ (None, 3)         │         12 │ dec[0][0]         │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 239 (956.00 B)
 Trainable params: 239 (956.00 B)
 Non-trainable params: 0 (0.00 B)`);
});

test('an input that nothing depends on, a column of what is trained', () => {
  const [a, u] = [Input({ shape: [4, 4], name: 'a' }), Input({ shape: [2], name: 'unused' })];
  const e = new Dense(5, { name: 'e' });
  const outputs = [new LSTM(2, { name: 'l' }).apply(a), new Dense(3, { name: 'd' }).apply(e.apply(a))];
  const model = new Model({ inputs: [a, u], outputs, name: 'unu' });
  expect(model.summary({ print: false, showTrainable: true })).toBe(`Model: "unu"
┏━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━┓
┃ Layer (type)      ┃ Output Shape    ┃   Param # ┃ Connected to   ┃ Trai… ┃
┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━┩
│ a (InputLayer)    │ (None, 4, 4)    │         0 │ -              │   -   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ e (Dense)         │ (None, 4, 5)    │        25 │ a[0][0]        │   Y   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ unused            │ (None, 2)       │         0 │ -              │   -   │
│ (InputLayer)      │                 │           │                │       │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ l (LSTM)          │ (None, 2)       │        56 │ a[0][0]        │   Y   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ d (Dense)         │ (None, 4, 3)    │        18 │ e[0][0]        │   Y   │
└───────────────────┴─────────────────┴───────────┴────────────────┴───────┘
 Total params: 99 (396.00 B)
 Trainable params: 99 (396.00 B)
 Non-trainable params: 0 (0.00 B)`);
  e.trainable = false;
  const line = model
    .summary({ print: false, showTrainable: true })
    .split('\n')
    .find((l) => l.includes('e (Dense)'));
  expect(line).toMatch(/│ {3}N {3}│$/);
});

test('a graph that is a chain has no connections; a long name ends with an ellipsis; the state of the optimizer counts', async () => {
  const a = Input({ shape: [4, 4], name: 'a' });
  const e = new Dense(50, { name: 'e_very_long_name_indeed_for_a_layer' }).apply(a);
  const outputs = new Flatten({ name: 'f' }).apply(new Dense(3000, { name: 'd' }).apply(e));
  const model = new Model({ inputs: a, outputs, name: 'chain' });
  const table = `┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ a (InputLayer)                  │ (None, 4, 4)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ e_very_long_name_indeed_for_a_… │ (None, 4, 50)          │           250 │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ d (Dense)                       │ (None, 4, 3000)        │       153,000 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ f (Flatten)                     │ (None, 12000)          │             0 │
└─────────────────────────────────┴────────────────────────┴───────────────┘`;
  expect(model.summary({ print: false })).toBe(`Model: "chain"
${table}
 Total params: 153,250 (598.63 KB)
 Trainable params: 153,250 (598.63 KB)
 Non-trainable params: 0 (0.00 B)`);
  model.compile({ optimizer: 'adam', loss: 'mse' });
  await model.trainOnBatch(ones([1, 4, 4]), ones([1, 12000]));
  expect(model.summary({ print: false })).toBe(`Model: "chain"
${table}
 Total params: 459,752 (1.75 MB)
 Trainable params: 153,250 (598.63 KB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 306,502 (1.17 MB)`);
  expect(model.summary({ print: false, lineLength: 60 })).toContain(
    '│ e_very_long_name_indeed… │ (None, 4, 50)     │       250 │\n│ (Dense)                  │                   │           │',
  );
});

test('models within are shown on demand, each level further in', () => {
  const inner = new Sequential([new Dense(2, { name: 'i2' })], { name: 'sq2' });
  const middle = new Sequential([new Dense(2, { name: 'i1' }), inner], { name: 'sq' });
  const model = new Sequential([Input({ shape: [4] }), middle], { name: 'seq' });
  expect(
    model.summary({ print: false, expandNested: true }),
  ).toContain(`│ sq (Sequential)                 │ (None, 2)              │            16 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│    └ i1 (Dense)                 │ (None, 2)              │            10 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│    └ sq2 (Sequential)           │ (None, 2)              │             6 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│       └ i2 (Dense)              │ (None, 2)              │             6 │`);
});

test('layers without weights yet; a part of the layers; options that there are not', () => {
  const model = new Sequential([
    new Dense(3, { name: 'd1' }),
    new Dense(3, { name: 'd2' }),
    new Dense(3, { name: 'x' }),
  ]);
  expect(model.summary({ print: false })).toContain(
    '│ d1 (Dense)                      │ ?                      │   0 (unbuilt) │',
  );
  const names = (range: [string, string]): (string | undefined)[] =>
    [...model.summary({ print: false, layerRange: range }).matchAll(/│ (\w+) \(/g)].map((m) => m[1]);
  expect(names(['d', 'd'])).toEqual(['d1', 'd2']);
  expect(names(['x', 'd2'])).toEqual(['d2', 'x']);
  expect(() => model.summary({ layerRange: ['q', 'x'] })).toThrow(
    /layerRange to name layers \(d1, d2, x\), received "q"/,
  );
  expect(() => model.summary({ layerRange: ['d1'] as never })).toThrow(/two names or patterns/);
  expect(() => model.summary({ lineLength: 9 })).toThrow(/a line that holds all columns/);
  expect(() => model.summary({ positions: [1] })).toThrow(/3 positions/);
  expect(() => model.summary({ line_length: 9 } as never)).toThrow(/Did you mean "lineLength"/);
  class Own extends Model {
    readonly head = new Dense(2, { name: 'head' });
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
  }
  expect(new Own().summary({ print: false })).toContain('head (Dense)');
});

test('shapes without a declared input: those that the layers were built for, as in Keras', async () => {
  const chain = new Sequential([new Embedding(10, 4), new LSTM(3), new Dense(1)]);
  class Own extends Model {
    readonly embedding = new Embedding(10, 4);
    readonly lstm = new LSTM(3);
    readonly dense = new Dense(1);
    override call(x: Tensor): Tensor {
      return this.dense.apply(this.lstm.apply(this.embedding.apply(x)));
    }
  }
  for (const model of [chain, new Own()]) {
    await model.predict(ones([8, 5], 'int32'));
    const shapes = [...model.summary({ print: false }).matchAll(/│ (\(None.*?\)) +│/g)].map((m) => m[1]);
    expect(shapes).toEqual(['(None, 5, 4)', '(None, 3)', '(None, 1)']);
  }
});
