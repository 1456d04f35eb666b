/** Areas of Keras' public names, as `keras/names.json` has them. */
export type Area =
  | 'models'
  | 'layers'
  | 'losses'
  | 'metrics'
  | 'optimizers'
  | 'schedules'
  | 'callbacks'
  | 'initializers'
  | 'regularizers'
  | 'constraints'
  | 'activations';

/** What exists here under another name: Keras' name, and ours. */
export const RENAMED: Readonly<Partial<Record<Area, Readonly<Record<string, string>>>>> = {
  callbacks: { ProgbarLogger: 'ProgressLogger' },
  models: { Functional: 'Model' },
  optimizers: {},
  initializers: { IdentityInitializer: 'identity', OrthogonalInitializer: 'orthogonal' },
};

const SEQUENCES = 'Images and volumes: this library is for sequences, whose layers are the 1D ones.';
const IMAGES = 'Augments images: this library is for sequences.';
const ALIAS = 'A second name in Keras for the layer without it in its name: ';
const YET = 'Not written yet.';

/** Why a name of Keras is not here: whole names, or patterns that they match. What is here must not stand in this table. */
export const WHY: readonly (readonly [area: Area, names: RegExp, why: string])[] = [
  [
    'layers',
    /^(?!Convolution|.*Convolution)(?!GlobalAvgPool|GlobalMaxPool\d|AvgPool|MaxPool\d).*[23]D(Transpose)?$/,
    SEQUENCES,
  ],
  ['layers', /Convolution\dD/, `${ALIAS}Conv1D, Conv1DTranspose, SeparableConv1D (2D and 3D: for images and volumes).`],
  [
    'layers',
    /^(Global)?(Avg|Max)Pool\dD$/,
    `${ALIAS}AveragePooling1D, MaxPooling1D and their global forms (2D and 3D: for images and volumes).`,
  ],
  ['layers', /^Random(?!Normal)/, IMAGES],
  [
    'layers',
    /^(AugMix|AutoContrast|CenterCrop|ContrastLimitedAdaptiveHistogramEqualization|CutMix|Equalization|MixUp|RandAugment|Resizing|Solarization|MaxNumBoundingBoxes)$/,
    IMAGES,
  ],
  ['layers', /^(FlaxLayer|JaxLayer|TFSMLayer|TorchModuleWrapper)$/, 'Wraps a model of another Python library.'],
  ['layers', /^(MelSpectrogram|STFTSpectrogram)$/, 'Audio: Fourier transforms are not here.'],
  ['layers', /^InputSpec$/, 'Layers check their inputs in `checkInputs`, with errors of their own.'],
  ['layers', /^Wrapper$/, 'A layer that stands in a property of another is its child: no base class is needed.'],
  ['layers', /^Pipeline$/, 'A function of the layers, in `dataset.map`; within a model, `Sequential`.'],
  ['layers', /^HashedCrossing$/, 'Join the values to a text, and hash it with `Hashing`.'],
  ['layers', /^ReversibleEmbedding$/, YET],
  ['layers', /^Adaptive(Average|Max)Pooling1D$/, YET],
  [
    'optimizers',
    /^(MultiOptimizer|OptimizerMap)$/,
    'One optimizer trains a model; freeze layers (`trainable`) to train a part of it.',
  ],
  ['schedules', /^LearningRateSchedule$/, 'A schedule is a function of the step, which gives the learning rate.'],
  ['callbacks', /^CallbackList$/, '`fit` takes a list of callbacks.'],
  ['callbacks', /^OrbaxCheckpoint$/, "Files of JAX' Orbax: `ModelCheckpoint` and `BackupAndRestore` write their own."],
  ['callbacks', /^RemoteMonitor$/, '`new LambdaCallback({ onEpochEnd: (epoch, logs) => fetch(url, ...) })`.'],
  ['initializers', /^(STFT|STFTInitializer)$/, 'Audio: Fourier transforms are not here.'],
  ['initializers', /^Initializer$/, 'An initializer is an object with `create(shape, options)`: a type, not a class.'],
  ['regularizers', /^Regularizer$/, 'A regularizer is an object with `apply(weight)`: a type, not a class.'],
  ['constraints', /^Constraint$/, 'A constraint is an object with `apply(weight)`: a type, not a class.'],
];
