import { fileURLToPath } from 'node:url';
import { formatDuration } from 'recurra/extend';
import { checkLabels, DEFAULTS, type Evaluation, labelsOf, type Settings, TextClassifier } from './classifier.js';
import { type Reading, readSamples, type Samples } from './data.js';
import { CommandError } from './errors.js';
import { checkTarget, type Target, writeTarget } from './files/target.js';
import { readingFrom, required, settingsFrom, type Values } from './options.js';
import { badRowsOf, type Output } from './output.js';
import { confusionTable, dataSummary, percent, predictionLines } from './report.js';
import { encodeClassifier, loadClassifier } from './storage/storage.js';

interface TrainingData {
  readonly train: Samples;
  readonly dev: Samples | null;
  readonly test: Samples | null;
}

const read = async (path: string, reading: Reading, output: Output): Promise<Samples> => {
  const data = await readSamples(path, reading);
  output.tellAbout(data, reading.onBadRow === 'collect');
  return data;
};

function tellEvaluation(title: string, evaluation: Evaluation, labels: readonly string[], output: Output): void {
  output.say(`${title}: ${percent(evaluation.accuracy)} (${evaluation.correct} of ${evaluation.samples})\n`);
  if (labels.length <= 12) output.say(confusionTable(evaluation, labels));
}

/** Trains, saves where there is a target, then evaluates where there are test samples: an error in testing does not cost the model. */
async function runTraining(
  data: TrainingData,
  settings: Settings,
  target: Target | null,
  output: Output,
): Promise<{ classifier: TextClassifier; result: Record<string, unknown> }> {
  const { train, dev, test } = data;
  output.say(dataSummary('train', train.samples));
  if (dev) output.say(dataSummary('dev', dev.samples));
  if (test) output.say(dataSummary('test', test.samples));
  const classifier = TextClassifier.create(train, settings);
  output.say(`vocabulary: ${classifier.words.size} ids, sequences of ${classifier.maxLength}\n`);
  output.say(classifier.model.summary({ print: false }));
  output.say('');
  const start = Date.now();
  const history = await classifier.train(train.samples, settings, {
    ...(dev ? { dev: dev.samples } : {}),
    verbose: output.json ? 0 : 'auto',
  });
  const seconds = (Date.now() - start) / 1000;
  output.say(`\ntrained ${history.epoch.length} epochs in ${formatDuration(seconds)}`);
  const files = [train, dev, test].filter((d) => d !== null);
  const result: Record<string, unknown> = {
    seconds,
    epochs: history.epoch.length,
    history: history.history,
    labels: classifier.labels.classes,
    trainSamples: train.samples.length,
    ...(files.some((d) => d.bad + d.trimmed > 0) ? { badRows: files.map(badRowsOf) } : {}),
  };
  if (target) {
    await writeTarget(target, encodeClassifier(classifier), (path) => output.lifecycle.temporary(path));
    output.lifecycle.saved(target.name);
    output.say(`saved to ${target.name}`);
    result['out'] = target.name;
  }
  if (test) {
    const evaluation = await classifier.evaluate(test.samples);
    tellEvaluation('test accuracy', evaluation, classifier.labels.classes, output);
    Object.assign(result, {
      testAccuracy: evaluation.accuracy,
      testSamples: evaluation.samples,
      confusion: evaluation.confusion,
    });
  }
  return { classifier, result };
}

/** Everything that can be wrong with files is found before the first epoch. */
export async function train(values: Values, output: Output): Promise<void> {
  const path = required(values, 'data');
  const inputs = [path, values.dev, values.test].filter((p) => p !== undefined);
  const target = values.out === undefined ? null : checkTarget(values.out, inputs);
  const reading = readingFrom(values);
  const other = async (p: string | undefined): Promise<Samples | null> =>
    p === undefined ? null : read(p, reading, output);
  const data = {
    train: await read(path, reading, output),
    dev: await other(values.dev),
    test: await other(values.test),
  };
  const labels = labelsOf(data.train);
  for (const part of [data.dev, data.test]) if (part) checkLabels(labels, part);
  const { result } = await runTraining(data, settingsFrom(values), target, output);
  output.result({ command: 'train', ...result });
}

export async function evaluate(values: Values, output: Output): Promise<void> {
  const [model, path] = [required(values, 'model'), required(values, 'data')];
  const classifier = loadClassifier(model);
  const data = await read(path, readingFrom(values), output);
  classifier.checkLabels(data);
  const evaluation = await classifier.evaluate(data.samples);
  tellEvaluation('accuracy', evaluation, classifier.labels.classes, output);
  output.result({
    command: 'evaluate',
    labels: classifier.labels.classes,
    ...evaluation,
    ...(data.bad + data.trimmed > 0 ? { badRows: [badRowsOf(data)] } : {}),
  });
}

export async function predict(values: Values, texts: readonly string[], output: Output): Promise<void> {
  const model = required(values, 'model');
  const { data: path } = values;
  if (texts.length === 0 && path === undefined)
    throw new CommandError('expected texts, or --data FILE, received neither', 2);
  texts.forEach((t, i) => {
    if (t.trim() === '') throw new CommandError(`text ${i + 1}: expected a text, received an empty one`, 2);
  });
  const classifier = loadClassifier(model);
  const data = path === undefined ? null : await read(path, { ...readingFrom(values), label: null }, output);
  const fromFile = data?.samples ?? [];
  const predictions = await classifier.predict([...texts, ...fromFile.map((s) => s.text)]);
  output.say(predictionLines(predictions));
  output.result({
    command: 'predict',
    // Rows may have been left out: the line says whose answer it is.
    predictions: predictions.map((p, i) => (i < texts.length ? p : { ...p, line: fromFile[i - texts.length]!.line })),
    ...(data && data.bad > 0 ? { badRows: [badRowsOf(data)] } : {}),
  });
}

/** Settings of the demonstration: small data want small batches and a faster rate. */
const DEMO: Settings = {
  ...DEFAULTS,
  bidirectional: true,
  dropout: 0.5,
  epochs: 10,
  batchSize: 16,
  learningRate: 0.005,
};

const UNSEEN = [
  'Will it rain or will the sun shine tomorrow?',
  'The soup at that restaurant was too salty',
  'Our goalkeeper saved the match for the team',
  'My laptop crashed after the software update',
  '明天会下大雪吗，气温多少度？',
  '这家餐厅的红烧鱼很好吃',
  '教练说球队下场比赛一定能赢',
  '手机系统升级以后电池不耐用了',
];

export async function demo(output: Output): Promise<void> {
  const reading = readingFrom({ labelColumn: 'label' });
  const file = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url));
  output.say('Recurra text classifier: topics of English and Chinese sentences\n');
  const data: TrainingData = {
    train: await readSamples(file('train.tsv'), reading),
    dev: null,
    test: await readSamples(file('test.tsv'), reading),
  };
  const { classifier, result } = await runTraining(data, DEMO, null, output);
  const predictions = await classifier.predict(UNSEEN);
  output.say(`\nsentences it has never seen:\n${predictionLines(predictions)}`);
  output.result({ command: 'demo', ...result, predictions });
}
