import { numbers, tf } from './peer.js';

/** A model of TensorFlow.js with inputs for it. */
export interface PeerModel {
  readonly name: string;
  readonly make: () => tf.LayersModel;
  readonly inputs: () => tf.Tensor[];
}

/** Ids below 7, with zeros at the end, in front and in between. */
const IDS = [
  [3, 1, 4, 0, 0],
  [0, 0, 2, 6, 5],
  [1, 0, 5, 0, 2],
  [6, 5, 4, 3, 2],
];
const ids = (): tf.Tensor => tf.tensor2d(IDS, [4, 5], 'int32');
const series = (): tf.Tensor => tf.tensor(numbers([4, 5, 3]), [4, 5, 3]);
const rows = (): tf.Tensor => tf.tensor(numbers([4, 3]), [4, 3]);
/** A series in which some steps are all 0. */
const gapped = (): tf.Tensor => tf.mul(series(), tf.expandDims(tf.cast(tf.greater(ids(), 0), 'float32'), -1));

const l = tf.layers;
const chain = (name: string, inputs: () => tf.Tensor, layers: () => tf.layers.Layer[]): PeerModel => ({
  name,
  make: () => tf.sequential({ layers: layers() }),
  inputs: () => [inputs()],
});
const inputShape = [5, 3];

