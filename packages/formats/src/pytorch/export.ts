import { type Tensor, ValueError } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';
import { GATES, type RecurrentKind, toPytorch } from './gates.js';
import { type Counterpart, layersByModule, type PytorchModules, valuesOf, type WeightedModel } from './layers.js';

const isRecurrent = (kind: string): kind is RecurrentKind => Object.hasOwn(GATES, kind);

/** Adds the tensors of one recurrent module. */
function addRecurrent(
  label: string,
  module: string,
  stack: readonly Counterpart[],
  add: (name: string, value: Tensor) => void,
): void {
  const first = stack[0]!;
  let features: number | null = null;
  const units = valuesOf(first)[0]!.get('recurrent_kernel')!.shape[0]!;
  stack.forEach((counterpart, k) => {
    const { layer, kind, bidirectional, useBias } = counterpart;
    const at = `${label}: module "${module}": layer "${layer.name}"`;
    if (kind !== first.kind || bidirectional !== first.bidirectional || useBias !== first.useBias)
      throw new ValueError(
        `${at}: expected a stack of one class, with one or two directions and bias or none alike, received "${first.layer.name}" and another kind`,
      );
    valuesOf(counterpart).forEach((values, direction) => {
      const kernel = values.get('kernel')!;
      const recurrentKernel = values.get('recurrent_kernel')!;
      const wanted = [features ?? kernel.shape[0]!, units];
      const received = [kernel.shape[0]!, recurrentKernel.shape[0]!];
      if (received.join() !== wanted.join())
        throw new ValueError(
          `${at}: expected [inputs, units] ${formatShape(wanted)}, since the layers of a stack are alike and read the outputs of those before, received ${formatShape(received)}`,
        );
      const tensors = toPytorch(kind as RecurrentKind, { kernel, recurrentKernel, bias: values.get('bias') ?? null });
      const end = `l${k}${direction === 1 ? '_reverse' : ''}`;
      add(`weight_ih_${end}`, tensors.weightIh);
      add(`weight_hh_${end}`, tensors.weightHh);
      if (tensors.biasIh) add(`bias_ih_${end}`, tensors.biasIh);
      if (tensors.biasHh) add(`bias_hh_${end}`, tensors.biasHh);
    });
    features = units * (bidirectional ? 2 : 1);
  });
}

/**
 * The weights of a model as a state dict of PyTorch, the way back of {@link loadPytorchWeights}; `writeSafetensors` makes a file of it, and
 * `module.load_state_dict(safetensors.torch.load_file(path))` loads that. The one bias of an LSTM or SimpleRNN becomes `bias_ih`, `bias_hh` is zeros. Activations of a Dense are
 * modules of their own in PyTorch, and a SimpleRNN's is the `nonlinearity` of `nn.RNN`: neither is in a state dict. Throws `ValueError` for layers that PyTorch has not: other
 * activations in recurrent layers, a GRU without `resetAfter`, stacks of unequal layers.
 */
export function pytorchStateDict(model: WeightedModel, modules: PytorchModules): ReadonlyMap<string, Tensor> {
  const label = 'pytorchStateDict';
  const state = new Map<string, Tensor>();
  for (const [module, stack] of layersByModule(label, model, modules)) {
    const add = (name: string, value: Tensor): void => {
      state.set(module === '' ? name : `${module}.${name}`, value);
    };
    const [first] = stack;
    if (isRecurrent(first!.kind)) {
      addRecurrent(label, module, stack, add);
      continue;
    }
    if (stack.length > 1)
      throw new ValueError(
        `${label}: module "${module}": expected one layer for an nn.${first!.kind}, received ${stack.length}`,
      );
    const [values] = valuesOf(first!);
    add('weight', first!.kind === 'Embedding' ? values!.get('embeddings')! : values!.get('kernel')!.transpose());
    const bias = values!.get('bias');
    if (bias) add('bias', bias);
  }
  return state;
}
