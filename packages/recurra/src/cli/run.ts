import { parseArgs } from 'node:util';
import { formats } from '@recurra/formats';
import { RecurraError } from '@recurra/tensor';
import { CommandError, UsageError } from './errors.js';
import { bytesText, harmlessJson, oneLine } from './text.js';

const list = (): string =>
  formats()
    .map(
      ({ endings, title, holds }) =>
        `  ${endings.join(', ').padEnd(16)} ${title}${holds.has('model') ? '' : ' (weights alone)'}`,
    )
    .join('\n');

const HELP = (): string => `Usage:
  recurra inspect FILE [--json]
      What a model file holds: layers, shapes, weights, how it is compiled, the optimizer's state, tokenizers.
  recurra convert IN OUT [--model FILE] [--without PART]... [--strict] [--force] [--json]
      Writes IN in the format that OUT promises by its ending, and tells what could not be carried over.
      --model FILE    the architecture, for an IN with weights alone
      --without PART  leave out: compile, optimizer, assets
      --strict        write nothing if anything would be lost
      --force         replace OUT
  recurra --help | --version

Formats (a checkpoint, .ckpt, is read as well):
${list()}

What IN is, its bytes say. Exit codes: 0 done, 1 the files do not allow it, 2 called wrongly.`;

/** Where the command writes. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  model: { type: 'string' },
  without: { type: 'string', multiple: true },
  strict: { type: 'boolean' },
  force: { type: 'boolean' },
} as const;

/** Which options each command takes. */
const TAKES: Readonly<Record<string, readonly (keyof typeof OPTIONS)[]>> = {
  inspect: ['json'],
  convert: ['json', 'model', 'without', 'strict', 'force'],
};

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/\. To specify a positional.*$/s, ''));
  }
}

async function command(args: readonly string[], { out }: Output, version: () => Promise<string>): Promise<void> {
  const { values, positionals } = parsed(args);
  if (values.help) return out(HELP());
  if (values.version) return out(await version());
  const [name, ...paths] = positionals;
  if (name === undefined) throw new UsageError('expected a command, inspect or convert, received none');
  const takes = Object.hasOwn(TAKES, name) ? TAKES[name]! : null;
  if (!takes) throw new UsageError(`expected a command, inspect or convert, received "${name}"`);
  const odd = Object.keys(values).find((key) => !(takes as readonly string[]).includes(key));
  if (odd !== undefined)
    throw new UsageError(`${name}: expected ${takes.map((key) => `--${key}`).join(', ')}, received --${odd}`);
  if (name === 'inspect') {
    const [path, ...more] = paths;
    if (path === undefined || path === '' || more.length > 0)
      throw new UsageError(`inspect: expected one FILE, received ${paths.length}`);
    // What makes models is loaded for these alone.
    const { inspect, reportText } = await import('./inspect.js');
    const report = await inspect(path);
    return out(values.json ? harmlessJson(report) : reportText(report));
  }
  const [from, to, ...more] = paths;
  if (!from || !to || more.length > 0)
    throw new UsageError(`convert: expected IN and OUT, received ${paths.length} paths`);
  const { model, without = [], strict = false, force = false } = values;
  const { convert } = await import('./convert.js');
  const done = await convert(from, to, { model, without, strict, force });
  if (values.json) return out(harmlessJson(done));
  const { lost } = done;
  out(
    `${oneLine(from)} (${done.from.format}) -> ${done.to.files.map(oneLine).join(', ')} (${done.to.format}, ${bytesText(done.to.bytes)})`,
  );
  out(
    lost.length === 0
      ? 'Nothing was lost.'
      : lost.map(({ what, why }) => `Not carried over: ${what}. ${oneLine(why)}`).join('\n'),
  );
}

/** Runs the command with the arguments after its name; resolves to the exit code. Mistakes are told in one sentence. */
export async function run(args: readonly string[], output: Output, version: () => Promise<string>): Promise<number> {
  try {
    await command(args, output, version);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      output.error(`recurra: ${oneLine(error.message)}. See recurra --help.`);
      return 2;
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof CommandError || error instanceof RecurraError || code !== undefined)) throw error;
    output.error(`recurra: ${oneLine(message)}`);
    return 1;
  }
}