/** Models that TensorFlow.js makes: all that it shares with Keras for sequences. */
export const PEER_MODELS: readonly PeerModel[] = [
  chain('dense, activations', rows, () => [
    l.dense({ units: 4, activation: 'elu', inputShape: [3], kernelRegularizer: 'l1l2', kernelConstraint: 'nonNeg' }),
    ...(['selu', 'relu', 'relu6', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'tanh'] as const).map(
      (activation) => l.dense({ units: 4, activation }),
    ),
    ...(['gelu', 'mish', 'swish', 'logSoftmax'] as unknown as 'tanh'[]).map((activation) =>
      l.dense({ units: 4, activation }),
    ),
    l.activation({ activation: 'softmax' }),
  ]),
  chain('layers of activations', rows, () => [
    l.dense({ units: 4, inputShape: [3] }),
    l.leakyReLU({ alpha: 0.1 }),
    l.prelu(),
    l.elu(),
    l.dense({ units: 4 }),
    l.reLU({ maxValue: 0.5 }),
    l.dense({ units: 4 }),
    l.thresholdedReLU({ theta: 0.2 }),
    l.softmax({ axis: -1 }),
  ]),
  chain('simple rnn', series, () => [l.simpleRNN({ units: 4, inputShape })]),
  chain('lstm, as it is made', series, () => [l.lstm({ units: 4, inputShape })]),
  chain('lstm with other options', series, () => [
    l.lstm({
      units: 4,
      inputShape,
      recurrentActivation: 'sigmoid',
      activation: 'relu',
      unitForgetBias: true,
      returnSequences: true,
    }),
    l.lstm({ units: 2, useBias: false, goBackwards: true, dropout: 0.2, recurrentDropout: 0.1 }),
  ]),
  chain('gru, as it is made', series, () => [l.gru({ units: 4, inputShape, recurrentInitializer: 'orthogonal' })]),
  chain('gru with sigmoid', series, () => [l.gru({ units: 4, inputShape, recurrentActivation: 'sigmoid' })]),
  chain('text, masked', ids, () => [
    l.embedding({ inputDim: 7, outputDim: 3, maskZero: true, inputLength: 5 }),
    l.lstm({ units: 4, returnSequences: true }),
    l.dropout({ rate: 0.5 }),
    l.gru({ units: 3 }),
    l.dense({ units: 2, activation: 'softmax' }),
  ]),
  chain('text without a length', ids, () => [
    l.embedding({ inputDim: 7, outputDim: 3 }),
    l.simpleRNN({ units: 4, returnSequences: true }),
    l.globalAveragePooling1d(),
  ]),
  chain('masking', gapped, () => [
    l.masking({ maskValue: 0, inputShape }),
    l.gru({ units: 4, returnSequences: true }),
    l.lstm({ units: 3 }),
  ]),
  ...(['concat', 'sum', 'mul', 'ave'] as const).map((mergeMode) =>
    chain(`bidirectional, ${mergeMode}`, series, () => [
      l.bidirectional({ layer: l.lstm({ units: 3, returnSequences: true }), mergeMode, inputShape }),
      l.bidirectional({ layer: l.gru({ units: 2 }) as never, mergeMode }),
    ]),
  ),
  chain('bidirectional, masked', ids, () => [
    l.embedding({ inputDim: 7, outputDim: 3, maskZero: true }),
    l.bidirectional({ layer: l.lstm({ units: 3, returnSequences: true }), mergeMode: 'concat' }),
    l.bidirectional({ layer: l.simpleRNN({ units: 2 }) as never, mergeMode: 'concat' }),
  ]),
  chain('stacked cells', series, () => [
    l.rnn({
      cell: [l.gruCell({ units: 3 }), l.lstmCell({ units: 4 }), l.simpleRNNCell({ units: 2 })],
      returnSequences: true,
      inputShape,
    } as never),
    l.rnn({ cell: l.lstmCell({ units: 2 }) } as never),
  ]),
  chain('time distributed', series, () => [
    l.timeDistributed({ layer: l.dense({ units: 4, activation: 'relu' }), inputShape }),
    l.timeDistributed({ layer: l.batchNormalization() }),
    l.flatten(),
  ]),
  ...(['valid', 'same'] as const).map((padding) =>
    chain(`convolution, ${padding}`, series, () => [
      l.conv1d({ filters: 4, kernelSize: 3, padding, activation: 'relu', inputShape }),
      l.batchNormalization(),
      l.layerNormalization(),
      l.flatten(),
      l.dense({ units: 2 }),
    ]),
  ),
  chain('dilation and pooling', series, () => [
    l.conv1d({ filters: 4, kernelSize: 2, dilationRate: 2, inputShape }),
    l.maxPooling1d({ poolSize: 2, strides: 1 }),
    l.averagePooling1d({ poolSize: 2, padding: 'same' }),
    l.globalMaxPooling1d(),
  ]),
  chain('strides', series, () => [l.conv1d({ filters: 4, kernelSize: 2, strides: 2, useBias: false, inputShape })]),
  chain('noise and shapes', series, () => [
    l.gaussianNoise({ stddev: 0.1, inputShape }),
    l.gaussianDropout({ rate: 0.1 }),
    l.alphaDropout({ rate: 0.1 } as never),
    l.spatialDropout1d({ rate: 0.1 } as never),
    l.permute({ dims: [2, 1] }),
    l.reshape({ targetShape: [5, -1 as never] }),
    l.globalMaxPooling1d(),
    l.repeatVector({ n: 2 }),
  ]),
  {
    name: 'graph',
    make: () => {
      const a = tf.input({ shape: [5, 3], name: 'series' });
      const h = tf.input({ shape: [4] });
      const c = tf.input({ shape: [4] });
      const [y, , last] = l
        .lstm({ units: 4, returnState: true, returnSequences: true })
        .apply([a, h, c] as never) as tf.SymbolicTensor[];
      const pooled = l.globalMaxPooling1d().apply(y!) as tf.SymbolicTensor;
      const shared = l.dense({ units: 4, activation: 'tanh', name: 'shared_part' });
      const [p, q] = [shared.apply(pooled), shared.apply(last!)] as tf.SymbolicTensor[];
      const all = l.concatenate().apply([p!, q!, l.add().apply([p!, q!]) as tf.SymbolicTensor]) as tf.SymbolicTensor;
      const dot = l.dot({ axes: 1, normalize: true }).apply([p!, q!]) as tf.SymbolicTensor;
      return tf.model({
        inputs: [a, h, c],
        outputs: [l.dense({ units: 2 }).apply(all), dot, l.average().apply([p!, q!])] as tf.SymbolicTensor[],
      });
    },
    inputs: () => [series(), tf.tensor(numbers([4, 4], 2), [4, 4]), tf.tensor(numbers([4, 4], 3), [4, 4])],
  },
  {
    name: 'models in a graph',
    make: () => {
      const x = tf.input({ shape: [3] });
      const inner = tf.sequential({ name: 'inner', layers: [l.dense({ units: 3, inputShape: [3] }), l.reLU()] });
      const z = tf.input({ shape: [3] });
      const graph = tf.model({
        inputs: z,
        outputs: l.dense({ units: 3, activation: 'tanh' }).apply(z) as tf.SymbolicTensor,
        name: 'graph',
      });
      const one = inner.apply(x) as tf.SymbolicTensor;
      const two = inner.apply(graph.apply(x) as tf.SymbolicTensor) as tf.SymbolicTensor;
      const y = l.multiply().apply([one, graph.apply(two) as tf.SymbolicTensor]) as tf.SymbolicTensor;
      return tf.model({ inputs: x, outputs: l.maximum().apply([y, two]) as tf.SymbolicTensor });
    },
    inputs: () => [rows()],
  },
  chain('models in a chain', rows, () => [
    tf.sequential({ layers: [l.dense({ units: 3, inputShape: [3] })] }),
    tf.sequential({ layers: [l.dense({ units: 2, inputShape: [3] }), l.dense({ units: 4 })] }),
    l.dense({ units: 2 }),
  ]),
  {
    name: 'stateful',
    make: () =>
      tf.sequential({
        layers: [l.lstm({ units: 3, stateful: true, batchInputShape: [4, 5, 3] })],
      }),
    inputs: () => [series()],
  },
];
