/**
 * Convolution over time, [batch, time, channels] with a kernel [size, channels, filters], and its two gradients, as products of matrices
 * that are never laid out: the windows of a sequence are rows that overlap, a stride of channels apart. Padding has been added before.
 */
import { ConvolutionCommand, ConvolutionInputCommand, ConvolutionKernelCommand } from "./generated/commands";
import { gemm } from "./gemm";

let B: i32, T: i32, C: i32, N: i32, F: i32, K: i32, stride: i32, dilation: i32;
let first: i32, last: i32, start: i32, end: i32;

function setup(command: usize): void {
  const args = changetype<ConvolutionCommand>(command);
  B = args.batch;
  T = args.time;
  C = args.channels;
  N = args.windows;
  F = args.filters;
  K = args.size;
  stride = args.stride;
  dilation = args.dilation;
}

// @ts-ignore: decorator
@inline
function f(n: i32): usize {
  return <usize>n << 2;
}

/** A worker's share: of the samples, or of a line of `size` in each of them, in whole tiles; never of what is summed. */
function share(size: i32, tile: i32, worker: i32, workers: i32): void {
  first = 0;
  last = B;
  start = 0;
  end = size;
  if (B >= workers) {
    first = <i32>((<i64>B * worker) / workers);
    last = <i32>((<i64>B * (worker + 1)) / workers);
  } else line(size, tile, worker, workers);
}

function line(size: i32, tile: i32, worker: i32, workers: i32): void {
  const tiles = (size + tile - 1) / tile;
  start = min(size, <i32>((<i64>tiles * worker) / workers) * tile);
  end = min(size, <i32>((<i64>tiles * (worker + 1)) / workers) * tile);
}

export function convolution(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<ConvolutionCommand>(command);
  setup(command);
  const x = args.x, w = args.kernel, y = args.y;
  share(N, 2, worker, workers);
  if (start >= end) return;
  // The elements of a window lie side by side unless it is dilated: then each of its steps is a product.
  const parts = dilation == 1 ? 1 : K;
  const depth = dilation == 1 ? K * C : C;
  for (let b = first; b < last; b++)
    for (let j = 0; j < parts; j++)
      gemm(
        end - start, F, depth,
        x + f((b * T + start * stride + j * dilation) * C), f(stride * C), 4,
        w + f(j * C * F), f(F), 4,
        y + f((b * N + start) * F), f(F), 0, 0, scratch, j > 0,
      );
}

/** The gradient for x. */
export function convolutionInput(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<ConvolutionInputCommand>(command);
  setup(command);
  const g = args.gradient, w = args.kernel, dx = args.dx;
  share(C, 16, worker, workers);
  if (start >= end) return;
  for (let b = first; b < last; b++) {
    if (end - start == C) memory.fill(dx + f(b * T * C), 0, f(T * C));
    else for (let t = 0; t < T; t++) memory.fill(dx + f((b * T + t) * C + start), 0, f(end - start));
    if (N == 0) continue;
    for (let j = 0; j < K; j++)
      gemm(
        N, end - start, F,
        g + f(b * N * F), f(F), 4,
        w + f((j * C + start) * F), 4, f(F),
        dx + f((b * T + j * dilation) * C + start), f(stride * C), 0, 0, scratch, true,
      );
  }
}

/** The gradient for the kernel. */
export function convolutionKernel(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<ConvolutionKernelCommand>(command);
  setup(command);
  const x = args.x, g = args.gradient, dw = args.dKernel;
  const parts = dilation == 1 ? 1 : K;
  const rows = dilation == 1 ? K * C : C;
  line(rows, 2, worker, workers);
  if (start >= end) return;
  for (let j = 0; j < parts; j++) {
    const to = dw + f((j * rows + start) * F);
    if (B == 0 || N == 0) memory.fill(to, 0, f((end - start) * F));
    else
      for (let b = 0; b < B; b++)
        gemm(
          end - start, F, N,
          x + f((b * T + j * dilation) * C + start), 4, f(stride * C),
          g + f(b * N * F), f(F), 4,
          to, f(F), 0, 0, scratch, b > 0,
        );
  }
}
