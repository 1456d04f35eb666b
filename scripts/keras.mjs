/** Python Keras: that of the interpreter which RECURRA_PYTHON names, or one in a virtual environment of its own, in the versions below. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REQUIREMENTS = ['keras==3.15.1', 'jax==0.10.2', 'h5py==3.16.0', 'numpy==2.4.6'];

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`expected ${command} ${args[0]} to end well, received exit code ${status}`);
};

/** The interpreter that has Keras. */
function python(folder) {
  const given = process.env.RECURRA_PYTHON;
  if (given) return given;
  const venv = join(folder, 'venv');
  run('python3', ['-m', 'venv', venv]);
  run(join(venv, 'bin/pip'), ['install', '-q', '--disable-pip-version-check', ...REQUIREMENTS]);
  return join(venv, 'bin/python');
}

/** What Keras makes of files that were saved here (`check-keras.py`): by the names of cases, what it predicts, and holds after one more epoch. */
export function openInKeras(folder, cases) {
  const [given, told] = [join(folder, 'cases.json'), join(folder, 'results.json')];
  writeFileSync(given, JSON.stringify(cases));
  run(python(folder), [fileURLToPath(new URL('check-keras.py', import.meta.url)), given, told]);
  return JSON.parse(readFileSync(told, 'utf8'));
}
