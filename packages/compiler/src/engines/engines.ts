import { PROTOCOL } from '@recurra/kernels';
import { RecurraError, ValueError } from '@recurra/tensor';
import { idle } from '../turns.js';
import type { Engine, EngineName } from './engine.js';
import { type Absence, environmentVariable, loadNative, NATIVE_PACKAGE } from './load.js';
import { NativeEngine } from './native.js';
import { WasmEngine } from './wasm/engine.js';

/** An engine that was asked for cannot be had. */
export class EngineError extends RecurraError {}

/** What {@link setEngine} takes. */
export type EngineChoice = 'auto' | EngineName;

/** The engine that steps run on, and why. */
export interface EngineInfo {
  readonly name: EngineName;
  readonly reason: string;
}

const CHOICES: readonly EngineChoice[] = ['auto', 'wasm', 'native'];
const VARIABLE = 'RECURRA_ENGINE';

let wasm: WasmEngine | null = null;
let native: NativeEngine | null = null;
/** The one in use, with the reason; `null` until one is needed. */
let current: { readonly engine: Engine; readonly reason: string } | null = null;

/** Makes an engine. What the environment lacks for its memory, which is one of WebAssembly, is told as `EngineError`. */
function made<E extends Engine>(make: () => E): E {
  try {
    return make();
  } catch (error) {
    throw new EngineError((error as Error).message);
  }
}

/** The engine that runs everywhere, made when it is first needed. Throws `EngineError` where there is no WebAssembly. */
export function wasmEngine(): WasmEngine {
  wasm ??= made(() => new WasmEngine());
  return wasm;
}

/** The native engine, or why there is none. */
function nativeEngine(): NativeEngine | Absence {
  if (native) return native;
  const found = loadNative();
  if (!('module' in found)) return found;
  const { protocol } = found.module;
  if (protocol !== PROTOCOL)
    return {
      reason: `${NATIVE_PACKAGE} is of another version: it knows commands ${protocol}, this one ${PROTOCOL}`,
      remedy: `Install recurra and ${NATIVE_PACKAGE} of the same version`,
    };
  native = made(() => new NativeEngine(found.module));
  return native;
}

/** The engines that can be had here. */
export function availableEngines(): readonly EngineName[] {
  return nativeEngine() instanceof NativeEngine ? ['wasm', 'native'] : ['wasm'];
}

/** The engine of a choice. `by`: who made it. */
function choose(choice: EngineChoice, by: string): { readonly engine: Engine; readonly reason: string } {
  if (choice === 'wasm') return { engine: wasmEngine(), reason: by };
  const found = nativeEngine();
  if (found instanceof NativeEngine) {
    if (choice === 'auto' && found.slower) return { engine: wasmEngine(), reason: `${by}: ${found.slower}` };
    return { engine: found, reason: `${by}: ${found.description}` };
  }
  const { reason, remedy } = found;
  if (choice === 'auto') return { engine: wasmEngine(), reason: `${by}: ${reason}` };
  throw new EngineError(
    `${by}: expected the native engine, but ${reason}. ${remedy === '' ? 'Choose' : `${remedy}, or choose`} 'auto' or 'wasm'.`,
  );
}

function expectChoice(label: string, choice: unknown): asserts choice is EngineChoice {
  if (!CHOICES.includes(choice as EngineChoice))
    throw new ValueError(
      `${label}: expected ${CHOICES.map((c) => `'${c}'`).join(', ')}, received ${typeof choice === 'string' ? `'${choice}'` : String(choice)}`,
    );
}

/** What the environment says, until a program says otherwise. */
function fromEnvironment(): { readonly engine: Engine; readonly reason: string } {
  const choice = environmentVariable(VARIABLE);
  if (!choice) return choose('auto', 'auto');
  expectChoice(VARIABLE, choice);
  return choose(choice, `${VARIABLE}=${choice}`);
}

/** @internal The engine that steps run on from now on. */
export function currentEngine(): Engine {
  current ??= fromEnvironment();
  return current.engine;
}

/**
 * The engine that compiled steps run on, and why: 'wasm' (WebAssembly, everywhere), or 'native' (the package `@recurra/native`). Throws what the
 * variable `RECURRA_ENGINE` of the environment says wrong.
 */
export function engine(): EngineInfo {
  const { name } = currentEngine();
  return { name, reason: current!.reason };
}

/**
 * Chooses the engine that compiled steps run on: 'wasm', 'native', or 'auto' (the default: native where `@recurra/native` is installed, loads
 * and is the quicker one: on x64 that takes AVX2). Before
 * the first step the variable `RECURRA_ENGINE` of the environment does the same. Steps in progress finish first; variables keep their values, and steps are
 * prepared again as they are called. Resolves to {@link engine}.
 *
 * Throws `ValueError` for another name, `EngineError` where 'native' cannot be had, or no engine, as there is no WebAssembly; the engine then stays as it was.
 */
export async function setEngine(choice: EngineChoice): Promise<EngineInfo> {
  expectChoice('setEngine', choice);
  const next = choose(choice, choice === 'auto' ? 'auto' : `setEngine('${choice}')`);
  await idle();
  const before = current;
  current = next;
  if (before && before.engine !== next.engine) await before.engine.endThreads();
  return engine();
}
