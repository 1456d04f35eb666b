import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatDuration, RecurraError } from 'recurra';
import { type CellKind, DEFAULTS, type Settings, TextClassifier } from './classifier.js';
import { readSamples, type Sample } from './data.js';
import { CommandError } from './errors.js';
import { confusionTable, dataSummary, percent, predictionLines } from './report.js';
import { discardUnfinished, loadClassifier, saveClassifier } from './storage.js';

const USAGE = `usage:
  text-classifier demo
      train on the sentences that ship with the app, evaluate, and classify a few new ones
  text-classifier train --data FILE [--dev FILE] [--test FILE] [--out FILE]
      [--text-column text] [--label-column label] [--cell lstm|gru|rnn] [--units ${DEFAULTS.units}] [--layers ${DEFAULTS.layers}]
      [--bidirectional] [--embedding ${DEFAULTS.embedding}] [--dropout ${DEFAULTS.dropout}] [--epochs ${DEFAULTS.epochs}] [--batch-size ${DEFAULTS.batchSize}]
      [--learning-rate ${DEFAULTS.learningRate}] [--max-length ${DEFAULTS.maxLength}] [--vocabulary ${DEFAULTS.vocabulary}] [--patience ${DEFAULTS.patience}] [--seed ${DEFAULTS.seed}] [--json]
  text-classifier evaluate --model FILE --data FILE [--text-column text] [--label-column label] [--json]
  text-classifier predict --model FILE [--data FILE [--text-column text]] [--json] [TEXT ...]
FILE is .csv, .tsv or .jsonl, each also as .gz.`;

const OPTIONS = {
  data: { type: 'string' },
  dev: { type: 'string' },
  test: { type: 'string' },
  out: { type: 'string' },
  model: { type: 'string' },
  'text-column': { type: 'string', default: 'text' },
  'label-column': { type: 'string', default: 'label' },
  cell: { type: 'string' },
  units: { type: 'string' },
  layers: { type: 'string' },
  bidirectional: { type: 'boolean' },
  embedding: { type: 'string' },
  dropout: { type: 'string' },
  epochs: { type: 'string' },
  'batch-size': { type: 'string' },
  'learning-rate': { type: 'string' },
  'max-length': { type: 'string' },
  vocabulary: { type: 'string' },
  patience: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

type Values = { readonly [K in keyof typeof OPTIONS]?: string | boolean | undefined };

/** Where results go; --json keeps everything but the result off standard output. */
interface Output {
  readonly json: boolean;
  say(text: string): void;
  result(value: Record<string, unknown>): void;
}

function text(values: Values, name: keyof Values): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

function required(values: Values, name: keyof Values): string {
  const value = text(values, name);
  if (value === undefined) throw new CommandError(`expected --${name} FILE, received none\n${USAGE}`, 2);
  return value;
}

function number(
  values: Values,
  name: keyof Values,
  fallback: number,
  check: (n: number) => boolean,
  what: string,
): number {
  const given = text(values, name);
  if (given === undefined) return fallback;
  const n = Number(given);
  if (given.trim() === '' || !check(n)) throw new CommandError(`--${name}: expected ${what}, received "${given}"`, 2);
  return n;
}

function settingsFrom(values: Values): Settings {
  const count = (name: keyof Values, fallback: number): number =>
    number(values, name, fallback, (n) => Number.isInteger(n) && n >= 1, 'an integer >= 1');
  const cell = text(values, 'cell') ?? DEFAULTS.cell;
  if (!['lstm', 'gru', 'rnn'].includes(cell))
    throw new CommandError(`--cell: expected lstm, gru or rnn, received "${cell}"`, 2);
  return {
    cell: cell as CellKind,
    units: count('units', DEFAULTS.units),
    layers: count('layers', DEFAULTS.layers),
    bidirectional: values.bidirectional === true,
    embedding: count('embedding', DEFAULTS.embedding),
    dropout: number(values, 'dropout', DEFAULTS.dropout, (n) => n >= 0 && n < 1, 'a share in 0 <= share < 1'),
    epochs: count('epochs', DEFAULTS.epochs),
    batchSize: count('batch-size', DEFAULTS.batchSize),
    learningRate: number(
      values,
      'learning-rate',
      DEFAULTS.learningRate,
      (n) => n > 0 && Number.isFinite(n),
      'a number > 0',
    ),
    maxLength: count('max-length', DEFAULTS.maxLength),
    vocabulary: number(
      values,
      'vocabulary',
      DEFAULTS.vocabulary,
      (n) => Number.isInteger(n) && n >= 2,
      'an integer >= 2',
    ),
    patience: number(values, 'patience', DEFAULTS.patience, (n) => Number.isInteger(n) && n >= 0, 'an integer >= 0'),
    seed: number(values, 'seed', DEFAULTS.seed, (n) => Number.isSafeInteger(n) && n >= 0, 'an integer >= 0'),
  };
}

interface TrainingData {
  readonly train: Sample[];
  readonly dev: Sample[] | null;
  readonly test: Sample[] | null;
}

/** Trains, evaluates where there are test samples, and tells about it. */
async function runTraining(
  data: TrainingData,
  settings: Settings,
  output: Output,
): Promise<{ classifier: TextClassifier; result: Record<string, unknown> }> {
  output.say(dataSummary('train', data.train));
  if (data.dev) output.say(dataSummary('dev', data.dev));
  if (data.test) output.say(dataSummary('test', data.test));
  const classifier = TextClassifier.create(data.train, settings);
  output.say(`vocabulary: ${classifier.tokenizer.vocabularySize} ids, sequences of ${classifier.maxLength}\n`);
  output.say(classifier.model.summary({ print: false }));
  output.say('');
  const start = Date.now();
  const history = await classifier.train(data.train, settings, {
    ...(data.dev ? { dev: data.dev } : {}),
    verbose: output.json ? 0 : 'auto',
  });
  const seconds = (Date.now() - start) / 1000;
  output.say(`\ntrained ${history.epoch.length} epochs in ${formatDuration(seconds)}`);
  const result: Record<string, unknown> = {
    seconds,
    epochs: history.epoch.length,
    history: history.history,
    labels: classifier.labels.classes,
    trainSamples: data.train.length,
  };
  if (data.test) {
    const evaluation = await classifier.evaluate(data.test);
    output.say(`test accuracy: ${percent(evaluation.accuracy)} (${evaluation.correct} of ${evaluation.samples})\n`);
    if (classifier.labels.classes.length <= 12) output.say(confusionTable(evaluation, classifier.labels.classes));
    Object.assign(result, {
      testAccuracy: evaluation.accuracy,
      testSamples: evaluation.samples,
      confusion: evaluation.confusion,
    });
  }
  return { classifier, result };
}

async function train(values: Values, output: Output): Promise<void> {
  const settings = settingsFrom(values);
  const columns = { text: text(values, 'text-column')!, label: text(values, 'label-column')! };
  const read = async (name: 'dev' | 'test'): Promise<Sample[] | null> => {
    const path = text(values, name);
    return path === undefined ? null : readSamples(path, columns);
  };
  const data = {
    train: await readSamples(required(values, 'data'), columns),
    dev: await read('dev'),
    test: await read('test'),
  };
  const { classifier, result } = await runTraining(data, settings, output);
  const out = text(values, 'out');
  if (out !== undefined) {
    saveClassifier(classifier, out);
    output.say(`saved to ${out}`);
  }
  output.result({ command: 'train', ...result, ...(out === undefined ? {} : { out }) });
}

async function evaluate(values: Values, output: Output): Promise<void> {
  const classifier = loadClassifier(required(values, 'model'));
  const samples = await readSamples(required(values, 'data'), {
    text: text(values, 'text-column')!,
    label: text(values, 'label-column')!,
  });
  const evaluation = await classifier.evaluate(samples);
  output.say(`accuracy: ${percent(evaluation.accuracy)} (${evaluation.correct} of ${evaluation.samples})\n`);
  if (classifier.labels.classes.length <= 12) output.say(confusionTable(evaluation, classifier.labels.classes));
  output.result({ command: 'evaluate', labels: classifier.labels.classes, ...evaluation });
}

async function predict(values: Values, texts: readonly string[], output: Output): Promise<void> {
  const classifier = loadClassifier(required(values, 'model'));
  const path = text(values, 'data');
  const all = [
    ...texts,
    ...(path === undefined
      ? []
      : (await readSamples(path, { text: text(values, 'text-column')!, label: null })).map((s) => s.text)),
  ];
  if (all.length === 0) throw new CommandError(`expected texts, or --data FILE, received neither\n${USAGE}`, 2);
  for (const t of all) if (t.trim() === '') throw new CommandError('expected texts, received an empty one');
  const predictions = await classifier.predict(all);
  output.say(predictionLines(predictions));
  output.result({ command: 'predict', predictions });
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

async function demo(output: Output): Promise<void> {
  const columns = { text: 'text', label: 'label' };
  const file = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url));
  output.say('Recurra text classifier: topics of English and Chinese sentences\n');
  const data = {
    train: await readSamples(file('train.tsv'), columns),
    dev: null,
    test: await readSamples(file('test.tsv'), columns),
  };
  const { classifier, result } = await runTraining(data, DEMO, output);
  const predictions = await classifier.predict(UNSEEN);
  output.say(`\nsentences it has never seen:\n${predictionLines(predictions)}`);
  output.result({ command: 'demo', ...result, predictions });
}

