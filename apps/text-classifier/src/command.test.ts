import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkTarget, writeTarget } from './files/target.js';

/** The command as a shell runs it: its files and signals are those of a process of its own. Needs the build. */
const BIN = join(__dirname, '../bin/text-classifier.js');
const ROWS = 'text,label\nrain and wind,weather\ncold rain,weather\nthe team won,sport\na good team,sport\n';
const SMALL = ['--epochs', '1', '--units', '2', '--embedding', '2'];

/** Those that run: a test that fails leaves none behind. */
const children = new Set<ChildProcess>();

let folder: string;
let data: string;
let model: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'text-classifier-command-'));
  data = join(folder, 'train.csv');
  model = join(folder, 'model.json');
  writeFileSync(data, ROWS);
  const { code, err } = await command(['train', '--data', data, '--out', model, ...SMALL]);
  expect([code, err]).toEqual([0, '']);
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  /** Milliseconds from the signal to the end. */
  readonly took: number;
}

/** Runs the command; sends a signal once its output holds a text, and some milliseconds went by. */
function command(
  args: readonly string[],
  kill: { readonly signal: NodeJS.Signals; readonly after: string; readonly wait?: number } | null = null,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    let [out, err, sent] = ['', '', 0];
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (!kill || sent !== 0 || !out.includes(kill.after)) return;
      sent = -1;
      setTimeout(() => {
        sent = Date.now();
        child.kill(kill.signal);
      }, kill.wait ?? 0);
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal, out, err, took: Date.now() - sent });
    });
  });
}

/** A line of a shell, where `tc` is the command, in the folder; its output and exit code. */
function shell(line: string): { code: number; out: string; err: string } {
  const script = `cd "$2"; NODE="$0"; BIN="$1"; tc() { "$NODE" "$BIN" "$@"; }; ${line}`;
  try {
    const out = execFileSync('bash', ['-c', `{ ${script}\n} 2>"$2/err.txt"`, process.execPath, BIN, folder], {
      encoding: 'utf8',
      timeout: 100_000,
    });
    return { code: 0, out, err: readFileSync(join(folder, 'err.txt'), 'utf8') };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    return { code: status, out: stdout, err: readFileSync(join(folder, 'err.txt'), 'utf8') };
  }
}

const unfinishedIn = (place: string): string[] => readdirSync(place).filter((name) => name.endsWith('.tmp'));

describe('signals', () => {
  const answered = async (signal: NodeJS.Signals, expected: number, after: string, args: string[]): Promise<void> => {
    const out = join(folder, 'long.json');
    const ended = await command(['train', '--out', out, '--epochs', '1000', ...args], { signal, after, wait: 1500 });
    // What a shell reports: where the engine does not leave a kernel in time, the signal itself ends the process.
    expect(ended.code ?? 128 + constants.signals[ended.signal!]).toBe(expected);
    expect(ended.took).toBeLessThan(1000);
    expect(ended.err).toMatch(/interrupted, nothing was written/);
    expect(existsSync(out)).toBe(false);
    expect(unfinishedIn(folder)).toEqual([]);
  };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s is answered within a second while a large model is made', (signal, expected) =>
    answered(signal, expected, 'train:', ['--data', data, '--units', '2000']),
  );

  test('so it is in the middle of a long step of training', async () => {
    const long = join(folder, 'long.csv');
    const text = 'rain and wind '.repeat(2000);
    writeFileSync(long, `text,label\n${`${text},weather\n${text},sport\n`.repeat(16)}`);
    const args = ['--data', long, '--units', '300', '--max-length', '6000'];
    await answered('SIGINT', 130, 'vocabulary', args);
  });

  test('a pipe that nobody reads is waited for, and left at a signal', async () => {
    const pipe = join(folder, 'unread');
    execFileSync('mkfifo', [pipe]);
    const args = ['train', '--data', data, '--out', pipe, ...SMALL];
    const ended = await command(args, { signal: 'SIGTERM', after: 'trained', wait: 500 });
    expect(ended.code).toBe(143);
    expect(ended.took).toBeLessThan(1000);
    rmSync(pipe);
  });

  test('what a killed process left unfinished is removed by the next start, what another writes is not', async () => {
    const place = join(folder, 'killed');
    mkdirSync(place);
    let name = '';
    await writeTarget(checkTarget(join(place, 'm.json')), new Uint8Array(1), (path) => {
      name = path;
    });
    const of = (pid: number): string => name.replace(/-\d+-(\d+\.tmp)$/, `-${pid}-$1`);
    // A process that has ended, and this one, which lives.
    const ended = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => ended.on('close', resolve));
    writeFileSync(of(ended.pid!), 'half');
    writeFileSync(of(process.pid), 'half');
    writeFileSync(join(place, 'm.json.1.tmp'), 'of somebody else');
    const { code } = await command(['train', '--data', data, '--out', join(place, 'n.json'), ...SMALL]);
    expect(code).toBe(0);
    expect(existsSync(of(ended.pid!))).toBe(false);
    expect(existsSync(of(process.pid))).toBe(true);
    expect(existsSync(join(place, 'm.json.1.tmp'))).toBe(true);
  });
});

