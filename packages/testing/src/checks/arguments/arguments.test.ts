import * as recurra from 'recurra';
import { CALLBACKS } from './callbacks.js';
import { LAYER_CLASSES } from './layer-classes.js';
import { MEASURES } from './measures.js';
import { METHODS } from './methods.js';
import { TRAINING } from './models.js';
import { AUTOGRAD, CELLS, COMPILER, OPTIM } from './numeric.js';
import { PREPROCESSING } from './preprocessing.js';
import { autograd, cells, compiler, layers, optim, preprocessing, tensor } from './surface.js';
import { TENSOR } from './tensor.js';
import { type Example, faults } from './wrong.js';

/**
 * What is no function for users: parts that packages are built of, which are called with what has been checked (and often, so that a check
 * would cost), errors that are caught rather than made, and classes to be extended.
 */
const BUILT_UPON: Readonly<Record<string, readonly string[]>> = {
  tensor: [
    ...[
      'Tensor',
      'allPrimitives',
      'asTensor',
      'bind',
      'broadcastShapes',
      'broadcastStrides',
      'builtin',
      'camelCase',
      'checkIds',
    ],
    ...[
      'checkOptions',
      'checkRules',
      'checkSerialized',
      'checkValue',
      'closestName',
      'concatenated',
      'copiedData',
      'definePrimitive',
      'denseData',
      'didYouMean',
    ],
    ...[
      'elementsToJSON',
      'expectFloating',
      'formatShape',
      'indexMessage',
      'isClass',
      'isClassFunction',
      'isContiguous',
      'isFloating',
      'isRecord',
      'isSerialized',
      'describeActivation',
      'isSerializedFunction',
    ],
    ...['knownName', 'lookupByName', 'ndarray', 'nextLevel', 'normalizeAxes', 'normalizeAxis', 'printedAs', 'promote'],
    ...['promoteTypes', 'rowMajorStrides', 'sameShape', 'sizeOf', 'snakeCase', 'toFloating', 'withDefaults'],
    // Names of objects of one's own: what is registered lasts (registry.test.ts).
    ...['customNames', 'customObject', 'isRegistrable', 'registerSerializable', 'registeredName', 'withCustomObjects'],
    ...['DTypeError', 'FormatError', 'RecurraError', 'ShapeError', 'TraceError', 'ValueError'],
  ],
  autograd: ['expectTensors'],
  cells: [
    ...['BaseCell', 'GatedCell', 'describeCell', 'describeConstraint', 'describeInitializer'],
    ...['RecurrentCell', 'computeDType', 'describeRegularizer', 'expectCell', 'resolveSerialized'],
    ...['allowedKeys', 'dropoutMask', 'outputShapeOf', 'startsAtZero', 'stepAxesOf', 'withoutInitialValues'],
  ],
  compiler: ['EngineError', 'MemoryError', 'WorkerError', 'guard', 'isZero', 'setThreadedWork'],
  optim: ['Optimizer'],
  preprocessing: ['BadRowError', 'ReadError', 'RowReport', 'encodedShape'],
};

/** Cells, which `@recurra/layers` exports too. */
const CELL_CLASSES = ['GRUCell', 'LSTMCell', 'SimpleRNNCell', 'StackedRNNCells', 'RecurrentCell'];

/** Of layers: classes to be extended, and parts that layers, models and the training loop are built of. */
const LAYERS_BUILT_UPON = [
  ...['Callback', 'Layer', 'Loss', 'Metric', 'Operation', 'Call', 'Graph', 'SymbolicTensor', 'ModelOptimizer'],
  ...['TrainState', 'alignRanks', 'alignTargets', 'alignWeights', 'asTargets', 'classIndices', 'classWeights'],
  ...['directionOf', 'findLogName', 'formatDuration', 'joinWeights', 'layerClasses', 'maskOf', 'nameMetrics'],
  ...['prefixed', 'withMask', 'registerSerializable', 'shapesOf'],
  // Places of browsers, with tests of their own (places.test.ts).
  ...['downloadStorage', 'fetchStorage', 'fileStorage', 'indexedDbStorage'],
  // Between models and the plain values of files.
  ...['assignLayerWeights', 'assignWeights', 'describeModel', 'fromKerasNames', 'inFormerOrder', 'layerWeightsToFile'],
  ...['modelFromFile', 'toKerasNames', 'toModelFile', 'weightsToFile', 'withoutRecordedMasks'],
];

/** Right calls of what `@recurra/layers` exports. */
const LAYERS = { ...LAYER_CLASSES, ...MEASURES, ...CALLBACKS, ...METHODS };

const PACKAGES: readonly (readonly [string, object, Readonly<Record<string, readonly Example[]>>])[] = [
  ['tensor', tensor, TENSOR],
  ['autograd', autograd, AUTOGRAD],
  ['cells', cells, CELLS],
  ['compiler', compiler, COMPILER],
  ['optim', optim, OPTIM],
  ['preprocessing', preprocessing, PREPROCESSING],
];

describe.each(PACKAGES)('%s', (name, exported, examples) => {
  test('every function has an example of a right call', () => {
    const functions = Object.entries(exported).filter(([, value]) => typeof value === 'function');
    const known = [...Object.keys(examples), ...(BUILT_UPON[name] ?? [])];
    expect(known.sort()).toEqual(functions.map(([key]) => key).sort());
  });

  test.each(Object.entries(examples))(
    '%s takes no mistake in silence, and says what was expected',
    async (key, calls) => {
      const found: string[] = [];
      for (const call of calls) found.push(...(await faults(key, call)));
      expect(found).toEqual([]);
    },
  );
});

/** Methods and properties of layers and models stand beside what is exported. */
const isExport = (key: string): boolean => !key.includes('.');

test('every class and function of layers has an example of a right call', () => {
  const functions = Object.entries(layers).filter(([, value]) => typeof value === 'function');
  // Cells have theirs in the walk of their package.
  const known = [...Object.keys(LAYERS).filter(isExport), ...CELL_CLASSES, ...LAYERS_BUILT_UPON];
  expect(known.sort()).toEqual(functions.map(([key]) => key).sort());
});

describe('layers', () => {
  test.each(Object.entries({ ...LAYERS, ...TRAINING }))(
    '%s takes no mistake in silence, and says what was expected',
    async (key, calls) => {
      const found: string[] = [];
      for (const call of calls) found.push(...(await faults(key, call)));
      expect(found).toEqual([]);
    },
  );
});

test('the walk itself finds what is wrong', async () => {
  const call = (x: unknown) => (x as { length: number }).length;
  const found = await faults('length', { call, args: [{ value: () => 'abc', takes: ['the text "zzz"'] }] });
  expect(found).toContain('length(0: NaN): taken in silence, gave undefined');
  expect(found.some((line) => line.startsWith('length(0: null): raw TypeError'))).toBe(true);
  expect(found.some((line) => line.includes('zzz'))).toBe(false);
});

test('recurra exports what was walked, and nothing else', () => {
  const walked = new Set<unknown>([layers, ...PACKAGES.map(([, exported]) => exported)].flatMap(Object.values));
  const others = Object.entries(recurra).filter(([, value]) => typeof value === 'function' && !walked.has(value));
  expect(others.map(([key]) => key)).toEqual([]);
});
