import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KerasNames, kerasCoverage, kerasPage } from './coverage.js';
import { WHY } from './why.js';

const names = JSON.parse(readFileSync(join(__dirname, '../../keras/names.json'), 'utf8')) as KerasNames;
const all = kerasCoverage(names);
const told = (list: typeof all): string[] => list.map((c) => `${c.area}: ${c.name}`);

test('every name of Keras is here, or it is said why not', () => {
  expect(told(all.filter((c) => c.here === null && c.why.length === 0))).toEqual([]);
});

test('what is here is not explained away (remove it from why.ts), and nothing is explained twice', () => {
  expect(told(all.filter((c) => c.here !== null && c.why.length > 0))).toEqual([]);
  expect(told(all.filter((c) => c.why.length > 1))).toEqual([]);
});

test('every line of the table concerns a name', () => {
  const idle = WHY.filter(([area, pattern]) => !(names.names[area] ?? []).some((name) => pattern.test(name)));
  expect(idle.map(([area, pattern]) => `${area}: ${pattern}`)).toEqual([]);
});

test('names are found as they are exported', () => {
  const here = (area: string, name: string): string | null => all.find((c) => c.area === area && c.name === name)!.here;
  expect(here('layers', 'LSTM')).toBe('LSTM');
  expect(here('metrics', 'BinaryCrossentropy')).toBe('BinaryCrossentropyMetric');
  expect(here('metrics', 'AUC')).toBe('AUC');
  expect(here('initializers', 'GlorotUniform')).toBe('initializers.glorotUniform');
  expect(here('regularizers', 'L1L2')).toBe('regularizers.l1L2');
  expect(here('activations', 'hard_silu')).toBe("'hardSilu'");
  expect(here('callbacks', 'ProgbarLogger')).toBe('ProgressLogger');
  expect(here('layers', 'Conv2D')).toBeNull();
});

test('the page has a row a name, in both languages', () => {
  for (const language of ['en', 'zh'] as const) {
    const page = kerasPage(names, language);
    expect(page.split('\n').filter((line) => line.startsWith('| `'))).toHaveLength(all.length);
    expect(page).toContain(`Keras ${names.keras}`);
  }
});