describe('standard output', () => {
  const full = existsSync('/dev/full') ? test : test.skip;
  full('a full disk is an error', () => {
    for (const options of ['', '--json']) {
      const { code, err } = shell(`tc predict --model model.json ${options} rain > /dev/full`);
      expect(code).toBe(1);
      expect(err).toMatch(/standard output cannot be written: ENOSPC/);
    }
  });

  full('a full disk does not cost the model', () => {
    const { code } = shell(`tc train --data train.csv --out kept.json ${SMALL.join(' ')} > /dev/full`);
    expect(code).toBe(1);
    expect(shell('tc predict --model kept.json rain').code).toBe(0);
  });

  test('a reader that goes away ends the command without a word', () => {
    writeFileSync(join(folder, 'many.csv'), `text\n${'rain and wind\n'.repeat(50_000)}`);
    const { code, out, err } = shell('set -o pipefail; tc predict --model model.json --data many.csv | head -n 1');
    expect(err).toBe('');
    expect(code).toBe(141);
    expect(out).toMatch(/rain and wind/);
  });

  test('no standard input or output at all', () => {
    expect(shell('tc predict --model model.json rain <&- >&-').code).toBe(0);
  });
});

describe('a terminal', () => {
  /** What the command writes to a terminal of some columns that `script` opens for it. */
  const shown = (columns: number, args: string): string =>
    shell(`export TERM=xterm; script -qec "stty cols ${columns}; $NODE $BIN ${args}" /dev/null < /dev/null`).out;

  test('the bar is drawn and redrawn in its place, within the width; the rest is plain', () => {
    for (const columns of [200, 40]) {
      const out = shown(columns, `train --data train.csv --epochs 3 --batch-size 1 --units 2`);
      expect(out).toMatch(/Epoch 1\/3\r\n/);
      const shape = out.replaceAll('\u001b[K', '<clear>');
      expect(shape).toMatch(/\r<clear>\d\/4 [━─]{20}/);
      expect(shape).toMatch(/\r<clear>4\/4 ━{20} .*\r\n/);
      // What a terminal is told, besides line ends, is to clear the line that is drawn anew.
      expect(out.replaceAll('\r\u001b[K', '').replaceAll('\r\n', '\n')).toMatch(/^[^\p{Cc}]*(\n[^\p{Cc}]*)*$/u);
      const drawn = out.split('\r\n').flatMap((line) => line.split('\r\u001b[K').slice(1, -1));
      expect(drawn.length).toBeGreaterThan(0);
      for (const line of drawn) expect(line.length).toBeLessThan(columns);
    }
  });

  test('--json writes one object there, too', () => {
    const out = shown(80, 'train --data train.csv --epochs 1 --units 2 --json');
    expect(JSON.parse(out)).toMatchObject({ command: 'train', epochs: 1 });
  });
});

describe('--out', () => {
  const train = (out: string): ReturnType<typeof shell> =>
    shell(`tc train --data train.csv --out ${out} ${SMALL.join(' ')}`);
  const whole = (name: string): void => {
    expect(shell(`tc predict --model ${name} rain`)).toMatchObject({ code: 0, err: '' });
  };

  test('symbolic links stay, and what they lead to is written; also where it does not exist yet', () => {
    writeFileSync(join(folder, 'real.json'), 'old');
    symlinkSync('real.json', join(folder, 'link.json'));
    symlinkSync('not-yet.json', join(folder, 'dangling.json'));
    for (const [link, target] of [
      ['link.json', 'real.json'],
      ['dangling.json', 'not-yet.json'],
    ] as const) {
      expect(train(link).code).toBe(0);
      expect(lstatSync(join(folder, link)).isSymbolicLink()).toBe(true);
      expect(lstatSync(join(folder, target)).isFile()).toBe(true);
      whole(target);
    }
  });

  test('the mode stays', () => {
    const path = join(folder, 'mode.json');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    expect(train('mode.json').code).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    whole('mode.json');
    expect(train('fresh.json').code).toBe(0);
    expect(statSync(join(folder, 'fresh.json')).mode & 0o7777).toBe(0o666 & ~process.umask());
  });

  test('devices and pipes are written through', () => {
    expect(train('/dev/null').code).toBe(0);
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
    const { code } = shell(
      `mkfifo pipe; cat pipe > piped.json & tc train --data train.csv --out pipe ${SMALL.join(' ')}; code=$?; wait; exit $code`,
    );
    expect(code).toBe(0);
    expect(lstatSync(join(folder, 'pipe')).isFIFO()).toBe(true);
    whole('piped.json');
  });

  test.each<[string, string, RegExp]>([
    ['a folder', '.', /it is a folder/],
    ['a folder that is not there', 'no/', /received a folder/],
    ['a path through a file', 'train.csv/m.json', /no folder/],
    ['a circle of links', 'circle', /circle/],
    ['a name too long', 'x'.repeat(300), /too long/],
    ['no name', '""', /received an empty one/],
    ['the data', './train.csv', /it is also read/],
    ['a place that takes no files', '/proc/m.json', /cannot be written/],
  ])('is checked before training: %s', (_name, out, message) => {
    rmSync(join(folder, 'circle'), { force: true });
    symlinkSync('circle', join(folder, 'circle'));
    const ended = train(out);
    expect(ended.code).toBeGreaterThan(0);
    expect(ended.err).toMatch(message);
    expect(ended.out).not.toMatch(/Epoch/);
    expect(readFileSync(data, 'utf8')).toBe(ROWS);
  });

  test('missing folders are made; nothing unfinished stays', () => {
    expect(train('a/b/m.json').code).toBe(0);
    whole('a/b/m.json');
    expect(unfinishedIn(join(folder, 'a/b'))).toEqual([]);
    expect(unfinishedIn(folder)).toEqual([]);
  });
});