/** Runs the command line; resolves to the exit code. Mistakes are messages on standard error, never stack traces. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupted = (): void => {
    discardUnfinished();
    process.stderr.write('\ntext-classifier: interrupted, nothing was written\n');
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    let parsed: { values: Values; positionals: string[] };
    try {
      parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    } catch (error) {
      throw new CommandError(`${(error as Error).message}\n${USAGE}`, 2);
    }
    const { values } = parsed;
    const [command, ...rest] = parsed.positionals;
    const json = values.json === true;
    const output: Output = {
      json,
      say: (line) => {
        if (!json) console.log(line);
      },
      result: (value) => {
        if (json) console.log(JSON.stringify(value));
      },
    };
    if (values.help === true || command === undefined) {
      console.log(USAGE);
      return command === undefined && values.help !== true ? 2 : 0;
    }
    if (command !== 'predict' && rest.length > 0)
      throw new CommandError(`${command}: unexpected argument "${rest[0]}"\n${USAGE}`, 2);
    if (command === 'demo') await demo(output);
    else if (command === 'train') await train(values, output);
    else if (command === 'evaluate') await evaluate(values, output);
    else if (command === 'predict') await predict(values, rest, output);
    else throw new CommandError(`unknown command "${command}"\n${USAGE}`, 2);
    return 0;
  } catch (error) {
    const known = error instanceof CommandError || error instanceof RecurraError;
    process.stderr.write(
      `text-classifier: ${known ? '' : 'unexpected error: '}${error instanceof Error ? error.message : String(error)}\n`,
    );
    return error instanceof CommandError ? error.exitCode : 1;
  } finally {
    process.removeListener('SIGINT', interrupted);
    process.removeListener('SIGTERM', interrupted);
  }
}
