/** The numbers that words of commands stand for, and the words through which workers meet: the only source of both. */

export const enumerations = {
  DataType: { doc: 'Element types.', values: { float32: 0, int32: 1, bool: 2 } },
  Reduction: { doc: 'Kinds of reductions.', values: { sum: 0, prod: 1, max: 2, min: 3, any: 4, all: 5 } },
  Rows: {
    doc: 'Functions of rows.',
    values: {
      ...{ softmax: 0, logSoftmax: 1, normalize: 2 },
      ...{ softmaxBackward: 3, logSoftmaxBackward: 4, normalizeBackward: 5 },
    },
  },
  Pooling: {
    doc: 'What is done with windows: along them, or on the way back.',
    values: { pick: 0, unpick: 1, sum: 2, spread: 3 },
  },
  Activation: { doc: 'What a matrix product applies as it writes.', values: { none: 0, relu: 1, tanh: 2, sigmoid: 3 } },
  Recurrent: {
    doc: 'Cells that have kernels; gruBefore resets before its product, and takes projected inputs alone.',
    values: { rnnTanh: 0, rnnRelu: 1, lstm: 2, gru: 3, gruBefore: 4 },
  },
  ChainLayout: {
    doc: 'How an operand of a chain lies: dense (whole vectors may be read and written past the last element); one element for all; strided; an output that is written when its block is done, to the last element and no further; uniform numbers that are drawn.',
    values: { dense: 0, scalar: 1, strided: 2, staged: 3, random: 4 },
  },
  ErrorKind: {
    doc: 'What a kernel does not take: an int32, or a float32, whose bits it leaves.',
    values: { integer: 1, float: 2 },
  },
};

/** Words of the block through which workers meet and report errors. */
export const control = {
  arrived: { at: 0, doc: 'Workers that wait at the barrier.' },
  generation: { at: 1, doc: 'Barriers that are behind.' },
  aborted: { at: 2, doc: 'Non-zero when a worker failed: nobody waits any longer.' },
  stopped: { at: 3, doc: 'The error as of the last barrier: the same for all workers, whoever reads it when.' },
  errorKind: { at: 4, doc: 'See ErrorKind; 0 without an error.' },
  errorValue: { at: 5, doc: 'The value that a kernel does not take.' },
  errorCommand: { at: 6, doc: 'The address of the command that met it.' },
};
