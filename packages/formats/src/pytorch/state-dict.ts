import { FormatError, Tensor, ValueError } from '@recurra/tensor';
import {
  checkRules,
  checkValue,
  describeValue,
  formatShape,
  isFloating,
  type Rules,
  rules,
} from '@recurra/tensor/extend';
import { listed } from '../listed.js';
import type { NamedTensor } from '../model-file.js';
import { GATES, type PytorchDirection, type RecurrentKind, toKeras } from './gates.js';

/** The tensors of a PyTorch module by their names, as `readSafetensors` gives them: `encoder.rnn.weight_ih_l0`, ... */
export type StateDict = ReadonlyMap<string, Tensor>;

/** The modules whose weights have layers here. */
export type PytorchKind = RecurrentKind | 'Embedding' | 'Linear';

/** Our classes for PyTorch's. */
export const CLASS_OF: Readonly<Record<PytorchKind, string>> = {
  LSTM: 'LSTM',
  GRU: 'GRU',
  RNN: 'SimpleRNN',
  Embedding: 'Embedding',
  Linear: 'Dense',
};

/** The weights of one of our layers, taken from a module of PyTorch. */
export interface PytorchLayer {
  readonly kind: PytorchKind;
  /** The name of the module: `encoder.rnn`. */
  readonly module: string;
  /** Its place in a stack, from 0. */
  readonly depth: number;
  /** The layer that takes them: `Bidirectional` (of a layer of the kind) for two directions. */
  readonly className: string;
  readonly bidirectional: boolean;
  readonly useBias: boolean;
  /** Width of its inputs; of an Embedding, the number of ids. */
  readonly features: number;
  /** Width of its outputs, of one direction. */
  readonly units: number;
  /** In the order of the layer's `getWeights()`: kernel, recurrent_kernel, bias, those of the forward direction first. */
  readonly weights: readonly NamedTensor[];
  /** The names of the tensors that they come from. */
  readonly from: readonly string[];
}

/** Options of {@link pytorchWeights}. */
export interface PytorchWeightsOptions {
  /** What the module is: needed where one matrix alone may be of an `nn.Embedding` or an `nn.Linear` without bias. */
  readonly kind?: PytorchKind | null;
}

const OPTIONS: Rules<PytorchWeightsOptions> = { kind: rules.orNull(rules.oneOf(...Object.keys(CLASS_OF))) };

const RECURRENT_NAME = /^(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d{1,4})(_reverse)?$/;

/** A module's own tensors, by their names in it; those of modules within are not among them. */
type Own = ReadonlyMap<string, Tensor>;

function ownOf(label: string, state: StateDict, module: string): Own {
  const prefix = module === '' ? '' : `${module}.`;
  const own = new Map<string, Tensor>();
  const within = new Set<string>();
  for (const [name, value] of state) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    if (rest.includes('.')) within.add(name.slice(0, name.lastIndexOf('.')));
    else own.set(rest, value);
  }
  if (own.size === 0) {
    const known = [...(within.size > 0 ? within : modulesOf(state))];
    throw new FormatError(
      `${label}: expected tensors of the module "${module}" (${prefix}weight, ${prefix}weight_ih_l0, ...), found none. Name one of its modules: ${listed('there', known)}.`,
    );
  }
  return own;
}

/** The names of the modules that have tensors of their own, in the order of the state dict. */
function modulesOf(state: StateDict): ReadonlySet<string> {
  return new Set([...state.keys()].map((name) => name.slice(0, Math.max(0, name.lastIndexOf('.')))));
}

/** Reads the tensors of one module, and says what is missing or of another shape. */
class ModuleReader {
  readonly label: string;
  readonly module: string;
  readonly own: Own;

  constructor(label: string, module: string, own: Own) {
    this.label = label;
    this.module = module;
    this.own = own;
  }

  full(name: string): string {
    return this.module === '' ? name : `${this.module}.${name}`;
  }

  fail(text: string): never {
    throw new FormatError(`${this.label}: module "${this.module}": ${text}`);
  }

