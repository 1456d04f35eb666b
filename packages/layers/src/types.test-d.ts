/**
 * What TypeScript holds users to: checked by `pnpm typecheck`, never run. `@ts-expect-error` fails where nothing is wrong.
 */
import { constraints, initializers, regularizers } from '@recurra/cells';
import type { Tensor } from '@recurra/tensor';
import { expectTypeOf } from 'expect-type';
import {
  Add,
  Bidirectional,
  type CompileOptions,
  Dense,
  Embedding,
  type FitOptions,
  GRU,
  type History,
  Input,
  LSTM,
  Model,
  Sequential,
  type SymbolicTensor,
} from './index.js';

// Names are known ones, in camelCase or Keras' spelling.
new Dense(2, { activation: 'relu' });
new Dense(2, { activation: 'hard_sigmoid' });
// @ts-expect-error a misspelt activation
new Dense(2, { activation: 'rleu' });
// @ts-expect-error a misspelt option
new Dense(2, { useBiass: true });
// @ts-expect-error Keras' spelling of an option
new LSTM(2, { return_sequences: true });
// @ts-expect-error a misspelt initializer
new LSTM(2, { kernelInitializer: 'glorotuniform' });
// @ts-expect-error a misspelt regularizer
new GRU(2, { kernelRegularizer: 'l3' });
// @ts-expect-error a misspelt merge mode
new Bidirectional(new LSTM(2), { mergeMode: 'added' });
// @ts-expect-error a number where a text belongs
new Embedding('100', 3);

declare const chain: Sequential;
chain.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
chain.compile({ loss: 'binary_crossentropy', metrics: ['binary_accuracy'] });
// @ts-expect-error a misspelt optimizer
chain.compile({ optimizer: 'adm' });
// @ts-expect-error a misspelt loss
chain.compile({ loss: 'binaryCrossentrpy' });
// @ts-expect-error a misspelt metric
chain.compile({ metrics: ['acuracy'] });
// @ts-expect-error a misspelt option
chain.compile({ optimiser: 'adam' });
expectTypeOf<CompileOptions['runEagerly']>().toEqualTypeOf<boolean | undefined>();

declare const x: Tensor;
expectTypeOf(chain.predict(x)).resolves.toEqualTypeOf<Tensor>();
expectTypeOf(chain.fit(x, x)).resolves.toEqualTypeOf<History>();
// @ts-expect-error Keras' spelling of an option
chain.fit(x, x, { batch_size: 32 });
// @ts-expect-error a text where a number belongs
chain.fit(x, x, { epochs: '3' });
expectTypeOf<FitOptions['epochs']>().toEqualTypeOf<number | undefined>();

// Trees of inputs and outputs: data and predictions follow them.
const title = Input({ shape: [4] });
const body = Input({ shape: [4] });
expectTypeOf(title).toEqualTypeOf<SymbolicTensor>();
const both = new Model({
  inputs: { title, body },
  outputs: { tags: new Dense(2).apply(title), score: new Dense(1).apply(new Add().apply([title, body])) },
});
expectTypeOf(both.predict({ title: x, body: x })).resolves.toEqualTypeOf<{
  readonly tags: Tensor;
  readonly score: Tensor;
}>();
both.fit({ title: x, body: x }, { tags: x, score: x });
// @ts-expect-error an input is missing
both.fit({ title: x }, { tags: x, score: x });
// @ts-expect-error an input is misspelt
both.fit({ title: x, bdy: x }, { tags: x, score: x });
// @ts-expect-error one tensor where two inputs are declared
both.predict(x);
// @ts-expect-error there is no such output
both.fit({ title: x, body: x }, { tgs: x, score: x });

const pair = new Model({ inputs: [title, body] as const, outputs: [title, body] as const });
expectTypeOf(pair.predict([x, x])).resolves.toEqualTypeOf<readonly [Tensor, Tensor]>();
// @ts-expect-error an input too few
pair.fit([x], [x, x]);

// The history is read without assertions.
declare const history: History;
expectTypeOf(history.last('loss')).toEqualTypeOf<number>();

// Layers on tensors give tensors, on symbolic ones symbolic ones.
expectTypeOf(new Dense(2).apply(x)).toEqualTypeOf<Tensor>();
expectTypeOf(new Dense(2).apply(title)).toEqualTypeOf<SymbolicTensor>();
const [output, ...states] = new LSTM(2, { returnState: true }).apply(title);
expectTypeOf(output).toEqualTypeOf<SymbolicTensor>();
expectTypeOf(states).toEqualTypeOf<SymbolicTensor[]>();
const anyLSTM: LSTM = new LSTM(2, { returnSequences: true });
new Sequential([anyLSTM, new LSTM(3, { returnState: false })]);

// What goes by name is made with its options, too.
new Dense(2, {
  kernelInitializer: initializers.constant({ value: 2 }),
  biasInitializer: initializers.truncatedNormal({ stddev: 0.1 }),
  kernelRegularizer: regularizers.l1L2({ l1: 0.1 }),
  kernelConstraint: constraints.maxNorm({ maxValue: 3 }),
});
// @ts-expect-error there is no such option
initializers.constant({ val: 2 });
