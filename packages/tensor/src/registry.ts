import { ValueError } from './errors.js';
import { describeValue, isRecord } from './names.js';

/**
 * What a name in data can stand for: a class with `fromConfig` (layers, cells, losses, metrics, optimizers), or a function: one that makes an object
 * of its configuration (initializers, regularizers, constraints), or one that is meant itself (losses, metrics, activations).
 */
export type Registrable = { fromConfig(config: never): unknown } | ((...args: never[]) => unknown);

const byName = new Map<string, Registrable>();
const names = new Map<unknown, string>();
/** Objects that were given for one reading, innermost last. */
const scopes: Readonly<Record<string, Registrable>>[] = [];

/** Can it stand for a name in data: a function, a class, or what has `fromConfig`? */
export const isRegistrable = (value: unknown): value is Registrable =>
  typeof value === 'function' ||
  (typeof value === 'object' && value !== null && typeof (value as { fromConfig?: unknown }).fromConfig === 'function');

/**
 * Makes a class (or function) of one's own known by name, so that files and configurations that mention it can be read everywhere, without `customObjects`:
 * layers, cells, losses, metrics, optimizers, initializers, regularizers, constraints, activations. Files call it `package>name`, as Keras'
 * `register_keras_serializable(package, name)` does, so that a class that is registered alike there reads them.
 *
 * Throws `ValueError` for what is no class or function, and for a name that another one has.
 * @param packageName the package, or `package>name`
 * @param name by default that of the class
 */
export function registerSerializable<C extends Registrable>(packageName: string, Class: C, name?: string): C {
  const label = 'registerSerializable';
  if (typeof packageName !== 'string' || packageName === '')
    throw new ValueError(
      `${label}: expected the name of a package first, received ${describeValue(packageName)}. registerSerializable('my_package', MyLayer)`,
    );
  if (!isRegistrable(Class))
    throw new ValueError(`${label}: expected a class or a function, received ${describeValue(Class)}`);
  const own = name ?? (Class as { readonly name?: string }).name;
  if (!packageName.includes('>') && (typeof own !== 'string' || own === ''))
    throw new ValueError(`${label}: expected a name for what has none itself, received ${describeValue(own)}`);
  const full = packageName.includes('>') ? packageName : `${packageName}>${own}`;
  const known = byName.get(full);
  if (known !== undefined && known !== Class)
    throw new ValueError(
      `${label}: expected a name that is free, received "${full}", which is registered. Choose another package or name.`,
    );
  const before = names.get(Class);
  if (before !== undefined && before !== full)
    throw new ValueError(`${label}: expected a class once, received the one that is "${before}" again, as "${full}"`);
  byName.set(full, Class);
  names.set(Class, full);
  return Class;
}

/** The name that a class was registered by, `package>name`; `null` for others. */
export function registeredName(Class: unknown): string | null {
  return names.get(Class) ?? null;
}

/** Runs `f`; meanwhile names stand for these objects first. Keras `CustomObjectScope`. */
export function withCustomObjects<R>(objects: Readonly<Record<string, unknown>> | null | undefined, f: () => R): R {
  if (objects === undefined || objects === null) return f();
  if (!isRecord(objects) || !Object.values(objects).every(isRegistrable))
    throw new ValueError(
      `customObjects: expected an object of classes or functions by name, received ${describeValue(objects)}`,
    );
  scopes.push(objects as Readonly<Record<string, Registrable>>);
  try {
    return f();
  } finally {
    scopes.pop();
  }
}

/** What one's own objects there are for a name (or for the name that it was registered by); `null`: none. */
export function customObject(name: string, registered?: string | null): Registrable | null {
  const keys = registered ? [registered, name] : [name];
  for (const scope of [...scopes].reverse()) for (const key of keys) if (Object.hasOwn(scope, key)) return scope[key]!;
  for (const key of keys) {
    const found = byName.get(key);
    if (found !== undefined) return found;
  }
  return null;
}

/** The names of one's own objects that are known here, for messages. */
export function customNames(): readonly string[] {
  return [...new Set([...scopes.flatMap((scope) => Object.keys(scope)), ...byName.keys()])];
}
