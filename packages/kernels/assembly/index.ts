/** The module's surface: programs are lists of commands in memory, and every worker runs the same program. */
import { attentionBackward, attentionForward } from "./attention";
import { convolution, convolutionInput, convolutionKernel } from "./convolution";
import { chain } from "./elementwise";
import { gemm } from "./gemm";
import { checkIndices, gather, scatterAdd } from "./indexing";
import * as op from "./generated/commands";
import { Command, GemmCommand, LoopCarry, LoopCommand, LoopCopy, SERIAL } from "./generated/commands";
import { pooling } from "./pooling";
import { philox, random, uniform } from "./random";
import { recurrenceBackward, recurrenceForward } from "./recurrence";
import { argReduce, cumulate, reduce } from "./reduce";
import { rows } from "./rows";
import { sequenceBackward, sequenceForward } from "./sequence";
import { barrier, enter, failed, stopped } from "./sync";
import { writeConstants } from "./vector";

export * from "./generated/functions";

export { recurrenceBackwardScratch, recurrenceForwardScratch, recurrenceResidual } from "./recurrence";
export { backwardScratch, forwardScratch, residualSize } from "./sequence";

/** Elements i .. i + 3 of the uniform numbers of a key. */
export function draw(i: i32, stream: u32, key: usize): v128 {
  return uniform(philox(<u32>i >> 2, stream, load<u32>(key), load<u32>(key, 4)));
}

/** Writes the constants; called once for a memory. */
export function initialize(): void {
  writeConstants();
}

function product(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<GemmCommand>(command);
  const b0 = args.outer, b1 = args.inner;
  const m = args.m, n = args.n, k = args.k;
  const a = args.a, aRow = args.aRow, aColumn = args.aColumn;
  const b = args.b, bRow = args.bRow, bColumn = args.bColumn;
  const c = args.c, ldc = args.cRow;
  const bias = args.bias, activation = args.activation;
  const a0 = args.aOuter, a1 = args.aInner;
  const s0 = args.bOuter, s1 = args.bInner;
  const batches = b0 * b1;
  const size = <usize>m * ldc;
  // Shares are of whole matrices, or of rows or columns of the one matrix: never of the summed dimension.
  const first = batches > 1 ? <i32>((<i64>batches * worker) / workers) : 0;
  const last = batches > 1 ? <i32>((<i64>batches * (worker + 1)) / workers) : batches;
  for (let i = first; i < last; i++) {
    const p = a + (i / b1) * a0 + (i % b1) * a1;
    const q = b + (i / b1) * s0 + (i % b1) * s1;
    const to = c + <usize>i * size;
    if (batches > 1 || workers == 1) {
      gemm(m, n, k, p, aRow, aColumn, q, bRow, bColumn, to, ldc, bias, activation, scratch);
    } else if (m >= n) {
      const pairs = (m + 1) >> 1;
      const r0 = min(m, <i32>((<i64>pairs * worker) / workers) * 2);
      const r1 = min(m, <i32>((<i64>pairs * (worker + 1)) / workers) * 2);
      if (r1 > r0) gemm(r1 - r0, n, k, p + r0 * aRow, aRow, aColumn, q, bRow, bColumn, to + r0 * ldc, ldc, bias, activation, scratch);
    } else {
      const panels = (n + 15) >> 4;
      const j0 = min(n, <i32>((<i64>panels * worker) / workers) * 16);
      const j1 = min(n, <i32>((<i64>panels * (worker + 1)) / workers) * 16);
      if (j1 > j0)
        gemm(m, j1 - j0, k, p, aRow, aColumn, q + j0 * bColumn, bRow, bColumn, to + (<usize>j0 << 2), ldc, bias ? bias + (<usize>j0 << 2) : 0, activation, scratch);
    }
  }
}

/** Copies `bytes`, which may be more than 2 GiB, in shares of the workers. */
// @ts-ignore: decorator
@inline
function copyShare(to: usize, from: usize, bytes: u32, worker: i32, workers: i32): void {
  const words = bytes >> 2;
  const first = <usize><i32>((<i64>words * worker) / workers) << 2;
  const last = worker == workers - 1 ? <usize>bytes : <usize><i32>((<i64>words * (worker + 1)) / workers) << 2;
  memory.copy(to + first, from + first, last - first);
}

