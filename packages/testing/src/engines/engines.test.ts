import { join } from 'node:path';
import { type EngineName, engine, setEngine } from '@recurra/compiler';
import { availableEngines } from '@recurra/compiler/extend';
import type { EngineCase } from './case.js';
import { goldenCases } from './golden.js';
import { PRIMITIVES } from './primitives.js';
import { STEPS } from './steps.js';

/** One list for all engines. */
const CASES: readonly EngineCase[] = [...STEPS, ...PRIMITIVES, ...goldenCases(join(__dirname, '../../golden'))];

/** The engines that the environment asks for, or all that can be had here. */
const ENGINES = (process.env['RECURRA_ENGINES']?.split(',') as EngineName[] | undefined) ?? availableEngines();

test('WebAssembly is everywhere', () => {
  expect(availableEngines()).toContain('wasm');
});

describe.each(ENGINES)('the %s engine', (name) => {
  beforeAll(() => setEngine(name));
  afterAll(() => setEngine('auto'));

  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    expect(engine().name).toBe(name);
    await one.run();
  });
});
