import type { Tensor } from '@recurra/tensor';
import { type Dim, masked, type Value } from '../graph.js';
import type { LayerCall } from '../layer-call.js';
import type { Lower } from './simple.js';
import { padTime } from './simple.js';

/** Windows as a configuration gives them. */
interface Windows {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: string;
}

const channelsFirst = (call: LayerCall): boolean =>
  call.text('data_format', ['channels_last', 'channels_first'], 'channels_last') === 'channels_first';

/** The input as ONNX wants it, [batch, channels, time]. */
function toChannelsFirst(call: LayerCall): Value {
  const x = call.floating;
  call.rank(x, 3, '[batch, time, channels]');
  return channelsFirst(call) ? x : call.g.transpose(x, [0, 2, 1]);
}

/** The result in the layer's own order. */
const back = (call: LayerCall, y: Value): Value => (channelsFirst(call) ? y : call.g.transpose(y, [0, 2, 1]));

/** The number of windows, where the number of steps is known. */
function windowCount(time: Dim, { size, stride, dilation, padding }: Windows): Dim {
  if (time === null) return null;
  if (padding !== 'valid') return Math.ceil(time / stride);
  return Math.max(0, Math.floor((time - (size - 1) * dilation - 1) / stride) + 1);
}

/** How much lies before and after the steps. */
function pads(call: LayerCall, time: Dim, { size, stride, dilation, padding }: Windows): readonly [number, number] {
  const span = (size - 1) * dilation + 1;
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [span - 1, 0];
  if (stride === 1) return [Math.floor((span - 1) / 2), Math.ceil((span - 1) / 2)];
  if (time === null)
    call.fail(
      "expected a known number of steps for padding 'same' with strides. Give the size to Input, or use 'valid'.",
    );
  const total = Math.max(0, (Math.ceil(time / stride) - 1) * stride + span - time);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

function convolve(
  call: LayerCall,
  x: Value,
  weight: Value,
  bias: Value | null,
  windows: Windows,
  groups: number,
): Value {
  const { g } = call;
  const time = x.shape[2] ?? null;
  const [before, after] = pads(call, time, windows);
  return g.node(
    'Conv',
    [x, weight, bias],
    { shape: [x.shape[0]!, weight.shape[0]!, windowCount(time, windows)] },
    {
      kernel_shape: { ints: [windows.size] },
      strides: { ints: [windows.stride] },
      dilations: { ints: [windows.dilation] },
      pads: { ints: [before, after] },
      group: { int: groups },
    },
  );
}

const windowsOf = (call: LayerCall, paddings = ['valid', 'same', 'causal']): Windows => ({
  size: call.count('kernel_size'),
  stride: call.count('strides', 1),
  dilation: call.count('dilation_rate', 1),
  padding: call.text('padding', paddings, 'valid'),
});

const bias = (call: LayerCall, index: number): Value | null =>
  call.flag('use_bias', true) ? call.weight(index, 'bias', 1) : null;

export const conv1d: Lower = (call: LayerCall) => {
  // [size, channels / groups, filters] -> [filters, channels / groups, size]
  const kernel = call.weight(0, 'kernel', 3, (k) => k.transpose([2, 1, 0]));
  const y = convolve(call, toChannelsFirst(call), kernel, bias(call, 1), windowsOf(call), call.count('groups', 1));
  return masked(call.activation(back(call, y)), null);
};

/** [size, channels, multiplier] -> [channels * multiplier, 1, size] */
const depthwise = (k: Tensor): Tensor => {
  const [size, channels, multiplier] = k.shape as readonly [number, number, number];
  return k.transpose([1, 2, 0]).reshape([channels * multiplier, 1, size]);
};

export const depthwiseConv1d: Lower = (call: LayerCall) => {
  const x = toChannelsFirst(call);
  const kernel = call.weight(0, 'kernel', 3, depthwise);
  const y = convolve(call, x, kernel, bias(call, 1), windowsOf(call, ['valid', 'same']), call.known(x, 1));
  return masked(call.activation(back(call, y)), null);
};

export const separableConv1d: Lower = (call: LayerCall) => {
  const x = toChannelsFirst(call);
  const first = call.weight(0, 'depthwise_kernel', 3, depthwise);
  const second = call.weight(1, 'pointwise_kernel', 3, (k) => k.transpose([2, 1, 0]));
  const windows = windowsOf(call, ['valid', 'same']);
  const inner = convolve(call, x, first, null, windows, call.known(x, 1));
  const y = convolve(call, inner, second, bias(call, 2), { size: 1, stride: 1, dilation: 1, padding: 'valid' }, 1);
  return masked(call.activation(back(call, y)), null);
};

export const conv1dTranspose: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = toChannelsFirst(call);
  // [size, filters, channels] -> [channels, filters, size]
  const kernel = call.weight(0, 'kernel', 3, (k) => k.transpose([2, 1, 0]));
  const { size, stride, dilation, padding } = windowsOf(call, ['valid', 'same']);
  const given = call.get('output_padding') ?? null;
  const extra = given === null ? null : call.count('output_padding', undefined, 0);
  const span = (size - 1) * dilation + 1;
  const time = x.shape[2] ?? null;
  // The whole reach is (time - 1) * stride + span; what is cut in front, and what is left at the end.
  let cut = 0;
  let longer: number;
  if (padding === 'valid') longer = extra ?? Math.max(span, stride) - span;
  else {
    const room = extra === null ? stride + span - 2 : span + (span % 2) - 2 + extra;
    cut = span - 1 - Math.min(Math.ceil(room / 2), span - 1);
    longer = room - 2 * (span - 1);
  }
  // Behind the cut: out = reach + longer, so that the end loses what the front has not, or gets zeros.
  const end = -(longer + cut);
  const reach = time === null ? null : (time - 1) * stride + span;
  let y = g.node(
    'ConvTranspose',
    [x, kernel],
    { shape: [x.shape[0]!, kernel.shape[1]!, reach] },
    {
      kernel_shape: { ints: [size] },
      strides: { ints: [stride] },
      dilations: { ints: [dilation] },
      pads: { ints: [0, 0] },
    },
  );
  if (cut > 0 || end > 0) y = g.slice(y, 2, cut, end > 0 ? -end : null);
  if (end < 0) y = padTime(call, y, 2, 0, -end, 0);
  const offset = bias(call, 1);
  y = back(call, y);
  if (offset) y = g.add(y, channelsFirst(call) ? g.unsqueeze(offset, [1]) : offset);
  return masked(call.activation(y), null);
};

