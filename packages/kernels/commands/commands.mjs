/**
 * All commands of a program, their numbers and their words: the only source. The build turns it into structures for the kernels
 * (assembly/generated/commands.ts), tables and types for the compiler (src/generated/commands.ts), and structures for the native engine.
 *
 * A program is a list of commands. Each begins with its number and its length in words (with {@link SERIAL} where one worker does it
 * alone); the words named here follow, then `records`: lists of structures, as many as a word says.
 */
import { f32, filled, flag, i32, optional, pointer, residual, scratch, u32 } from './field.mjs';

/** Set in a command's length: too little work to share; the first worker does it alone. */
export const SERIAL = 1 << 30;

/** What commands hold lists of. */
export const records = {
  chainOperand: {
    doc: 'What a chain reads into a register, or writes from one.',
    fields: {
      register: i32('Which of the registers.'),
      layout: i32('See ChainLayout.'),
      at: pointer('The first element; the key of random numbers.'),
      bytes: i32('Of an element: 4, or 1 for booleans.'),
      s0: i32('Elements from one index to the next along d0; the stream of random numbers.'),
      s1: i32('... along d1.'),
      s2: i32('... along d2.'),
      s3: i32('... along d3.'),
    },
  },
  chainOperation: {
    doc: 'An element-wise operation on registers.',
    fields: {
      code: i32('Its number: F32, I32, Cast or SELECT.'),
      to: i32('The register that it writes.'),
      a: i32('The register of its first argument.'),
      b: i32('... of its second.'),
      c: i32('... of its third.'),
    },
  },
  loopCopy: {
    doc: 'An element that goes into the body of a loop before each step, or out of it after.',
    fields: {
      slot: pointer('Where the body has it.'),
      base: pointer('Where those of all steps lie, one after another.'),
      bytes: u32('Of one element.'),
    },
  },
  loopCarry: {
    doc: 'What a step of a loop hands on to the next.',
    fields: {
      from: pointer('Where the body leaves it.'),
      to: pointer('Where the next step reads it.'),
      bytes: u32('Its size.'),
    },
  },
  checkedSize: {
    doc: 'The size of an axis.',
    fields: { size: i32('The number of elements.') },
  },
};

const reduced = {
  outer: i32('Elements before the reduced axes.'),
  n: i32('Elements of the reduced axes.'),
  inner: i32('Elements after them.'),
  from: pointer('Dense [outer, n, inner].'),
  to: pointer('The results.'),
  dtype: i32('Of the input, see DataType.'),
};

const sequence = {
  kind: i32('See Recurrent: rnnTanh, rnnRelu, lstm or gru.'),
  batch: i32('Sequences.'),
  time: i32('Steps.'),
  features: i32('Inputs of a step.'),
  units: i32('Width of the state.'),
  reverse: flag('From the last step to the first?'),
  x: pointer('[batch, time, features]'),
  kernel: pointer('[features, gates * units], gates in the order of Keras.'),
  recurrent: pointer('[units, gates * units]'),
  bias: optional('[gates * units]; of a GRU [2, 3 * units].'),
  h0: optional('The state before the first step, [batch, units]; zeros where absent.'),
  c0: optional('The second state of an LSTM.'),
  mask: optional('Booleans [batch, time]: which steps count.'),
  zeroOutput: flag('Are outputs of steps that do not count zeros, rather than the state before?'),
};

const recurrence = {
  kind: i32('See Recurrent.'),
  batch: i32('Sequences.'),
  time: i32('Steps.'),
  units: i32('Width of the state.'),
  reverse: flag('From the last step to the first?'),
  x: pointer('Projected inputs [batch, time, gates * units].'),
  recurrent: pointer('[units, gates * units]'),
  bias: optional('[gates * units], of the recurrent product.'),
  drop: optional('Dropout masks of the state, [gates, batch, units].'),
  h0: optional('The state before the first step, [batch, units]; zeros where absent.'),
  c0: optional('The second state of an LSTM.'),
  mask: optional('Booleans [batch, time]: which steps count.'),
  zeroOutput: flag('Are outputs of steps that do not count zeros, rather than the state before?'),
};

const forward = {
  residual: residual('What the backward pass needs; absent where nobody differentiates.'),
  scratch: scratch('Memory for this pass.'),
  ys: optional('All outputs [batch, time, units].'),
  h: optional('The last state [batch, units].'),
  c: optional('The second state of an LSTM.'),
};

const backward = {
  residual: pointer('What the forward pass left.'),
  scratch: scratch('Memory for this pass.'),
  dys: optional('The gradient of all outputs.'),
  dh: optional('The gradient of the last state.'),
  dc: optional('... and of the second one of an LSTM.'),
};

