import {
  Adam,
  type AnyLayer,
  Bidirectional,
  type Callback,
  Dense,
  Dropout,
  EarlyStopping,
  Embedding,
  GRU,
  type History,
  Input,
  LabelEncoder,
  LSTM,
  padSequences,
  Sequential,
  SimpleRNN,
  segmentWords,
  setSeed,
  type Tensor,
  TerminateOnNaN,
  Tokenizer,
  tensor,
} from 'recurra';
import type { Sample } from './data.js';
import { CommandError } from './errors.js';

/** Kinds of recurrent layers. */
export type CellKind = 'lstm' | 'gru' | 'rnn';

/** What shapes the model and its training. */
export interface Settings {
  readonly cell: CellKind;
  readonly units: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly embedding: number;
  readonly dropout: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly maxLength: number;
  readonly vocabulary: number;
  readonly patience: number;
  readonly seed: number;
}

/** The settings without options. */
export const DEFAULTS: Settings = {
  cell: 'lstm',
  units: 32,
  layers: 1,
  bidirectional: false,
  embedding: 32,
  dropout: 0.3,
  epochs: 8,
  batchSize: 32,
  learningRate: 0.003,
  maxLength: 60,
  vocabulary: 20_000,
  patience: 2,
  seed: 42,
};

/** How a classifier did on a set of samples. */
export interface Evaluation {
  readonly samples: number;
  readonly correct: number;
  readonly accuracy: number;
  /** confusion[actual][predicted] */
  readonly confusion: readonly (readonly number[])[];
}

/** One answer. */
export interface Prediction {
  readonly text: string;
  readonly label: string;
  readonly probability: number;
}

/** Text in, label out: a tokenizer, a model and the names of the classes. */
export class TextClassifier {
  readonly tokenizer: Tokenizer;
  readonly labels: LabelEncoder;
  readonly model: Sequential;
  readonly maxLength: number;

  constructor(tokenizer: Tokenizer, labels: LabelEncoder, model: Sequential, maxLength: number) {
    this.tokenizer = tokenizer;
    this.labels = labels;
    this.model = model;
    this.maxLength = maxLength;
  }

  /** A fresh classifier for the words and labels of these samples. Throws `CommandError` unless there are two classes. */
  static create(samples: readonly Sample[], settings: Settings): TextClassifier {
    const labels = new LabelEncoder(samples.map((s) => s.label!));
    if (labels.classes.length < 2)
      throw new CommandError(`expected at least two classes, received one: "${labels.classes[0]}"`);
    setSeed(settings.seed);
    const tokenizer = new Tokenizer({ numWords: settings.vocabulary, oovToken: '<OOV>', analyzer: segmentWords });
    const words = samples.map((s) => segmentWords(s.text));
    tokenizer.fitOnTexts(words);
    // Unknown words have an id too, so that a sequence is as long as its text has words.
    const longest = words.reduce((n, list) => Math.max(n, list.length), 0);
    if (longest === 0) throw new CommandError('expected texts with words, received punctuation alone');
    const maxLength = Math.min(longest, settings.maxLength);
    const model = new Sequential(
      [
        Input({ shape: [maxLength], dtype: 'int32' }),
        new Embedding(tokenizer.vocabularySize, settings.embedding, { maskZero: true }),
        new Dropout(settings.dropout),
        ...recurrentLayers(settings),
        new Dropout(settings.dropout),
        new Dense(labels.classes.length, { activation: 'softmax' }),
      ],
      { name: 'text_classifier' },
    );
    return new TextClassifier(tokenizer, labels, model, maxLength);
  }

  /** Texts as padded ids. A text without any known word is one unknown word: a sequence must not be empty. */
  encode(texts: readonly string[]): Tensor {
    const sequences = this.tokenizer.textsToSequences(texts).map((ids) => (ids.length > 0 ? ids : [1]));
    return padSequences(sequences, { maxLength: this.maxLength, truncating: 'post' });
  }

  private encodeLabels(samples: readonly Sample[], what: string): Tensor {
    return tensor(
      Int32Array.from(samples, (s) => {
        if (!this.labels.has(s.label!))
          throw new CommandError(
            `${what}, line ${s.line}: unknown label "${s.label}". The model knows ${this.labels.classes.join(', ')}.`,
          );
        return this.labels.encode(s.label!);
      }),
    );
  }

  /** Trains on samples; with `dev` samples, stops when their loss no longer falls, and keeps the best weights. */
  async train(
    samples: readonly Sample[],
    settings: Settings,
    options: { dev?: readonly Sample[]; verbose: 'auto' | 0; callbacks?: readonly Callback[] },
  ): Promise<History> {
    this.model.compile({
      optimizer: new Adam({ learningRate: settings.learningRate, clipnorm: 1 }),
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const { dev } = options;
    return this.model.fit(this.encode(samples.map((s) => s.text)), this.encodeLabels(samples, 'training data'), {
      epochs: settings.epochs,
      batchSize: settings.batchSize,
      verbose: options.verbose,
      validationData: dev ? [this.encode(dev.map((s) => s.text)), this.encodeLabels(dev, 'dev data')] : null,
      callbacks: [
        new TerminateOnNaN(),
        ...(dev ? [new EarlyStopping({ patience: settings.patience, restoreBestWeights: true })] : []),
        ...(options.callbacks ?? []),
      ],
    });
  }

  /** Predicted labels with their probabilities. */
  async predict(texts: readonly string[]): Promise<Prediction[]> {
    const scores = await this.model.predict(this.encode(texts), { batchSize: 64 });
    const best = scores.argmax(-1).data;
    const classes = this.labels.classes.length;
    return texts.map((text, i) => ({
      text,
      label: this.labels.decode(best[i]!),
      probability: scores.data[i * classes + best[i]!]!,
    }));
  }

  /** Accuracy and confusion matrix. */
  async evaluate(samples: readonly Sample[]): Promise<Evaluation> {
    const actual = this.encodeLabels(samples, 'test data').data;
    const predictions = await this.predict(samples.map((s) => s.text));
    const n = this.labels.classes.length;
    const confusion = Array.from({ length: n }, () => new Array<number>(n).fill(0));
    predictions.forEach((p, i) => {
      confusion[actual[i]!]![this.labels.encode(p.label)]!++;
    });
    const correct = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
    return { samples: samples.length, correct, accuracy: correct / samples.length, confusion };
  }
}

function recurrentLayers(settings: Settings): AnyLayer[] {
  const { cell, units, layers, bidirectional } = settings;
  return Array.from({ length: layers }, (_, i) => {
    const options = { returnSequences: i < layers - 1 };
    const layer =
      cell === 'lstm'
        ? new LSTM(units, options)
        : cell === 'gru'
          ? new GRU(units, options)
          : new SimpleRNN(units, options);
    return bidirectional ? new Bidirectional(layer) : layer;
  });
}
