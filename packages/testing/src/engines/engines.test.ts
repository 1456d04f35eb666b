import { join } from 'node:path';
import { type EngineName, engine, setEngine } from '@recurra/compiler';
import { availableEngines } from '@recurra/compiler/extend';
import { engineFamilies } from './cases.js';

/** One list for all engines. */
const FAMILIES = [...engineFamilies(join(__dirname, '../../golden'))];

test.each(FAMILIES)('there are %s', (_, cases) => {
  expect(cases.length).toBeGreaterThan(0);
});

/** The engines that the environment asks for, or all that can be had here. */
const ENGINES = (process.env['RECURRA_ENGINES']?.split(',') as EngineName[] | undefined) ?? availableEngines();

test('WebAssembly is everywhere', () => {
  expect(availableEngines()).toContain('wasm');
});

describe.each(ENGINES)('the %s engine', (name) => {
  beforeAll(() => setEngine(name));
  afterAll(() => setEngine('auto'));

  test.each(FAMILIES.flatMap(([, cases]) => cases.map((one) => [one.name, one] as const)))('%s', async (_, one) => {
    expect(engine().name).toBe(name);
    await one.run();
  });
});