const attention = {
  batch: i32('Samples.'),
  heads: i32('Heads.'),
  queries: i32('Steps of q.'),
  keys: i32('Steps of k and v.'),
  depth: i32('Of a head of q and k.'),
  valueDepth: i32('Of a head of v.'),
  causal: flag('Does a query see the keys up to its own place alone?'),
  scale: f32('Of the scores.'),
  maskSample: i32('Bytes of the mask from one sample to the next; 0 where one is for all.'),
  maskHead: i32('... from one head to the next.'),
  maskQuery: i32('... from one query to the next.'),
  q: pointer('[batch, queries, heads, depth]'),
  k: pointer('[batch, keys, heads, depth]'),
  v: pointer('[batch, keys, heads, valueDepth]'),
  mask: optional('Booleans: which keys may be looked at.'),
  out: pointer('[batch, queries, heads, valueDepth]'),
  sums: pointer("Logarithms of the rows' sums, [batch, heads, queries]."),
};

const convolution = {
  batch: i32('Samples.'),
  time: i32('Steps of x.'),
  channels: i32('Of a step of x.'),
  windows: i32('Steps of y.'),
  filters: i32('Of a step of y.'),
  size: i32('Steps of a window.'),
  stride: i32('Steps of x from one window to the next.'),
  dilation: i32('Steps of x from one step of a window to the next.'),
};