  /** A tensor of floats, of this rank. */
  take(name: string, rank: number): Tensor {
    const value = this.own.get(name);
    if (!value) this.fail(`expected a tensor "${this.full(name)}", found ${listed('there', [...this.own.keys()])}.`);
    if (value.rank !== rank || value.size === 0 || !isFloating(value.dtype))
      this.fail(
        `expected "${this.full(name)}" to be ${rank === 1 ? 'a vector' : 'a matrix'} of floats, received ${value.dtype} ${formatShape(value.shape)}.`,
      );
    return value;
  }

  /** A tensor of floats, of this shape. */
  takeShaped(name: string, shape: readonly number[]): Tensor {
    const value = this.take(name, shape.length);
    if (value.shape.join() !== shape.join())
      this.fail(`expected "${this.full(name)}" of shape ${formatShape(shape)}, received ${formatShape(value.shape)}.`);
    return value;
  }

  /** Refuses tensors that are none of these. */
  expectOnly(known: (name: string) => boolean, what: string): void {
    const odd = [...this.own.keys()].filter((name) => !known(name));
    if (odd.length > 0)
      this.fail(
        `expected the tensors of ${what} alone, received ${listed(
          'more',
          odd.map((name) => this.full(name)),
        )}.`,
      );
  }
}

function recurrentLayers(reader: ModuleReader, wanted: PytorchKind | null): PytorchLayer[] {
  const names = [...reader.own.keys()];
  const projection = names.find((name) => name.startsWith('weight_hr'));
  if (projection)
    reader.fail(
      `expected an LSTM without projection, received "${reader.full(projection)}": proj_size has no counterpart in our LSTM. Train it with proj_size=0.`,
    );
  reader.expectOnly((name) => RECURRENT_NAME.test(name), 'an nn.LSTM, nn.GRU or nn.RNN');
  const parts = names.map((name) => RECURRENT_NAME.exec(name)!);
  const bidirectional = parts.some(([, , , reverse]) => reverse !== undefined);
  const useBias = parts.some(([, role]) => role!.startsWith('bias'));
  const depth = 1 + parts.reduce((last, [, , layer]) => Math.max(last, Number(layer)), 0);
  const first = reader.take('weight_hh_l0', 2);
  const [rows, units] = first.shape as readonly [number, number];
  const kind = (Object.keys(GATES) as RecurrentKind[]).find((name) => GATES[name] * units === rows);
  if (!kind)
    reader.fail(
      `expected "${reader.full('weight_hh_l0')}" of 4 (LSTM), 3 (GRU) or 1 (RNN) times as many rows as columns, received ${formatShape(first.shape)}.`,
    );
  if (wanted && wanted !== kind)
    reader.fail(`expected the weights of an nn.${wanted}, received those of an nn.${kind}.`);
  const layers: PytorchLayer[] = [];
  for (let k = 0; k < depth; k++) {
    const features: number = k === 0 ? reader.take('weight_ih_l0', 2).shape[1]! : units * (bidirectional ? 2 : 1);
    const from: string[] = [];
    const direction = (end: string): PytorchDirection => {
      const read = (role: string, shape: readonly number[]): Tensor => {
        const name = `${role}_l${k}${end}`;
        const value = reader.takeShaped(name, shape);
        from.push(reader.full(name));
        return value;
      };
      return {
        weightIh: read('weight_ih', [rows, features]),
        weightHh: read('weight_hh', [rows, units]),
        biasIh: useBias ? read('bias_ih', [rows]) : null,
        biasHh: useBias ? read('bias_hh', [rows]) : null,
      };
    };
    const weights = (bidirectional ? ['', '_reverse'] : ['']).flatMap((end) => {
      const { kernel, recurrentKernel, bias } = toKeras(kind, direction(end));
      return [
        { name: 'kernel', value: kernel },
        { name: 'recurrent_kernel', value: recurrentKernel },
        ...(bias ? [{ name: 'bias', value: bias }] : []),
      ];
    });
    const className = bidirectional ? 'Bidirectional' : CLASS_OF[kind];
    layers.push({
      kind,
      module: reader.module,
      depth: k,
      className,
      bidirectional,
      useBias,
      features,
      units,
      weights,
      from,
    });
  }
  return layers;
}

