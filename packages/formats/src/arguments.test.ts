import { RecurraError, tensor } from '@recurra/tensor';
import type { ModelFile } from './model-file.js';
import { pytorchStateDict } from './pytorch/export.js';
import { loadPytorchWeights } from './pytorch/load.js';
import { pytorchWeights } from './pytorch/state-dict.js';
import { readSafetensors, safetensorsHeader, writeSafetensors } from './safetensors.js';
import { readSafetensorsWeights, weightNames, writeSafetensorsWeights } from './safetensors-weights.js';
import { sniffFormat } from './sniff.js';

const kernel = tensor([[1, 2]]);
const bytes = writeSafetensors({ kernel });
const layers = [{ name: 'dense', variables: [{ name: 'kernel', value: kernel }] }];
const file: ModelFile = { model: null, compile: null, weights: null, layers, optimizer: null, assets: new Map() };
const weights = [{ path: 'dense/kernel', value: kernel }];
const dense = {
  name: 'dense',
  className: 'Dense',
  built: true,
  weights,
  getConfig: () => ({ useBias: false }),
  setWeights: () => undefined,
};
const model = { layers: [dense], weights };
const state = new Map([['fc.weight', kernel.transpose()]]);

/** Calls that are right, with the number of arguments that may be left out. */
const CALLS: readonly (readonly [call: (...args: never[]) => unknown, args: readonly unknown[], optional: number])[] = [
  [readSafetensors, [bytes, { name: 'a' }], 1],
  [safetensorsHeader, [bytes, { name: 'a' }], 1],
  [writeSafetensors, [{ kernel }, { metadata: { a: 'b' } }], 1],
  [weightNames, [file], 0],
  [writeSafetensorsWeights, [file, { metadata: {} }], 1],
  [readSafetensorsWeights, [bytes, file, { name: 'a' }], 1],
  [pytorchWeights, [state, 'fc', { kind: 'Linear' }], 2],
  [loadPytorchWeights, [model, state, { fc: 'dense' }, { strict: true }], 1],
  [pytorchStateDict, [model, { fc: 'dense' }], 0],
  [sniffFormat, [bytes], 0],
];
const WRONG: readonly unknown[] = [
  null,
  undefined,
  true,
  7,
  Number.NaN,
  'text',
  [],
  [1],
  () => 1,
  Symbol('a'),
  1n,
  { x: 1 },
  new Map([[1, 2]]),
  new Date(0),
  kernel,
];

test.each(CALLS.map(([call, args, optional]) => [call.name, call, args, optional] as const))(
  '%s refuses what it does not take',
  (_, call, args, optional) => {
    expect(() => call(...(args as never[]))).not.toThrow();
    args.forEach((right, i) => {
      for (const wrong of WRONG) {
        if (wrong === undefined && i >= args.length - optional) continue;
        // Of the kind that it takes: an object without options is right.
        if (typeof wrong === typeof right && typeof right === 'string') continue;
        const given = args.map((arg, k) => (k === i ? wrong : arg));
        expect(() => call(...(given as never[]))).toThrow(RecurraError);
      }
    });
  },
);
