import { type Command, Option } from 'commander';
import { DEFAULTS, type Settings } from './classifier.js';
import { ON_BAD_ROW, type Reading } from './data.js';
import { CommandError } from './errors.js';
import { CELLS, LIMITS } from './model.js';

/** What commander gives for the options below; those that were not given are absent. */
export interface Values extends Partial<Settings> {
  readonly data?: string;
  readonly dev?: string;
  readonly test?: string;
  readonly out?: string;
  readonly model?: string;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  readonly delimiter?: string;
  readonly onBadRow?: Reading['onBadRow'];
  readonly maxRowBytes?: number;
  readonly json?: boolean;
}

function number(name: string, check: (n: number) => boolean, what: string): (given: string) => number {
  return (given) => {
    const n = Number(given);
    if (given.trim() === '' || !check(n)) throw new CommandError(`--${name}: expected ${what}, received "${given}"`, 2);
    return n;
  };
}

const integer = (name: string, min: number, max = Number.MAX_SAFE_INTEGER): ((given: string) => number) =>
  number(
    name,
    (n) => Number.isInteger(n) && n >= min && n <= max,
    max === Number.MAX_SAFE_INTEGER ? `an integer >= ${min}` : `an integer from ${min} to ${max}`,
  );

const oneOf = (name: string, choices: readonly string[]): ((given: string) => string) => {
  const list = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  return (given) => {
    if (!choices.includes(given)) throw new CommandError(`--${name}: expected ${list}, received "${given}"`, 2);
    return given;
  };
};

function delimiter(given: string): string {
  const c = given === 'tab' || given === '\\t' ? '\t' : given;
  if (c.length !== 1 || c.charCodeAt(0) > 127 || /["\r\n]/.test(c))
    throw new CommandError(
      `--delimiter: expected one ASCII character (or the word tab), received ${JSON.stringify(given)}`,
      2,
    );
  return c;
}

/** An option that may be given once: of two values, one would be ignored. */
function add(
  command: Command,
  flags: string,
  text: string,
  parse: (given: string) => unknown,
  fallback?: unknown,
): void {
  let given = false;
  const option = new Option(flags, text).argParser((value) => {
    if (given) throw new CommandError(`${option.long}: expected it once, received it again ("${value}")`, 2);
    given = true;
    return parse(value);
  });
  if (fallback !== undefined) option.default(fallback);
  command.addOption(option);
}

const same = (given: string): string => given;

/** `--data` and the like. */
export function addFile(command: Command, name: string, text: string): void {
  add(command, `--${name} <file>`, text, same);
}

/** How files are read. */
export function addReading(command: Command, labels: boolean): void {
  add(command, '--text-column <name>', 'column (or JSON field) of the texts', same, 'text');
  if (labels) add(command, '--label-column <name>', 'column (or JSON field) of the labels', same, 'label');
  add(command, '--delimiter <character>', 'between the fields of CSV and TSV (or: tab)', delimiter);
  add(
    command,
    '--on-bad-row <what>',
    'error: stop; skip: leave out and count; collect: also list',
    oneOf('on-bad-row', ON_BAD_ROW),
    'error',
  );
  add(
    command,
    '--max-row-bytes <number>',
    'longer rows are bad rows (1 MiB; JSONL: 16 MiB)',
    integer('max-row-bytes', 1),
  );
}

/** The model and its training. */
export function addSettings(command: Command): void {
  const integers = (flag: string, text: string, min: number, fallback: number, max?: number): void =>
    add(command, `--${flag} <number>`, text, integer(flag, min, max), fallback);
  add(command, '--cell <kind>', CELLS.join(', '), oneOf('cell', CELLS), DEFAULTS.cell);
  integers('units', 'width of a recurrent layer', 1, DEFAULTS.units, LIMITS.units);
  integers('layers', 'recurrent layers', 1, DEFAULTS.layers, LIMITS.layers);
  command.option('--bidirectional', 'read texts in both directions', DEFAULTS.bidirectional);
  integers('embedding', 'width of word vectors', 1, DEFAULTS.embedding, LIMITS.embedding);
  add(
    command,
    '--dropout <share>',
    'dropout before and after the recurrent part',
    number('dropout', (n) => n >= 0 && n < 1, 'a share in 0 <= share < 1'),
    DEFAULTS.dropout,
  );
  integers('epochs', 'passes over the data', 1, DEFAULTS.epochs);
  integers('batch-size', 'texts of one step', 1, DEFAULTS.batchSize);
  add(
    command,
    '--learning-rate <number>',
    'of Adam',
    number('learning-rate', (n) => n > 0 && Number.isFinite(n), 'a number > 0'),
    DEFAULTS.learningRate,
  );
  integers('max-length', 'words kept of a text', 1, DEFAULTS.maxLength, LIMITS.maxLength);
  integers('vocabulary', 'ids of words, two of them for padding and unknown words', 3, DEFAULTS.vocabulary);
  integers('patience', 'with --dev: epochs without improvement before stopping', 0, DEFAULTS.patience);
  integers('seed', 'same seed, same result on the same machine', 0, DEFAULTS.seed);
}

/** A file that the command cannot do without. */
export function required(values: Values, name: 'data' | 'model'): string {
  const value = values[name];
  if (value === undefined) throw new CommandError(`expected --${name} FILE, received none`, 2);
  return value;
}

export function settingsFrom(values: Values): Settings {
  const chosen = Object.entries(values).filter(([name]) => Object.hasOwn(DEFAULTS, name));
  return { ...DEFAULTS, ...Object.fromEntries(chosen) };
}

export const readingFrom = (values: Values): Reading => ({
  text: values.textColumn ?? 'text',
  label: values.labelColumn ?? null,
  delimiter: values.delimiter ?? null,
  onBadRow: values.onBadRow ?? 'error',
  maxRowBytes: values.maxRowBytes ?? null,
});
