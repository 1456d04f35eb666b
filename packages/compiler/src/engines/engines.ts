import type { Engine } from './engine.js';
import { WasmEngine } from './wasm/engine.js';

let wasm: WasmEngine | null = null;

/** The engine that runs everywhere, made when it is first needed. */
export function wasmEngine(): WasmEngine {
  wasm ??= new WasmEngine();
  return wasm;
}

/** The engine that steps run on. */
export function currentEngine(): Engine {
  return wasmEngine();
}
