import { randomKey, randomNormal, type Tensor } from '@recurra/tensor';
import { wasmEngine } from './engines/engines.js';
import { jit, setEngine, setThreads, threads } from './index.js';

/** Enough work for a pool. */
const x = randomNormal([400, 400], { key: randomKey(1) });
const heavy = jit((v: Tensor) => v.matmul(v).tanh().matmul(v).sum(0));

const actual = process.getBuiltinModule;
function withWorkers(Worker: unknown): void {
  jest
    .spyOn(process, 'getBuiltinModule')
    .mockImplementation(((id: string) =>
      id === 'node:worker_threads' ? Worker && { Worker } : actual.call(process, id)) as never);
}

let expected: number[];
beforeAll(async () => {
  // Its workers, where another engine is installed too.
  await setEngine('wasm');
  await setThreads(1);
  expected = [...(await heavy(x)).data];
});
beforeEach(() => setThreads(1));
afterEach(() => {
  jest.restoreAllMocks();
  Reflect.deleteProperty(globalThis, 'Worker');
});
afterAll(() => setThreads('auto'));

/** What Node does with --permission, and without --allow-worker. */
class Denied {
  constructor() {
    throw Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' });
  }
}

let made = 0;
let ended = 0;
const { Worker: NodeWorker } = actual.call(process, 'node:worker_threads') as {
  Worker: new (...args: unknown[]) => { terminate(): Promise<number> };
};
/** The second of three is one too many. */
class Limited extends NodeWorker {
  constructor(...args: unknown[]) {
    if (++made === 2) throw new Error('no more threads');
    super(...args);
  }
  override terminate(): Promise<number> {
    ended++;
    return super.terminate();
  }
}
/** It starts, and fails before it is ready. */
class Broken extends NodeWorker {
  constructor(_source: unknown, options: unknown) {
    super('throw new Error("no WebAssembly here")', options);
  }
}

test.each([
  ['workers are denied', Denied, /Access to this API has been restricted/],
  ['one of several cannot be had', Limited, /no more threads/],
  ['a worker fails as it starts', Broken, /no WebAssembly here/],
])('where %s, steps run on one thread in silence, with the same results', async (_, Worker, reason) => {
  withWorkers(Worker);
  const warnings = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'error')];
  await setThreads(3);
  for (let i = 0; i < 2; i++) expect([...(await heavy(x)).data]).toEqual(expected);
  // Calls that overlap too.
  for (const result of await Promise.all([heavy(x), heavy(x)])) expect([...result.data]).toEqual(expected);
  expect(wasmEngine().pool.current).toBeNull();
  expect(threads()).toEqual({ count: 1, reason: expect.stringMatching(reason) });
  for (const warning of warnings) expect(warning).not.toHaveBeenCalled();
  // Where workers are to be had again, they are.
  jest.restoreAllMocks();
  await setThreads(1);
  await setThreads(2);
  expect([...(await heavy(x)).data]).toEqual(expected);
  expect(threads().count).toBe(2);
  expect(wasmEngine().pool.current).not.toBeNull();
});

test('workers that had started end where another cannot be had', () => {
  expect([made, ended]).toEqual([2, 1]);
});

test('a page whose content security policy forbids workers runs on one thread', async () => {
  withWorkers(undefined);
  Object.assign(globalThis, {
    Worker: class {
      constructor() {
        throw new DOMException('refused to create a worker from blob:', 'SecurityError');
      }
    },
  });
  await setThreads(2);
  expect([...(await heavy(x)).data]).toEqual(expected);
  expect(threads()).toEqual({ count: 1, reason: expect.stringMatching(/refused to create a worker/) });
});

test('a page whose workers fail with an event, as their source is refused, runs on one thread', async () => {
  withWorkers(undefined);
  Object.assign(globalThis, {
    Worker: class {
      onerror: ((event: { message?: string }) => void) | null = null;
      constructor() {
        setTimeout(() => this.onerror?.({}), 5);
      }
      postMessage(): void {}
      terminate(): void {}
    },
  });
  await setThreads(2);
  expect([...(await heavy(x)).data]).toEqual(expected);
  expect(threads()).toEqual({ count: 1, reason: expect.stringMatching(/it could not be started/) });
});
