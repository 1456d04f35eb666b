import { join } from 'node:path';
import { grad } from '@recurra/autograd';
import { dotProductAttention } from '@recurra/cells';
import { jit, setEngine } from '@recurra/compiler';
import { type Supports, wasmEngine } from '@recurra/compiler/extend';
import { randomKey, randomNormal, type Tensor } from '@recurra/tensor';
import { type EngineCase, expectClose } from './case.js';
import { goldenFamilies } from './golden.js';
import { GRADIENTS, VALUES } from './primitives.js';
import { MEANWHILE, STEPS, VANISHING } from './steps.js';

/** A backward kernel reads what its forward kernel leaves; where the host ran that, it must run the way back as well. */
const ATTENTION: EngineCase = {
  name: 'attention with its gradient: as eager',
  run: async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => randomNormal([2, 5, 3, 4], { key: randomKey(seed) })) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const loss = (all: Tensor[]): Tensor => dotProductAttention(all[0]!, all[1]!, all[2]!).square().sum();
    expectClose(await jit(grad(loss))([q, k, v]), grad(loss)([q, k, v]), 1e-5);
  },
};
/** Each n-th one. */
const everyNth = <T>(n: number, all: readonly T[]): T[] => all.filter((_, i) => i % n === 0);
const STEPWISE: readonly EngineCase[] = [
  ...STEPS.filter((one) => !VANISHING.includes(one) && !MEANWHILE.includes(one)),
  ATTENTION,
  ...VALUES,
  ...GRADIENTS,
];
const WITH_GOLDEN: readonly EngineCase[] = [
  ...STEPWISE,
  ...[...goldenFamilies(join(__dirname, '../../golden')).values()].flatMap((cases) => everyNth(8, cases)),
];

const YOUNG = /^(convolution|pooling|random|sequence|recurrence|attention|loop|rows|scatterAdd)/;

/**
 * Engines that lack commands, as young ones do: the engine of WebAssembly with fewer answers. What they lack the host evaluates between commands, with
 * the same results; an engine that met a command that it does not have would throw.
 */
const STAND_INS: readonly (readonly [string, Supports, readonly EngineCase[]])[] = [
  [
    'no sequences, loops, windows, rows, sums by index, random numbers',
    (command) => !YOUNG.test(command.name),
    WITH_GOLDEN,
  ],
  [
    'the way back of sequences and attention, but not the way there',
    ({ name }) => !/Forward$/.test(name),
    everyNth(3, STEPWISE),
  ],
  ['commands of float32 alone', (_, dtypes) => dtypes.every((dtype) => dtype === 'float32'), everyNth(3, STEPWISE)],
  ['no chains', ({ name }) => name !== 'chain', everyNth(3, STEPWISE)],
  ['no command at all', () => false, STEPWISE],
];

describe.each(STAND_INS)('an engine that has %s', (_, answers, cases) => {
  const engine = wasmEngine() as { supports: Supports };
  const { supports } = engine;
  beforeAll(async () => {
    await setEngine('wasm');
    engine.supports = answers;
  });
  afterAll(() => {
    engine.supports = supports;
  });

  test.each(cases.map((one) => [one.name, one] as const))('%s', (_name, one) => one.run());
});