test('a test that fails does not cost the model: it is saved before', async () => {
  const { out } = await command(['train', '--data', data, '--test', data, '--out', join(folder, 'o.json'), ...SMALL]);
  expect(out.indexOf('saved to')).toBeGreaterThan(out.indexOf('trained'));
  expect(out.indexOf('test accuracy')).toBeGreaterThan(out.indexOf('saved to'));
});

test('an altered model is refused by every command, with an exit code', async () => {
  const bytes = readFileSync(model);
  bytes[bytes.indexOf('"data":"') + 10]! ^= 1;
  const altered = join(folder, 'altered.json');
  writeFileSync(altered, bytes);
  for (const args of [
    ['predict', '--model', altered, 'rain'],
    ['evaluate', '--model', altered, '--data', data],
  ]) {
    const { code, err, out } = await command(args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/a damaged or edited one/);
  }
});

describe('missing permissions', () => {
  // The administrator may do everything: the program is loaded, and then goes on as nobody.
  const PROGRAM = `
    import { main } from ${JSON.stringify(new URL('../dist/cli.js', `file://${__filename}`).href)};
    if (process.getuid() === 0) {
      process.setgid(65534);
      process.setuid(65534);
    }
    process.exitCode = await main(process.argv.slice(1));
  `;
  const asNobody = (...args: string[]): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', PROGRAM, '--', ...args],
      { encoding: 'utf8', timeout: 100_000 },
    );
    return { code: status, out: stdout, err: stderr };
  };
  const at = (name: string): string => join(folder, 'places', name);
  beforeAll(() => {
    for (const name of ['', 'closed', 'open', 'hidden']) mkdirSync(at(name));
    for (const [name, content] of [
      ['train.csv', ROWS],
      ['closed/old.json', 'old'],
      ['hidden/train.csv', ROWS],
      ['open/protected.json', 'mine'],
      ['open/secret.csv', ROWS],
    ] as const)
      writeFileSync(at(name), content);
    for (const [path, mode] of [
      [folder, 0o755],
      [at('open'), 0o777],
      [at('closed'), 0o555],
      [at('open/protected.json'), 0o444],
      [at('open/secret.csv'), 0o200],
      [at('hidden'), 0o600],
    ] as const)
      chmodSync(path, mode);
  });
  afterAll(() => {
    for (const name of ['closed', 'hidden']) chmodSync(at(name), 0o755);
  });

  test.each([
    ['a folder that is read-only', 'closed/m.json'],
    ['a file in it', 'closed/old.json'],
    ['a folder that would be made in it', 'closed/a/b/m.json'],
    ['a file that is read-only', 'open/protected.json'],
    ['a folder that may not be entered', 'hidden/m.json'],
  ])('--out names %s: told before training', (_name, out) => {
    const { code, err, out: said } = asNobody('train', '--data', at('train.csv'), '--out', at(out), ...SMALL);
    expect(err).toBe(`text-classifier: ${at(out)}: cannot be written: permission denied\n`);
    expect([code, said]).toEqual([1, '']);
    expect(readdirSync(at('closed'))).toEqual(['old.json']);
    expect(readFileSync(at('open/protected.json'), 'utf8')).toBe('mine');
  });

  test('where it is given, the classifier is written', () => {
    const { code, err } = asNobody('train', '--data', at('train.csv'), '--out', at('open/m.json'), ...SMALL);
    expect([code, err]).toEqual([0, '']);
    expect(readdirSync(at('open')).sort()).toEqual(['m.json', 'protected.json', 'secret.csv']);
  });

  test.each([
    ['data', 'open/secret.csv', ['train', '--data']],
    ['data in a folder that may not be entered', 'hidden/train.csv', ['train', '--data']],
    ['a model', 'open/secret.csv', ['predict', 'rain', '--model']],
  ])('%s cannot be read', (_name, path, args) => {
    const { code, err } = asNobody(...args, at(path));
    expect(err).toContain(at(path));
    expect(err).toMatch(/permission denied/);
    expect(err).not.toMatch(/unexpected error/);
    expect(code).toBe(1);
  });
});
