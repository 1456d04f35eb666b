import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PytorchModules, readSafetensors, type StateDict } from '@recurra/formats';
import { Bidirectional, Dense, Embedding, GRU, LSTM, Sequential, SimpleRNN } from '@recurra/layers';
import { type Tensor, type TensorJSON, tensorFromJSON } from '@recurra/tensor';

interface Case {
  readonly config: { readonly names: readonly string[] };
  readonly inputs: { readonly x: TensorJSON };
  readonly outputs: Readonly<Record<string, TensorJSON>>;
}

/** A state dict that PyTorch saved, and what its module computes. */
export interface PytorchCase {
  readonly state: StateDict;
  /** Names in PyTorch's order: safetensors sorts them. */
  readonly names: readonly string[];
  readonly x: Tensor;
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** Reads a case of the golden folder `files/pytorch`. */
export function pytorchCase(folder: string, name: string): PytorchCase {
  const { tensors: state } = readSafetensors(new Uint8Array(readFileSync(join(folder, `${name}.safetensors`))), {
    name,
  });
  const [found] = (JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as { cases: Case[] }).cases;
  const outputs = new Map(Object.entries(found!.outputs).map(([key, value]) => [key, tensorFromJSON(value)]));
  return { state, names: found!.config.names, x: tensorFromJSON(found!.inputs.x), outputs };
}

const all = { returnSequences: true } as const;

/** Models of the modules, and the layers for each. */
const MODELS: Readonly<Record<string, () => readonly [Sequential, PytorchModules]>> = {
  lstm: () => [new Sequential([new LSTM(4, { name: 'a', ...all })]), { '': 'a' }],
  lstm_no_bias: () => [new Sequential([new LSTM(4, { name: 'a', useBias: false, ...all })]), { '': 'a' }],
  lstm_stack_both_ways: () => [
    new Sequential([
      new Bidirectional(new LSTM(4, all), { name: 'a' }),
      new Bidirectional(new LSTM(4, all), { name: 'b' }),
    ]),
    { '': ['a', 'b'] },
  ],
  gru: () => [new Sequential([new GRU(4, { name: 'a', ...all })]), { '': ['a'] }],
  gru_no_bias: () => [new Sequential([new GRU(4, { name: 'a', useBias: false, ...all })]), { '': 'a' }],
  gru_stack_both_ways: () => [
    new Sequential(['a', 'b', 'c'].map((name) => new Bidirectional(new GRU(4, all), { name }))),
    { '': ['a', 'b', 'c'] },
  ],
  rnn_tanh: () => [new Sequential([new SimpleRNN(4, { name: 'a', ...all })]), { '': 'a' }],
  rnn_relu: () => [new Sequential([new SimpleRNN(4, { name: 'a', activation: 'relu', ...all })]), { '': 'a' }],
  rnn_stack: () => [
    new Sequential(['a', 'b'].map((name) => new SimpleRNN(4, { name, useBias: false, ...all }))),
    { '': ['a', 'b'] },
  ],
  embedding: () => [new Sequential([new Embedding(5, 3, { name: 'a' })]), { '': 'a' }],
  linear: () => [new Sequential([new Dense(4, { name: 'a' })]), { '': 'a' }],
  linear_no_bias: () => [new Sequential([new Dense(4, { name: 'a', useBias: false })]), { '': 'a' }],
  tagger: () => [
    new Sequential([
      new Embedding(7, 3, { name: 'ids' }),
      new Bidirectional(new LSTM(2, all), { name: 'first' }),
      new Bidirectional(new LSTM(2, all), { name: 'second' }),
      new GRU(3, { name: 'gru' }),
      new Dense(5, { name: 'wide', activation: 'relu' }),
      new Dense(2, { name: 'out', useBias: false }),
    ]),
    {
      embed: 'ids',
      'encoder.rnn': ['first', 'second'],
      decoder: 'gru',
      'head.0': 'wide',
      'head.2': 'out',
    },
  ],
};

/** The names of the cases that have models of ours. */
export const PYTORCH_CASES: readonly string[] = Object.keys(MODELS);

/** A model that is built for the inputs of a case. */
export function builtFor(
  folder: string,
  name: string,
): PytorchCase & { readonly model: Sequential; readonly modules: PytorchModules } {
  const { state, names, x, outputs } = pytorchCase(folder, name);
  const [model, modules] = MODELS[name]!();
  model.build(x.shape as never);
  return { model, modules, state, names, x, outputs };
}
