import { join } from 'node:path';
import { areasIn, replayArea } from './replay.js';

const dir = join(__dirname, '../../golden');

/** What is not built yet, by area: cases of these names are skipped, and no others. */
const NOT_YET: Record<string, RegExp> = {
  ops: /^$/,
  activations: /^$/,
  initializers: /^$/,
  optimizers: /^$/,
  losses: /\/(BinaryFocal|CategoricalFocal|CategoricalGeneralized|Dice|Tversky|Circle|CTC)/,
  metrics:
    /\/(SensitivityAt|SpecificityAt|PrecisionAt|RecallAt|F1Score|FBetaScore|R2Score|PearsonCorrelation|ConcordanceCorrelation)/,
  layers:
    /^(attention|merging|normalization|conv_pooling)\/|mask_passing_(LayerNormalization|ReLU|Flatten|Reshape|ZeroPadding1D)$|\/(EinsumDense|TimeDistributed|chain_Embedding_Bidirectional_GlobalAverage|Flatten|Reshape|Permute|Cropping1D|ZeroPadding1D|UpSampling1D|RepeatVector|SpatialDropout1D|GaussianNoise|GaussianDropout|AlphaDropout|PReLU|LeakyReLU|ELU|Softmax|ReLU|Rescaling|UnitNormalization|Identity|ActivityRegularization)/,
  training: /^(batchnorm_dense|conv1d_gru|residual_two_inputs|time_distributed|transformer_block)/,
  preprocessing: /^$/,
};

test('the golden folder holds every area that is replayed', () => {
  expect(areasIn(dir)).toEqual(Object.keys(NOT_YET));
});

/** Areas whose replay runs through `jit` too; training always does, and the others compute no tensors in steps. */
const COMPILED = ['ops', 'activations', 'optimizers', 'losses', 'metrics', 'layers'];

test.each([
  ...Object.keys(NOT_YET).map((area) => [area, 'eager'] as const),
  ...COMPILED.map((area) => [area, 'compiled'] as const),
])('%s agrees with Keras, %s', async (area, mode) => {
  const report = await replayArea(dir, area, { compiled: mode === 'compiled' });
  expect(report.failed).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(0);
  expect(report.skipped.filter((name) => !NOT_YET[area]!.test(name))).toEqual([]);
});
