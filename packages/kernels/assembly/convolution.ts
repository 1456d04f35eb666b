/**
 * Convolution over time, [batch, time, channels] with a kernel [size, channels, filters], and its two gradients, as products of matrices
 * that are never laid out: the windows of a sequence are rows that overlap, a stride of channels apart. Padding has been added before.
 */
import { gemm } from "./gemm";

let B: i32, T: i32, C: i32, N: i32, F: i32, K: i32, stride: i32, dilation: i32;
let first: i32, last: i32, start: i32, end: i32;

function setup(command: usize): void {
  B = load<i32>(command, 8);
  T = load<i32>(command, 12);
  C = load<i32>(command, 16);
  N = load<i32>(command, 20);
  F = load<i32>(command, 24);
  K = load<i32>(command, 28);
  stride = load<i32>(command, 32);
  dilation = load<i32>(command, 36);
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

/** [batch, time, channels, windows, filters, size, stride, dilation, x, kernel, y] */
export function convolution(command: usize, worker: i32, workers: i32, scratch: usize): void {
  setup(command);
  const x = <usize>load<u32>(command, 40), w = <usize>load<u32>(command, 44), y = <usize>load<u32>(command, 48);
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

/** ... then [gradient of y, kernel, gradient of x]. */
export function convolutionInput(command: usize, worker: i32, workers: i32, scratch: usize): void {
  setup(command);
  const g = <usize>load<u32>(command, 40), w = <usize>load<u32>(command, 44), dx = <usize>load<u32>(command, 48);
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

/** ... then [x, gradient of y, gradient of the kernel]. */
export function convolutionKernel(command: usize, worker: i32, workers: i32, scratch: usize): void {
  setup(command);
  const x = <usize>load<u32>(command, 40), g = <usize>load<u32>(command, 44), dw = <usize>load<u32>(command, 48);
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
