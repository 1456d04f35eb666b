import { type Tensor, tensor } from '@recurra/tensor';
import { resolveLoss, serializeLoss } from './extend.js';
import {
  BinaryCrossentropy,
  BinaryFocalCrossentropy,
  CategoricalGeneralizedCrossEntropy,
  Huber,
  Loss,
  type LossName,
  losses,
  MeanSquaredError,
  SparseCategoricalCrossentropy,
  Tversky,
} from './index.js';

test("names in camelCase, in snake_case, and as Keras' classes", () => {
  for (const name of ['klDivergence', 'kl_divergence', 'KLDivergence', 'kld', 'KLD'])
    expect(resolveLoss(name as LossName).className).toBe('KLDivergence');
  expect(resolveLoss('mape').className).toBe('MeanAbsolutePercentageError');
  expect(resolveLoss('CTC' as 'ctc').name).toBe('ctc');
  expect(resolveLoss('huber').name).toBe('huberLoss');
});

test('names follow from the classes, and Keras has short ones', () => {
  // All of them, written out: the type has no others, and lacks none.
  const names: Record<LossName, string> = {
    binaryCrossentropy: 'BinaryCrossentropy',
    binaryFocalCrossentropy: 'BinaryFocalCrossentropy',
    categoricalCrossentropy: 'CategoricalCrossentropy',
    categoricalFocalCrossentropy: 'CategoricalFocalCrossentropy',
    categoricalGeneralizedCrossEntropy: 'CategoricalGeneralizedCrossEntropy',
    sparseCategoricalCrossentropy: 'SparseCategoricalCrossentropy',
    meanSquaredError: 'MeanSquaredError',
    meanAbsoluteError: 'MeanAbsoluteError',
    meanAbsolutePercentageError: 'MeanAbsolutePercentageError',
    meanSquaredLogarithmicError: 'MeanSquaredLogarithmicError',
    huber: 'Huber',
    logCosh: 'LogCosh',
    cosineSimilarity: 'CosineSimilarity',
    hinge: 'Hinge',
    squaredHinge: 'SquaredHinge',
    categoricalHinge: 'CategoricalHinge',
    klDivergence: 'KLDivergence',
    poisson: 'Poisson',
    dice: 'Dice',
    tversky: 'Tversky',
    circle: 'Circle',
    ctc: 'CTC',
    bce: 'BinaryCrossentropy',
    kld: 'KLDivergence',
    mae: 'MeanAbsoluteError',
    mape: 'MeanAbsolutePercentageError',
    mse: 'MeanSquaredError',
    msle: 'MeanSquaredLogarithmicError',
  };
  const found = Object.entries(losses).map(([name, Class]) => [name, new Class().className]);
  expect(Object.fromEntries(found)).toEqual(names);
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', ''])('"%s" is no loss', (name) => {
  expect(() => resolveLoss(name as LossName)).toThrow(/loss: expected one of binaryCrossentropy/);
});

test('what else is no loss', () => {
  expect(() => resolveLoss('binary_crossentropi' as LossName)).toThrow(/Did you mean "binaryCrossentropy"/);
  expect(() => resolveLoss(MeanSquaredError as never)).toThrow(/Write new MeanSquaredError\(\)/);
  for (const value of [null, 3, {}, []])
    expect(() => resolveLoss(value as never)).toThrow(/expected a name, a Loss or a function/);
});

test('every loss goes down, has a name of its own class, and is made again from its configuration', () => {
  for (const Class of Object.values(losses)) {
    const loss = new Class();
    expect(loss.direction).toBe('down');
    const copy = resolveLoss(serializeLoss(loss));
    expect(copy).toBeInstanceOf(Class);
    expect(serializeLoss(copy)).toEqual(serializeLoss(loss));
  }
  expect(new Huber({ delta: 2 }).getConfig()).toEqual({ name: 'huberLoss', reduction: 'sumOverBatchSize', delta: 2 });
  const focal = BinaryFocalCrossentropy.fromConfig(new BinaryFocalCrossentropy({ gamma: 3, alpha: 0.1 }).getConfig());
  expect(focal.getConfig()).toMatchObject({ gamma: 3, alpha: 0.1, applyClassBalancing: false, fromLogits: false });
  expect(
    resolveLoss(serializeLoss(new Tversky({ axis: 1, reduction: 'sum' })))
      .apply([[1, 0]], [[1, 0]])
      .item(),
  ).toBeCloseTo(0, 6);
  expect(() => serializeLoss(resolveLoss((y: Tensor) => y))).toThrow(/received a function/);
});

test('options that nobody reads are refused', () => {
  expect(() => new BinaryCrossentropy({ from_logits: true } as never)).toThrow(
    'BinaryCrossentropy: unknown option "from_logits". Did you mean "fromLogits"?',
  );
  expect(() => new MeanSquaredError({ fromLogits: true } as never)).toThrow(/unknown option "fromLogits"/);
  expect(() => new SparseCategoricalCrossentropy('sum' as never)).toThrow(/expected an object of options/);
  expect(() => new MeanSquaredError({ reduction: 'average' as never })).toThrow(
    /expected reduction to be one of 'sumOverBatchSize'/,
  );
  expect(() => new CategoricalGeneralizedCrossEntropy({ q: 1 })).toThrow(/q to be a number > 0 and < 1, received 1/);
  expect(() => new BinaryCrossentropy({ labelSmoothing: 2 }).apply([[1]], [[0.5]])).toThrow(
    /labelSmoothing to be a number from 0 to 1, received 2/,
  );
  expect(() => new BinaryFocalCrossentropy({ gamma: -1 }).apply([[1]], [[0.5]])).toThrow(
    /gamma to be a finite number >= 0, received -1/,
  );
});

test("reductions by Keras' names, and none", () => {
  const apply = (reduction: string | null): unknown =>
    new MeanSquaredError({ reduction: reduction as never }).apply([[1], [3]], tensor([[0], [0]])).toArray();
  expect(apply('sum_over_batch_size')).toBe(5);
  expect(apply('mean')).toBe(5);
  expect(apply('sum')).toBe(10);
  expect(apply('none')).toEqual([1, 9]);
  expect(apply(null)).toEqual([1, 9]);
});

test('a class of losses of one own', () => {
  class Cubes extends Loss {
    constructor() {
      super('cubes');
    }
    call(y: Tensor, p: Tensor): Tensor {
      return p.sub(y).abs().pow(3).mean(-1);
    }
  }
  const loss = resolveLoss(new Cubes());
  expect([loss.name, loss.className, loss.direction]).toEqual(['cubes', 'Cubes', 'down']);
  expect(loss.apply([1, 2], tensor([[2], [4]])).item()).toBe(4.5);
});

test('a function that gives no tensor has no gradient, and is refused', () => {
  for (const value of [3, undefined, Promise.resolve(1)])
    expect(() => resolveLoss((() => value) as never).apply([[1]], [[1]])).toThrow(
      /^loss ".*": expected a function that returns a tensor, made of the predictions it gets, received (3|undefined|a promise)$/,
    );
});
