import { Command, CommanderError } from 'commander';
import { RecurraError } from 'recurra';
import { demo, evaluate, predict, train } from './commands.js';
import { CommandError } from './errors.js';
import { addFile, addReading, addSettings, type Values } from './options.js';
import { type Lifecycle, Output } from './output.js';
import { harmless } from './terminal.js';

const FILES = '\nFILE is .csv, .tsv or .jsonl, each also as .gz.';

function commandLine(lifecycle: Lifecycle): Command {
  const program = new Command('text-classifier')
    .description('Trains a recurrent text classifier, and uses it.')
    .helpCommand(false)
    .addHelpText('after', `${FILES} Options of a command: text-classifier COMMAND --help`);
  type Action = (values: Values, output: Output, texts: readonly string[]) => Promise<void>;
  const define = (name: string, text: string, act: Action): Command => {
    const command = program.command(name).description(text);
    if (name === 'predict')
      command
        .argument('[texts...]', 'texts to classify')
        .showHelpAfterError('(texts that begin with a dash go behind --)');
    else command.allowExcessArguments(true);
    command.action(async () => {
      const { args } = command;
      const values = command.opts<Values>();
      if (name !== 'predict' && args.length > 0)
        throw new CommandError(
          `${name}: unexpected argument "${args[0]}"${name === 'demo' ? '' : '. Files are named by options: --data FILE'}`,
          2,
        );
      await act(values, new Output(values.json === true, lifecycle), args);
    });
    return command.option('--json', 'one JSON object on standard output, nothing else', false);
  };
  define('demo', 'train on the sentences that ship with the app, evaluate, and classify a few new ones', (_, output) =>
    demo(output),
  );
  const training = define('train', 'train on a file, and save the classifier', train);
  addFile(training, 'data', 'to train on (needed)');
  addFile(training, 'dev', 'to stop early by');
  addFile(training, 'test', 'to test on');
  addFile(training, 'out', 'where to save the classifier');
  addReading(training, true);
  addSettings(training);
  const evaluation = define('evaluate', 'test a saved classifier on a file', evaluate);
  addFile(evaluation, 'model', 'what train --out wrote (needed)');
  addFile(evaluation, 'data', 'to test on (needed)');
  addReading(evaluation, true);
  const prediction = define('predict', 'classify texts, or those of a file', (values, output, texts) =>
    predict(values, texts, output),
  );
  addFile(prediction, 'model', 'what train --out wrote (needed)');
  addFile(prediction, 'data', 'a file of texts');
  addReading(prediction, false);
  for (const command of program.commands) command.addHelpText('after', command.name() === 'demo' ? '' : FILES);
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({
      writeOut: (text) => process.stdout.write(harmless(text)),
      writeErr: (text) => process.stderr.write(harmless(text)),
      outputError: (text, write) => write(text.replace(/^error: /, 'text-classifier: ')),
    });
  return program;
}

const ALONE: Lifecycle = { temporary: () => {}, saved: () => {} };

/** Runs the command line; resolves to the exit code. Mistakes are messages on standard error, never stack traces. */
export async function main(args: readonly string[], lifecycle: Lifecycle = ALONE): Promise<number> {
  try {
    await commandLine(lifecycle).parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    // What commander finds, it has told.
    if (error instanceof CommanderError) return error.code === 'commander.helpDisplayed' ? 0 : 2;
    const known = error instanceof CommandError || error instanceof RecurraError;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`text-classifier: ${known ? '' : 'unexpected error: '}${harmless(message)}\n`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}