const pool =
  (op: 'MaxPool' | 'AveragePool'): Lower =>
  (call: LayerCall) => {
    const x = toChannelsFirst(call);
    const size = call.count('pool_size', 2);
    const windows: Windows = {
      size,
      stride: call.count('strides', size),
      dilation: 1,
      padding: call.text('padding', ['valid', 'same'], 'valid'),
    };
    const time = x.shape[2] ?? null;
    const [before, after] = pads(call, time, windows);
    const y = call.g.node(
      op,
      [x],
      { shape: [x.shape[0]!, x.shape[1]!, windowCount(time, windows)] },
      {
        kernel_shape: { ints: [size] },
        strides: { ints: [windows.stride] },
        pads: { ints: [before, after] },
      },
    );
    return masked(back(call, y), null);
  };

export const maxPooling: Lower = pool('MaxPool');
export const averagePooling: Lower = pool('AveragePool');

export const globalMaxPooling: Lower = (call: LayerCall) => {
  const x = call.floating;
  call.rank(x, 3, '[batch, time, channels]');
  return masked(call.g.reduce('ReduceMax', x, [channelsFirst(call) ? 2 : 1], call.flag('keepdims', false)), null);
};

export const globalAveragePooling: Lower = (call: LayerCall) => {
  const { g } = call;
  const x = call.floating;
  call.rank(x, 3, '[batch, time, channels]');
  const time = channelsFirst(call) ? 2 : 1;
  const keep = call.flag('keepdims', false);
  const { mask } = call.x;
  if (!mask) return masked(g.reduce('ReduceMean', x, [time], keep), null);
  const counts = g.unsqueeze(mask, [3 - time]);
  const total = g.sum(g.where(counts, x, g.number(0)), [time], keep);
  return masked(g.div(total, g.sum(g.cast(counts, 'float32'), [time], keep)), null);
};
