import { closestMatch } from 'leven';
import { ValueError } from './errors.js';

/** `hardSigmoid` -> `hard_sigmoid`: Keras' spelling of a name, as a type. */
export type SnakeCase<S extends string> = S extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${SnakeCase<Tail>}`
    : `_${Lowercase<Head>}${SnakeCase<Tail>}`
  : S;

/** `hard_sigmoid` -> `hardSigmoid`; names without underscores stay. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `LSTM` -> `lstm`, `SimpleRNN` -> `simple_rnn`, `Conv1D` -> `conv1d`: the name of a class as Keras names its objects (`to_snake_case`). */
export function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Names that earlier versions of Keras, PyTorch or TensorFlow.js give to what Recurra calls otherwise. */
const ALIASES: ReadonlyMap<string, readonly string[]> = new Map([
  ['lr', ['learningRate', 'initialLearningRate']],
  ['eps', ['epsilon']],
  ['decay', ['weightDecay', 'decayRate']],
  ['maxnorm', ['clipnorm']],
  ['betas', ['beta1']],
  ['alpha', ['negativeSlope']],
  ['nbepoch', ['epochs']],
  ['valdata', ['validationData']],
  ['valsplit', ['validationSplit']],
  ['samplesperepoch', ['stepsPerEpoch']],
  ['batchesperepoch', ['stepsPerEpoch']],
  ['init', ['kernelInitializer']],
  ['innerinit', ['recurrentInitializer']],
  ['inneractivation', ['recurrentActivation']],
  ['wregularizer', ['kernelRegularizer']],
  ['uregularizer', ['recurrentRegularizer']],
  ['bregularizer', ['biasRegularizer']],
  ['dropoutw', ['dropout']],
  ['dropoutu', ['recurrentDropout']],
  ['p', ['rate', 'dropout']],
  ['bias', ['useBias']],
  ['hiddensize', ['units']],
  ['outputdim', ['units', 'outputDimension']],
  ['maxlen', ['maxLength', 'maxlen']],
  ['nbwords', ['numWords', 'maxTokens']],
  ['numclasses', ['classes', 'depth']],
  ['keepdim', ['keepDims']],
  ['dim', ['axis']],
]);

/** A name without what spellings differ in: case, underscores, hyphens and spaces. */
const folded = (name: string): string => name.toLowerCase().replace(/[_\-\s]/g, '');

/**
 * The known name that was probably meant: the same in another spelling (`return_sequences`, `ReturnSequences`), another
 * library's name for it (`lr`), or one a few letters away; `null` where none is near.
 */
export function closestName(name: string, known: Iterable<string>): string | null {
  const candidates = [...known];
  const wanted = folded(name);
  const respelt = candidates.find((candidate) => folded(candidate) === wanted);
  if (respelt !== undefined) return respelt;
  const alias = ALIASES.get(wanted)?.find((candidate) => candidates.includes(candidate));
  if (alias !== undefined) return alias;
  // Letters that changed places are the commonest slip, and two edits to the algorithm.
  const letters = (text: string): string => [...folded(text)].sort().join('');
  const shuffled = candidates.find((candidate) => letters(candidate) === letters(name));
  if (shuffled !== undefined) return shuffled;
  // Otherwise a third of the letters may differ.
  const near = closestMatch(wanted, candidates.map(folded), { maxDistance: Math.ceil(wanted.length / 3) });
  return candidates.find((candidate) => folded(candidate) === near) ?? null;
}

/** The end of a message: ` Did you mean "learningRate"?`, or nothing where no name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const closest = closestName(name, known);
  return closest === null ? '' : ` Did you mean "${closest}"?`;
}

/** Is it a class, which cannot be called without `new`? */
export function isClassFunction(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Is it an object of named values, and no list, map or promise? */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Depth tells plain objects from instances in every realm.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Elements of an array that a message still tells. */
const TOLD = 8;

/** A value in the words of a message: `"adam"`, `null`, `[1, 2]`, `an array of 100`, `the class Adam`, `an instance of Adam`. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) {
    // A list within may hold the list itself.
    const told = (item: unknown): string => (Array.isArray(item) ? `an array of ${item.length}` : describeValue(item));
    return value.length <= TOLD ? `[${value.map(told).join(', ')}]` : `an array of ${value.length}`;
  }
  if (typeof value === 'function') {
    return `the ${isClassFunction(value) ? 'class' : 'function'} ${value.name || 'without a name'}`;
  }
  if (typeof value === 'object' && value !== null) {
    if (isRecord(value)) return 'an object';
    const name = (Object.getPrototypeOf(value) as object).constructor?.name;
    return name && name !== 'Object' ? `an instance of ${name}` : 'an object';
  }
  return typeof value === 'symbol' || typeof value === 'bigint' ? `a ${typeof value}` : String(value);
}

/**
 * The one of `known` that a name stands for: in camelCase, in Keras' snake_case, or in the spelling of Keras' class
 * (`heNormal`, `he_normal`, `HeNormal`). `label` says in messages what is named, `alternative` what else would do
 * (`or an Optimizer`). Throws `ValueError` with the known names and the one that was probably meant.
 */
export function knownName<K extends string>(known: Iterable<K>, name: unknown, label: string, alternative = ''): K {
  const names = [...known];
  if (typeof name === 'string') {
    const exact = names.find((candidate) => candidate === name) ?? names.find((c) => c === camelCase(name));
    const found = exact ?? names.find((candidate) => folded(candidate) === folded(name));
    if (found !== undefined) return found;
  }
  const hint = typeof name === 'string' ? didYouMean(name, names) : '';
  throw new ValueError(
    `${label}: expected one of ${names.join(', ')}${alternative && ` ${alternative}`}, received ${describeValue(name)}${hint && `.${hint}`}`,
  );
}

/**
 * The entry of a table that a name stands for; spellings and errors as {@link knownName}. Only the table's own keys are
 * names: `constructor` and `__proto__` are not.
 */
export function lookupByName<V>(table: Readonly<Record<string, V>>, name: unknown, label: string, alternative = ''): V {
  return table[knownName(Object.keys(table), name, label, alternative)]!;
}