export const commands = {
  chain: {
    number: 1,
    doc: 'Element-wise operations in one pass over `count` elements, walked along d0 ... d3 in row-major order.',
    fields: {
      count: i32('Elements.'),
      inputs: filled('Operands that are read.'),
      outputs: filled('Operands that are written.'),
      operations: filled('Operations.'),
      registers: i32('Registers.'),
      d0: i32('Size of the outermost dimension.'),
      d1: i32('... of the next.'),
      d2: i32('... of the next.'),
      d3: i32('... of the innermost.'),
      slot: filled(
        'The place of its function in the table of the WebAssembly engine; 0: it is interpreted. Other engines ignore it.',
      ),
      row: filled('Elements of a row of that function; 0 for one row that may be cut anywhere.'),
    },
    records: { inputs: 'chainOperand', outputs: 'chainOperand', operations: 'chainOperation' },
  },
  gemm: {
    number: 2,
    doc: 'C = activation(A B + bias), for each of outer * inner pairs of matrices.',
    fields: {
      outer: i32('Matrices along the first of two dimensions, ...'),
      inner: i32('... and along the second.'),
      m: i32('Rows of A and C.'),
      n: i32('Columns of B and C.'),
      k: i32('Columns of A, rows of B.'),
      a: pointer('The first A.'),
      aRow: i32('Bytes from one row of A to the next, ...'),
      aColumn: i32('... and from one column to the next.'),
      b: pointer('The first B.'),
      bRow: i32('Bytes from one row of B to the next, ...'),
      bColumn: i32('... and from one column to the next.'),
      c: pointer('The first C; the others follow.'),
      cRow: i32('Bytes from one row of C to the next; columns are dense.'),
      bias: optional('[n]'),
      activation: i32('See Activation.'),
      aOuter: i32('Bytes from one A to the next, along the first dimension, ...'),
      aInner: i32('... and along the second.'),
      bOuter: i32('Bytes from one B to the next, along the first dimension, ...'),
      bInner: i32('... and along the second.'),
    },
  },
  reduce: {
    number: 3,
    doc: 'Sums, products and the like of a dense [outer, n, inner] to [outer, inner].',
    fields: { kind: i32('See Reduction.'), ...reduced, resultDtype: i32('Of the results, see DataType.') },
  },
  gather: {
    number: 4,
    doc: 'to[o, i, :] = from[o, indices[i], :], four bytes an element. Indices count from the end where they are negative.',
    fields: {
      outer: i32('Rows of slices.'),
      size: i32('Slices that the indices point into.'),
      inner: i32('Elements of a slice.'),
      count: i32('Indices.'),
      from: pointer('[outer, size, inner]'),
      indices: pointer('int32 [count]'),
      to: pointer('[outer, count, inner]'),
    },
  },
  scatterAdd: {
    number: 5,
    doc: 'to[o, indices[i], :] += updates[o, i, :], from zeros, in order of i.',
    fields: {
      outer: i32('Rows of slices.'),
      size: i32('Slices that the indices point into.'),
      inner: i32('Elements of a slice.'),
      count: i32('Indices.'),
      updates: pointer('[outer, count, inner]'),
      indices: pointer('int32 [count]'),
      to: pointer('[outer, size, inner]'),
      integers: flag('int32, rather than float32?'),
    },
  },
  random: {
    number: 6,
    doc: 'Numbers of Philox 4x32-10: raw words, or uniform float32 of 24 bits in [0, 1).',
    fields: {
      count: i32('Elements.'),
      key: pointer('Two int32.'),
      to: pointer('The numbers.'),
      uniform: flag('Uniform float32, rather than words?'),
      stream: u32('Of the key.'),
    },
  },
  argReduce: {
    number: 7,
    doc: 'The index of the first largest (or smallest) along n, or of the first NaN.',
    fields: { largest: flag('The largest, rather than the smallest?'), ...reduced },
  },
  sequenceForward: {
    number: 8,
    doc: 'A whole sequence of SimpleRNN, LSTM or GRU.',
    fields: { ...sequence, ...forward },
  },
  sequenceBackward: {
    number: 9,
    doc: 'The gradients of a whole sequence.',
    fields: {
      ...sequence,
      ...backward,
      dx: optional('The gradient of x; of those that follow likewise.'),
      dKernel: optional('... of the kernel.'),
      dRecurrent: optional('... of the recurrent kernel.'),
      dBias: optional('... of the bias.'),
      dh0: optional('... of the state before the first step.'),
      dc0: optional('... of the second one of an LSTM.'),
    },
  },
  loop: {
    number: 10,
    doc: 'The commands that follow its own words (within its length), `count` times.',
    fields: {
      count: i32('Steps.'),
      reverse: flag('From the last element to the first?'),
      header: filled('Words before the commands, with number, length and records.'),
      ins: filled('Copies before a step.'),
      outs: filled('Copies after a step.'),
      carries: filled('Copies from a step to the next.'),
    },
    records: { ins: 'loopCopy', outs: 'loopCopy', carries: 'loopCarry' },
  },
  cumulate: {
    number: 11,
    doc: 'Running sums or products along n, rounded at every step: float32 in float64, int32 modulo 2^32.',
    fields: {
      product: flag('Products, rather than sums?'),
      exclusive: flag('Without the element itself?'),
      reverse: flag('From the end?'),
      ...reduced,
    },
  },
  attentionForward: {
    number: 12,
    doc: 'softmax(q k^T * scale) v, for each head.',
    fields: attention,
  },
  attentionBackward: {
    number: 13,
    doc: 'The gradients of attention.',
    fields: {
      ...attention,
      gradient: pointer('That of out.'),
      dq: optional('The gradient of q; of those that follow likewise.'),
      dk: optional('... of k.'),
      dv: optional('... of v.'),
    },
  },
  recurrenceForward: {
    number: 14,
    doc: 'The recurrent part of a whole sequence, on projected inputs.',
    fields: { ...recurrence, ...forward },
  },
  recurrenceBackward: {
    number: 15,
    doc: 'The gradients of the recurrent part.',
    fields: {
      ...recurrence,
      ...backward,
      dx: optional('The gradient of the projected inputs; of those that follow likewise.'),
      dRecurrent: optional('... of the recurrent kernel.'),
      dBias: optional('... of the bias.'),
      dh0: optional('... of the state before the first step.'),
      dc0: optional('... of the second one of an LSTM.'),
    },
  },
  rows: {
    number: 16,
    doc: 'Functions of whole rows [count, n], forward and backward.',
    fields: {
      kind: i32('See Rows.'),
      count: i32('Rows.'),
      n: i32('Elements of a row.'),
      x: pointer('The rows; backward, those of the results, but for normalization.'),
      gradient: optional('Backward: that of the results.'),
      out: pointer('The results.'),
      epsilon: f32('Of normalization.'),
    },
  },
  checkIndices: {
    number: 17,
    doc: 'to[i] = the place that from[i] names along an axis of the size of its turn. A value that names none fails.',
    fields: {
      count: i32('Values.'),
      floats: flag('float32, rather than int32?'),
      negative: flag('May they count from the end?'),
      from: pointer('The values.'),
      to: pointer('int32: the places.'),
      sizes: filled('Axes, whose turns follow each other.'),
    },
    records: { sizes: 'checkedSize' },
  },
  convolution: {
    number: 18,
    doc: 'Convolution over time without padding: y.',
    fields: {
      ...convolution,
      x: pointer('[batch, time, channels]'),
      kernel: pointer('[size, channels, filters]'),
      y: pointer('[batch, windows, filters]'),
    },
  },
  convolutionInput: {
    number: 19,
    doc: 'The gradient of convolution for x.',
    fields: {
      ...convolution,
      gradient: pointer('That of y.'),
      kernel: pointer('[size, channels, filters]'),
      dx: pointer('[batch, time, channels]'),
    },
  },
  convolutionKernel: {
    number: 20,
    doc: 'The gradient of convolution for the kernel.',
    fields: {
      ...convolution,
      x: pointer('[batch, time, channels]'),
      gradient: pointer('That of y.'),
      dKernel: pointer('[size, channels, filters]'),
    },
  },
  pooling: {
    number: 21,
    doc: 'Windows over time: what stands where the largest is, sums, and the way back of both.',
    fields: {
      kind: i32('See Pooling.'),
      batch: i32('Samples.'),
      time: i32('Steps.'),
      channels: i32('Of a step.'),
      windows: i32('Windows.'),
      size: i32('Steps of a window.'),
      stride: i32('Steps from one window to the next.'),
      before: i32('Steps of the first window that lie before the sequence.'),
      compared: pointer('[batch, time, channels]: what the largest is found in.'),
      from: pointer('What is read: steps, or one value a window on the way back.'),
      to: pointer('What is written.'),
    },
  },
};
