import type { Absence, loadNative as load } from './load.js';

/** The package that brings the native engine. */
export const NATIVE_PACKAGE: string = '@recurra/native';

/** Pages have no environment. */
export function environmentVariable(_name: string): undefined {
  return undefined;
}

/** What bundlers for browsers take in place of `load.ts` (`browser` in package.json): pages have no native engine, and nothing that would look for one. */
export const loadNative: typeof load = (): Absence => ({
  reason: `${NATIVE_PACKAGE} needs Node, Deno or Bun, and this was bundled for browsers`,
  remedy: '',
});
