import {
  Adam,
  type Callback,
  EarlyStopping,
  type History,
  LabelEncoder,
  padSequences,
  type Sequential,
  setSeed,
  type Tensor,
  TerminateOnNaN,
  tensor,
} from 'recurra';
import type { Sample, Samples } from './data.js';
import { CommandError } from './errors.js';
import { allFinite } from './floats.js';
import { type Architecture, buildModel, countWeights, LIMITS } from './model.js';
import { Words } from './words.js';

/** What shapes the model and its training. */
export interface Settings extends Architecture {
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

/** Text in, label out: words, a model and the names of the classes. */
export class TextClassifier {
  readonly words: Words;
  readonly labels: LabelEncoder;
  readonly model: Sequential;
  readonly architecture: Architecture;
  readonly maxLength: number;

  constructor(words: Words, labels: LabelEncoder, model: Sequential, architecture: Architecture, maxLength: number) {
    this.words = words;
    this.labels = labels;
    this.model = model;
    this.architecture = architecture;
    this.maxLength = maxLength;
  }

  /** A fresh classifier for the words and labels of these samples. Throws `CommandError` unless there are two classes, and for a model too large. */
  static create({ file, samples }: Samples, settings: Settings): TextClassifier {
    const labels = labelsOf({ file, samples });
    const texts = samples.map((s) => s.text);
    const words = Words.learn(texts, settings.vocabulary);
    // Unknown words have an id too, so that a sequence is as long as its text has words.
    const longest = words.ids(texts).reduce((n, ids) => Math.max(n, ids.length), 0);
    if (longest === 0) throw new CommandError(`${file}: expected texts with words, received punctuation alone`);
    const maxLength = Math.min(longest, settings.maxLength);
    const { cell, units, layers, bidirectional, embedding, dropout } = settings;
    const architecture: Architecture = { cell, units, layers, bidirectional, embedding, dropout };
    const sizes = { vocabulary: words.size, maxLength, classes: labels.classes.length };
    const weights = countWeights(architecture, sizes);
    if (weights > LIMITS.weights)
      throw new CommandError(
        `expected a model of at most ${LIMITS.weights.toLocaleString('en')} weights, received ${weights.toLocaleString('en')}. Choose fewer --units, --layers, --embedding or a smaller --vocabulary.`,
        2,
      );
    setSeed(settings.seed);
    return new TextClassifier(words, labels, buildModel(architecture, sizes), architecture, maxLength);
  }

  /** Texts as padded ids. A text without any word is one unknown word: a sequence must not be empty. */
  encode(texts: readonly string[]): Tensor {
    const sequences = this.words.ids(texts).map((ids) => (ids.length > 0 ? ids : [1]));
    return padSequences(sequences, { maxLength: this.maxLength, truncating: 'post' });
  }

  /** Throws `CommandError` where a sample has a label that the classifier does not know. */
  checkLabels(data: Samples): void {
    checkLabels(this.labels, data);
  }

  private encodeLabels(samples: readonly Sample[]): Tensor {
    return tensor(Int32Array.from(samples, (s) => this.labels.encode(s.label!)));
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
    return this.model.fit(this.encode(samples.map((s) => s.text)), this.encodeLabels(samples), {
      epochs: settings.epochs,
      batchSize: settings.batchSize,
      verbose: options.verbose,
      validationData: dev ? [this.encode(dev.map((s) => s.text)), this.encodeLabels(dev)] : null,
      callbacks: [
        new TerminateOnNaN({ raiseError: true }),
        ...(dev ? [new EarlyStopping({ patience: settings.patience, restoreBestWeights: true })] : []),
        ...(options.callbacks ?? []),
      ],
    });
  }

  /** Predicted labels with their probabilities. Throws `CommandError` where the model gives no numbers. */
  async predict(texts: readonly string[]): Promise<Prediction[]> {
    const scores = await this.model.predict(this.encode(texts), { batchSize: 64 });
    if (!allFinite(scores.data))
      throw new CommandError(
        'expected probabilities, received NaN: the weights of the model are too large to compute with',
      );
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
    const actual = this.encodeLabels(samples).data;
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

/** The classes of samples. Throws `CommandError` for fewer than two. */
export function labelsOf({ file, samples }: Pick<Samples, 'file' | 'samples'>): LabelEncoder {
  const labels = new LabelEncoder(samples.map((s) => s.label!));
  if (labels.classes.length < 2)
    throw new CommandError(`${file}: expected at least two classes, received one: "${labels.classes[0]}"`);
  return labels;
}

/** Throws `CommandError`, with file and line, where a sample has an unknown label. */
export function checkLabels(labels: LabelEncoder, { file, samples }: Samples): void {
  const unknown = samples.filter((s) => !labels.has(s.label!));
  const [first] = unknown;
  if (!first) return;
  const known = labels.classes;
  const shown = known.length > 12 ? `${known.slice(0, 12).join(', ')}, ... (${known.length})` : known.join(', ');
  const more = unknown.length === 1 ? '' : ` (the first of ${unknown.length} rows with labels that it does not know)`;
  throw new CommandError(`${file}:${first.line}: unknown label "${first.label}"${more}. The model knows ${shown}.`);
}
