import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Format, formats, type ModelFile, type ModelPart } from '@recurra/formats';
import { endingsOf, promisedFormat, withNamedWeights } from '@recurra/formats/extend';
import { nodeStorage } from '@recurra/layers';
import { modelFromFile, toModelFile } from '@recurra/layers/extend';
import { FormatError, RecurraError } from '@recurra/tensor';
import { CommandError, UsageError } from './errors.js';
import { type Opened, open } from './read.js';

/** What `convert` is told. */
export interface ConvertOptions {
  /** A file with the architecture, where the first has weights alone. */
  readonly model?: string | undefined;
  /** What is to be left out. */
  readonly without: readonly string[];
  /** Replace a file that is there. */
  readonly force: boolean;
  /** Nothing may be lost. */
  readonly strict: boolean;
}

/** What came of it, printed with `--json`. */
export interface Conversion {
  readonly from: { readonly path: string; readonly format: string };
  readonly to: {
    readonly path: string;
    readonly format: string;
    readonly files: readonly string[];
    readonly bytes: number;
  };
  /** What the file held that is not in the new one, and why. */
  readonly lost: readonly { readonly what: string; readonly why: string }[];
}

/** Parts that can be left out on purpose. */
const OPTIONAL: readonly ModelPart[] = ['compile', 'optimizer', 'assets'];
const CALLED: Readonly<Record<ModelPart, string>> = {
  model: 'the architecture',
  compile: 'how the model is compiled',
  weights: 'the weights',
  optimizer: "the optimizer's state",
  assets: 'assets',
};

const has = (file: ModelFile, part: ModelPart): boolean =>
  part === 'weights'
    ? Boolean(file.weights ?? file.layers ?? file.named)
    : part === 'assets'
      ? file.assets.size > 0
      : file[part] !== null;

/** The weights of a file in the model of another. */
function joined(weights: Opened, model: Opened): ModelFile {
  const { file } = model;
  if (!file.model) throw new CommandError(`${model.path}: expected a whole model, received weights alone`);
  const { weights: groups, layers, named, optimizer, assets } = weights.file;
  if (named) return { ...withNamedWeights(file, named, weights.path), optimizer: null, assets };
  return { ...file, weights: groups, layers, optimizer, assets };
}

/**
 * The model of a file as this package has it, so that its weights are there in every order that formats have them in. Of one whose classes are not known here, what the file says
 * itself.
 */
function rebuilt(file: ModelFile, label: string, lost: { what: string; why: string }[]): ModelFile {
  const failed: unknown[] = [];
  for (const compile of [true, false]) {
    try {
      const model = modelFromFile(file, { compile }, label);
      const again = toModelFile(model, { compile });
      if (!compile && file.compile) lost.push({ what: CALLED.compile, why: (failed[0] as Error).message });
      return { ...again, optimizer: compile ? again.optimizer : null, assets: file.assets };
    } catch (error) {
      if (!(error instanceof RecurraError)) throw error;
      failed.push(error);
    }
  }
  // As it stands: formats that need no more than this take it.
  if (file.weights) return file;
  throw failed[1];
}

/** Where a file goes, and as what. */
function target(path: string, force: boolean): Format {
  const format = promisedFormat(path);
  if (!format) throw new UsageError(`convert: expected OUT to end in ${endingsOf(formats())}, received "${path}"`);
  if (!force && existsSync(path))
    throw new CommandError(
      `${path}: expected a path where no file is, received one with a file. Use --force to replace it.`,
    );
  return format;
}

/** Writes what a file holds in the format that another path promises. Throws `CommandError`, `UsageError` and `FormatError`. */
export async function convert(from: string, to: string, options: ConvertOptions): Promise<Conversion> {
  const odd = options.without.find((part) => !(OPTIONAL as readonly string[]).includes(part));
  if (odd !== undefined) throw new UsageError(`convert: expected --without ${OPTIONAL.join(', ')}, received "${odd}"`);
  const format = target(to, options.force);
  const source = await open(from);
  const whole = options.model === undefined ? source.file : joined(source, await open(options.model));
  const lost: { what: string; why: string }[] = [];
  if (!whole.model && format.holds.has('model'))
    throw new CommandError(
      `${from}: expected a whole model, which ${format.title} is a format of, received weights alone. Give its architecture by --model FILE, or convert to ${endingsOf(formats().filter(({ holds }) => !holds.has('model')))}.`,
    );
  let file = whole.model ? rebuilt(whole, from, lost) : whole;
  if (!whole.model && format.name === 'weights.h5' && !whole.weights)
    throw new CommandError(
      `${from}: expected weights in the groups of ${format.title}, received them by names alone. Give the model's architecture by --model FILE.`,
    );
  if (!whole.model && format.name === 'safetensors' && whole.named)
    file = { ...whole, layers: [{ name: '', variables: [...whole.named].map(([name, value]) => ({ name, value })) }] };
  for (const part of ['compile', 'optimizer', 'assets', 'model'] as const) {
    if (!has(source.file, part) || options.without.includes(part)) continue;
    if (!format.holds.has(part)) lost.push({ what: CALLED[part], why: `A file of ${format.title} has no room for it` });
    else if (!has(file, part) && !lost.some(({ what }) => what === CALLED[part]))
      lost.push({
        what: CALLED[part],
        why:
          source.format === 'checkpoint'
            ? 'A checkpoint does not say how the model is compiled: compile it, and use loadCheckpoint'
            : 'It is not that of the optimizer which the file names',
      });
  }
  if (options.strict && lost.length > 0)
    throw new CommandError(
      `${to}: expected a format that loses nothing (--strict), but ${lost.map(({ what, why }) => `${what} would be lost: ${why}`).join('; ')}`,
    );
  const kept = {
    ...file,
    ...(options.without.includes('compile') ? { compile: null, optimizer: null } : {}),
    ...(options.without.includes('optimizer') ? { optimizer: null } : {}),
    ...(options.without.includes('assets') ? { assets: new Map<string, Uint8Array>() } : {}),
  };
  const { main, beside } = await format.write(kept).catch((error: unknown) => {
    throw error instanceof FormatError ? new CommandError(`${from}: ${error.message}`) : error;
  });
  const storage = nodeStorage();
  const folder = to.replace(/[^/\\]*$/, '');
  const others = [...beside].map(([name, bytes]) => [join(folder, name), bytes] as const);
  for (const [path, bytes] of others) await storage.write(path, bytes);
  await storage.write(to, main);
  return {
    from: { path: from, format: source.format },
    to: {
      path: to,
      format: format.name,
      files: [to, ...others.map(([path]) => path)],
      bytes: main.length + others.reduce((sum, [, bytes]) => sum + bytes.length, 0),
    },
    lost,
  };
}
