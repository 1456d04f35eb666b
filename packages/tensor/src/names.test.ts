import { closestName, describeValue, knownName, lookupByName, snakeCase } from './extend.js';
import { resolveActivation, ValueError } from './index.js';

const TABLE = { heNormal: 1, klDivergence: 2, adamw: 3, meanSquaredError: 4 };

test.each([
  ['heNormal', 1],
  ['he_normal', 1],
  ['HeNormal', 1],
  ['kl_divergence', 2],
  ['KLDivergence', 2],
  ['AdamW', 3],
  ['MeanSquaredError', 4],
])('%s is found in its table', (name, value) => {
  expect(lookupByName(TABLE, name, 'thing')).toBe(value);
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf', ''])(
  'what objects inherit is no name: "%s"',
  (name) => {
    expect(() => lookupByName(TABLE, name, 'thing')).toThrow(ValueError);
    expect(() => resolveActivation(name as never)).toThrow(ValueError);
  },
);

test('an exact name comes before one in another spelling', () => {
  expect(knownName(['mse', 'MSE'], 'MSE', 'loss')).toBe('MSE');
});

test('an unknown name is told with the known ones and the nearest', () => {
  expect(() => lookupByName(TABLE, 'mean_square_error', 'loss', 'or a Loss')).toThrow(
    'loss: expected one of heNormal, klDivergence, adamw, meanSquaredError or a Loss, received "mean_square_error". Did you mean "meanSquaredError"?',
  );
  expect(() => resolveActivation('rleu' as never)).toThrow(/received "rleu". Did you mean "relu"\?$/);
  expect(() => lookupByName(TABLE, 'quite different', 'loss')).toThrow(/received "quite different"$/);
});

test.each([
  [null, 'null'],
  [3, '3'],
  [Number.NaN, 'NaN'],
  [['a'], '["a"]'],
  [{}, 'an object'],
  [Object.create(null), 'an object'],
  [new Map(), 'an instance of Map'],
  [class Adam {}, 'the class Adam'],
  [Math.max, 'the function max'],
  [Symbol('x'), 'a symbol'],
])('what is no text is no name: %p', (name, words) => {
  expect(describeValue(name)).toBe(words);
  expect(() => lookupByName(TABLE, name, 'loss')).toThrow(`received ${words}`);
});

test('the nearest name: other spellings first, then names elsewhere, then letters', () => {
  const names = ['learningRate', 'returnSequences', 'units', 'clipnorm', 'weightDecay', 'epochs'];
  expect(closestName('return_sequences', names)).toBe('returnSequences');
  expect(closestName('ClipNorm', names)).toBe('clipnorm');
  expect(closestName('lr', names)).toBe('learningRate');
  expect(closestName('nb_epoch', names)).toBe('epochs');
  expect(closestName('returnSequence', names)).toBe('returnSequences');
  expect(closestName('unit', names)).toBe('units');
  expect(closestName('xyz', names)).toBeNull();
  expect(closestName('lr', ['units'])).toBeNull();
});

test.each([
  ['LSTM', 'lstm'],
  ['SimpleRNN', 'simple_rnn'],
  ['ScheduleFreeAdamW', 'schedule_free_adam_w'],
  ['RMSprop', 'rm_sprop'],
  ['AdamW', 'adam_w'],
  ['Conv1D', 'conv1d'],
  ['Conv1DTranspose', 'conv1d_transpose'],
  ['SpatialDropout1D', 'spatial_dropout1d'],
  ['KLDivergence', 'kl_divergence'],
  ['F1Score', 'f1_score'],
  ['recurrentKernel', 'recurrent_kernel'],
])('%s is %s as Keras names objects of the class', (className, name) => {
  expect(snakeCase(className)).toBe(name);
});