function matrixLayer(reader: ModuleReader, wanted: PytorchKind | null): PytorchLayer {
  const matrix = reader.take('weight', 2);
  const useBias = reader.own.has('bias');
  const kind = wanted ?? (useBias ? 'Linear' : null);
  if (kind === null)
    reader.fail(
      "expected to know what it is: one matrix may be of an nn.Embedding or an nn.Linear without bias. Give { kind: 'Embedding' } or { kind: 'Linear' }.",
    );
  if (kind !== 'Embedding' && kind !== 'Linear')
    reader.fail(`expected the weights of an nn.${kind}, received a matrix "weight".`);
  const common = { module: reader.module, depth: 0, className: CLASS_OF[kind], bidirectional: false };
  const from = [reader.full('weight')];
  if (kind === 'Embedding') {
    reader.expectOnly((name) => name === 'weight', 'an nn.Embedding');
    const [features, units] = matrix.shape as readonly [number, number];
    const weights = [{ name: 'embeddings', value: matrix }];
    return { ...common, kind, useBias: false, features, units, weights, from };
  }
  reader.expectOnly((name) => name === 'weight' || name === 'bias', 'an nn.Linear');
  const [units, features] = matrix.shape as readonly [number, number];
  const weights: NamedTensor[] = [{ name: 'kernel', value: matrix.transpose() }];
  if (useBias) {
    weights.push({ name: 'bias', value: reader.takeShaped('bias', [units]) });
    from.push(reader.full('bias'));
  }
  return { ...common, kind, useBias, features, units, weights, from };
}

/**
 * The weights of one module of PyTorch (`nn.LSTM`, `nn.GRU`, `nn.RNN`, `nn.Embedding`, `nn.Linear`) in the layouts of our layers: one entry for each layer of a stack
 * (`num_layers`), both directions in one. They compute what PyTorch does:
 *
 * - LSTM: gates i f g o are Keras' i f c o; `bias_ih + bias_hh` is our bias.
 * - GRU: gates r z n become z r h; the biases stay two, for a GRU with `resetAfter` (our default).
 * - RNN: `bias_ih + bias_hh`; the state dict does not say whether `nonlinearity` is 'tanh' (the default of both) or 'relu'.
 * - Linear: transposed. Embedding: as it is.
 *
 * `module` is what stands before the last dot of the tensors' names (`encoder.rnn`); `''` for the state dict of the module itself. Throws `FormatError` for
 * tensors that are missing, too many, or of other shapes, and for `proj_size`.
 */
export function pytorchWeights(
  state: StateDict,
  module = '',
  options: PytorchWeightsOptions = {},
): readonly PytorchLayer[] {
  const label = 'pytorchWeights';
  checkStateDict(label, state);
  checkValue(label, 'the module', module, rules.text);
  checkRules(label, options, OPTIONS);
  return layersOf(label, state, module, options.kind ?? null);
}

/** Throws `ValueError` unless it is a state dict. */
export function checkStateDict(label: string, state: unknown): void {
  if (!(state instanceof Map))
    throw new ValueError(
      `${label}: expected a state dict as a Map of tensors by their names, received ${describeValue(state)}. readSafetensors(bytes).tensors is one.`,
    );
  for (const [name, value] of state) {
    checkValue(label, 'a name of the state dict', name, rules.text);
    checkValue(label, `"${name}" of the state dict`, value, rules.instanceOf(Tensor, 'a tensor'));
  }
}

/** {@link pytorchWeights}, for arguments that are checked. */
export function layersOf(
  label: string,
  state: StateDict,
  module: string,
  kind: PytorchKind | null,
): readonly PytorchLayer[] {
  const reader = new ModuleReader(label, module, ownOf(label, state, module));
  if (reader.own.has('weight')) return [matrixLayer(reader, kind)];
  if ([...reader.own.keys()].some((name) => /^(weight|bias)_[ih]h_l/.test(name))) return recurrentLayers(reader, kind);
  return reader.fail(
    `expected an nn.LSTM, nn.GRU, nn.RNN, nn.Embedding or nn.Linear, received ${listed('tensors', [...reader.own.keys()])}.`,
  );
}
