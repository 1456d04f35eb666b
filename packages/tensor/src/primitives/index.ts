import type { Primitive } from '../primitive.js';
import { binary, select } from './binary.js';
import { checkedIndices } from './checked-indices.js';
import { type ConvolutionParams, convolution, convolutionInput, convolutionKernel } from './convolution.js';
import { concat, gather, scatterAdd, scatterAlong, segmentMax, sort, split, takeAlong } from './indexing.js';
import { matmul } from './matmul.js';
import { type PoolingParams, windowPick, windowSpread, windowSum, windowUnpick } from './pooling.js';
import { type RandomParams, random } from './random.js';
import { argmax, argmin, cumprod, cumsum, reduce } from './reduce.js';
import {
  logSoftmaxBackward,
  logSoftmaxRows,
  type NormalizeParams,
  normalizeBackward,
  normalizeRows,
  softmaxBackward,
  softmaxRows,
} from './rows.js';
import { cast, stopGradient, unary } from './unary.js';
import { broadcastTo, pad, reshape, slice, transpose } from './view.js';

export type { ConvolutionParams, NormalizeParams, PoolingParams, RandomParams };

/** Every primitive of this package, for conformance tests and tools. */
export function allPrimitives(): readonly Primitive<never>[] {
  const list: unknown[] = [
    ...Object.values(unary),
    cast,
    stopGradient,
    ...Object.values(binary),
    select,
    ...Object.values(reduce),
    argmax,
    argmin,
    cumsum,
    cumprod,
    reshape,
    transpose,
    broadcastTo,
    slice,
    pad,
    concat,
    split,
    sort,
    gather,
    scatterAdd,
    segmentMax,
    takeAlong,
    scatterAlong,
    checkedIndices,
    matmul,
    random,
    softmaxRows,
    softmaxBackward,
    logSoftmaxRows,
    logSoftmaxBackward,
    normalizeRows,
    normalizeBackward,
    convolution,
    convolutionInput,
    convolutionKernel,
    windowPick,
    windowUnpick,
    windowSum,
    windowSpread,
  ];
  return list as readonly Primitive<never>[];
}
