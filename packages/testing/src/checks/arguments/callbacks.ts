import { Callback, memoryStorage } from '@recurra/layers';
import { layers } from './surface.js';
import {
  type Argument,
  type Example,
  f,
  flag,
  integer,
  knownOptions,
  made,
  name,
  number,
  options,
  positive,
  text,
} from './wrong.js';

const path = text('runs/a');
const verbose = integer(1);
const share: Argument = { value: () => 0.5, takes: [] };

/** Options of callbacks, each with a right value. */
const COMMON: Readonly<Record<string, Argument>> = {
  monitor: text('loss'),
  minDelta: number(0.1),
  patience: integer(2),
  mode: name('min'),
  baseline: number(0.1, 'null'),
  restoreBestWeights: flag(true),
  startFromEpoch: integer(1),
  verbose,
  factor: share,
  cooldown: integer(1),
  minLr: positive(0),
  storage: made(() => memoryStorage(), 'null'),
  separator: { value: () => ';', takes: ['the text "2"'] },
  append: flag(true),
  saveBestOnly: flag(true),
  saveWeightsOnly: flag(true),
  saveFreq: name('epoch'),
  initialValueThreshold: number(0.5, 'null'),
  doubleCheckpoint: flag(true),
  deleteCheckpoint: flag(false),
  logDir: path,
  histogramFreq: integer(1),
  writeGraph: flag(true),
  writeStepsPerSecond: flag(true),
  updateFreq: name('batch'),
  swapOnEpoch: flag(true),
  raiseError: flag(true),
};

/** What stands before the options. */
const ARGS: Readonly<Record<string, readonly Argument[]>> = {
  BackupAndRestore: [path],
  CSVLogger: [path],
  LearningRateScheduler: [f((epoch: number) => 0.1 / (epoch + 1))],
  ModelCheckpoint: [path],
};

/** Those without options. */
const PLAIN: Readonly<Record<string, readonly Argument[]>> = {
  History: [],

  ProgressLogger: [name('auto')],
};

type Make = new (...args: never[]) => unknown;
const all = Object.entries<unknown>(layers).filter(
  (entry): entry is [string, Make] => typeof entry[1] === 'function' && entry[1].prototype instanceof Callback,
);

function exampleOf(label: string, Class: Make): Example {
  const call = (...given: never[]): unknown => new Class(...given);
  if (PLAIN[label]) return { call, args: PLAIN[label] };
  const args = ARGS[label] ?? [];
  const keys = knownOptions(() => call(...([...args.map((a) => a.value()), { zzz: 1 }] as never[])), label);
  const valueOf = (key: string): Argument => {
    const value = label === 'LambdaCallback' ? f(() => {}) : COMMON[key];
    if (!value) throw new Error(`${label}: expected a right value of the option ${key} in COMMON`);
    return value;
  };
  return { call, args: [...args, options(Object.fromEntries(keys.map((key) => [key, valueOf(key)])))] };
}

/** Right calls of the constructors of all callbacks. */
export const CALLBACKS: Readonly<Record<string, readonly Example[]>> = Object.fromEntries(
  all.map(([label, Class]) => [label, [exampleOf(label, Class)]]),
);