/** Commands that run again and again, with copies of elements and of what a step hands on. */
function loop(
  command: usize, words: i32, worker: i32, workers: i32, control: usize, scratch: usize, scratchBytes: usize,
): void {
  const args = changetype<LoopCommand>(command);
  const count = args.count;
  const reverse = args.reverse != 0;
  const body = command + (<usize>args.header << 2);
  const ins = args.ins;
  const outs = args.outs;
  const carries = args.carries;
  const end = command + (<usize>words << 2);
  for (let i = 0; i < count; i++) {
    const at = <usize>(reverse ? count - 1 - i : i);
    let p = command + offsetof<LoopCommand>();
    for (let k = 0; k < ins; k++, p += offsetof<LoopCopy>()) {
      const copy = changetype<LoopCopy>(p);
      const bytes = copy.bytes;
      copyShare(copy.slot, copy.base + at * bytes, bytes, worker, workers);
    }
    if (workers > 1) barrier();
    execute(body, end, worker, workers, control, scratch, scratchBytes);
    if (workers > 1) {
      enter(control, workers);
      barrier();
    }
    for (let k = 0; k < outs; k++, p += offsetof<LoopCopy>()) {
      const copy = changetype<LoopCopy>(p);
      const bytes = copy.bytes;
      copyShare(copy.base + at * bytes, copy.slot, bytes, worker, workers);
    }
    if (workers > 1) barrier();
    for (let k = 0; k < carries; k++, p += offsetof<LoopCarry>()) {
      const carry = changetype<LoopCarry>(p);
      copyShare(carry.to, carry.from, carry.bytes, worker, workers);
    }
    if (workers > 1) {
      barrier();
      if (stopped()) return;
    } else if (failed()) return;
  }
}

function execute(program: usize, end: usize, worker: i32, workers: i32, control: usize, scratch: usize, scratchBytes: usize): void {
  let serial = true;
  while (program < end) {
    const length = changetype<Command>(program).length;
    const alone = (length & SERIAL) != 0;
    // Between two commands of the first worker alone, nobody need wait.
    if (!(serial && alone)) {
      enter(control, workers);
      barrier();
      // After an error the rest is left out, so that nothing is updated from what is missing.
      if (stopped()) break;
    }
    serial = alone;
    const w = alone ? 0 : worker;
    const team = alone ? 1 : workers;
    if (!alone || (worker == 0 && !failed())) {
      enter(control, team);
      switch (changetype<Command>(program).number) {
        case op.COMMAND_CHAIN: chain(program, w, team, scratch); break;
        case op.COMMAND_GEMM: product(program, w, team, scratch); break;
        case op.COMMAND_REDUCE: reduce(program, w, team, scratch); break;
        case op.COMMAND_GATHER: gather(program, w, team); break;
        case op.COMMAND_SCATTER_ADD: scatterAdd(program, w, team); break;
        case op.COMMAND_RANDOM: random(program, w, team); break;
        case op.COMMAND_ARG_REDUCE: argReduce(program, w, team); break;
        case op.COMMAND_CUMULATE: cumulate(program, w, team); break;
        case op.COMMAND_SEQUENCE_FORWARD: sequenceForward(program, w, team); break;
        case op.COMMAND_SEQUENCE_BACKWARD: sequenceBackward(program, w, team, scratch, scratchBytes); break;
        case op.COMMAND_ATTENTION_FORWARD: attentionForward(program, w, team, scratch); break;
        case op.COMMAND_ATTENTION_BACKWARD: attentionBackward(program, w, team, scratch); break;
        case op.COMMAND_RECURRENCE_FORWARD: recurrenceForward(program, w, team); break;
        case op.COMMAND_RECURRENCE_BACKWARD: recurrenceBackward(program, w, team, scratch, scratchBytes); break;
        case op.COMMAND_ROWS: rows(program, w, team); break;
        case op.COMMAND_CHECK_INDICES: checkIndices(program, w, team); break;
        case op.COMMAND_CONVOLUTION: convolution(program, w, team, scratch); break;
        case op.COMMAND_CONVOLUTION_INPUT: convolutionInput(program, w, team, scratch); break;
        case op.COMMAND_CONVOLUTION_KERNEL: convolutionKernel(program, w, team, scratch); break;
        case op.COMMAND_POOLING: pooling(program, w, team); break;
        case op.COMMAND_LOOP: loop(program, length & ~SERIAL, w, team, control, scratch, scratchBytes); break;
        default: unreachable();
      }
    }
    program += <usize>(length & ~SERIAL) << 2;
  }
}

/**
 * Runs the commands from `program` to `end` as one of `workers`; they meet between commands that are shared. `control`: the
 * block of the barrier and of errors; `scratch`: this worker's own memory.
 */
export function run(program: usize, end: usize, worker: i32, workers: i32, control: usize, scratch: usize, scratchBytes: usize): void {
  execute(program, end, worker, workers, control, scratch, scratchBytes);
  enter(control, workers);
  barrier();
}
