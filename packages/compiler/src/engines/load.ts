import type { NativeModule } from './native.js';

/** The package that brings the native engine. */
export const NATIVE_PACKAGE = '@recurra/native';

/** Why there is no native engine, and what helps (nothing: empty). */
export interface Absence {
  readonly reason: string;
  readonly remedy: string;
}

interface NodeProcess {
  readonly argv?: readonly string[];
  cwd?(): string;
  getBuiltinModule?(id: string): unknown;
}

/** How a module is found from a file. */
type Require = (id: string) => unknown;

/** What Deno may be asked for. */
type Right =
  | { readonly name: 'env'; readonly variable: string }
  | { readonly name: 'read' | 'ffi'; readonly path: string };

/** Does Deno let us, without asking its user? Others do. */
function isAllowed(right: Right): boolean {
  const { Deno } = globalThis as { Deno?: { permissions?: { querySync(right: Right): { readonly state: string } } } };
  return !Deno?.permissions || Deno.permissions.querySync(right).state === 'granted';
}

/** A variable of the environment, where there is one that may be read. */
export function environmentVariable(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
  return process?.env && isAllowed({ name: 'env', variable: name }) ? process.env[name] : undefined;
}

/**
 * Files from which the package is looked for: the program, where it leads if it is a link (installed commands are), and the working directory. What comes
 * from a pipe or an option (`node - x`, `node -e ... x`) has no file, and another argument in its place: that is taken for a file of the working directory.
 */
function bases({ argv, cwd, getBuiltinModule }: NodeProcess): string[] {
  const found: string[] = [];
  const add = (base: () => string): void => {
    try {
      found.push(base());
    } catch {
      // A program that is no link, or a working directory that is gone.
    }
  };
  const program = argv?.[1];
  if (program) {
    const { readlinkSync } = getBuiltinModule!('node:fs') as { readlinkSync(path: string): string };
    const { dirname, resolve } = getBuiltinModule!('node:path') as {
      dirname(path: string): string;
      resolve(...paths: string[]): string;
    };
    add(() => resolve(program));
    add(() => resolve(dirname(program), readlinkSync(program)));
  }
  add(() => `${cwd!()}/package.json`);
  return found;
}

/** The ways out of what no installation mends, by Node's codes. */
const REMEDIES: Readonly<Record<string, string>> = {
  ERR_DLOPEN_DISABLED: 'Let Node load addons (leave out --no-addons; add --allow-addons to --permission)',
  // Node 22.0 to 22.11 have it behind a flag.
  ERR_REQUIRE_ESM:
    'Take Node 20.19, 22.12 or later, or --experimental-require-module (and leave out --no-experimental-require-module)',
};

/** How to mend that the package does not load. */
function remedyOf(code: string, failure: string): string {
  if (failure.startsWith('RECURRA_SIMD')) return 'Leave RECURRA_SIMD out';
  return REMEDIES[code] ?? `Install ${NATIVE_PACKAGE} anew`;
}

/**
 * The package, where this is Node, Deno or Bun and it is installed for the program or in the working directory; else why not. Bundlers see no import,
 * and those for browsers take `load-browser.ts` in place of this file.
 */
export function loadNative(): { readonly module: NativeModule } | Absence {
  const process = (globalThis as { process?: NodeProcess }).process;
  const node = process?.getBuiltinModule?.('node:module') as { createRequire(file: string): Require } | undefined;
  if (!process || !node)
    return { reason: `${NATIVE_PACKAGE} needs Node, Deno or Bun, and this is none of them`, remedy: '' };
  // What the package reads as it loads, too.
  const rights: Right[] = [
    { name: 'read', path: '.' },
    { name: 'ffi', path: '.' },
    { name: 'env', variable: 'RECURRA_SIMD' },
  ];
  if (!rights.every(isAllowed))
    return {
      reason: `Deno was not given the rights to load ${NATIVE_PACKAGE}`,
      remedy: 'Run with --allow-read, --allow-ffi and --allow-env',
    };
  let failure: { readonly code: string; readonly said: string } | null = null;
  for (const base of bases(process)) {
    try {
      const found = node.createRequire(base)(NATIVE_PACKAGE) as NativeModule | { default: NativeModule };
      return { module: 'default' in found ? found.default : found };
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // Another file that is not found is one that the package itself needs: its binary.
      const absent = /MODULE_NOT_FOUND$/.test(code ?? '') && message.includes(`'${NATIVE_PACKAGE}'`);
      // Deno and Node add lines that say where.
      if (!absent) failure ??= { code: code ?? '', said: message.split('\n')[0]!.replace(/^Error: /, '') };
    }
  }
  if (failure !== null)
    return {
      reason: `${NATIVE_PACKAGE} does not load: ${failure.said.replace(/\.$/, '')}`,
      remedy: remedyOf(failure.code, failure.said),
    };
  return {
    reason: `${NATIVE_PACKAGE} is not installed`,
    remedy: `Install it beside recurra (npm install ${NATIVE_PACKAGE})`,
  };
}
