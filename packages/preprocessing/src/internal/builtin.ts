import { builtin as find } from '@recurra/tensor/extend';

type Builtins = {
  'node:fs': typeof import('node:fs');
  'node:fs/promises': typeof import('node:fs/promises');
  'node:path': typeof import('node:path');
  'node:zlib': typeof import('node:zlib');
  'node:crypto': typeof import('node:crypto');
  'node:url': typeof import('node:url');
  'node:stream': typeof import('node:stream');
};

/** A module of Node, where there is one, with its type. */
export function builtin<K extends keyof Builtins>(name: K): Builtins[K] | null {
  return find<Builtins[K]>(name);
}
