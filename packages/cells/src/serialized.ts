import { ValueError } from '@recurra/tensor';
import { describeValue, lookupByName } from '@recurra/tensor/extend';

/** An object as Keras writes it down: the name of its class and the arguments that make it. */
export interface Serialized {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Is it the description of an object, rather than the object? */
export function isSerialized(value: unknown): value is Serialized {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Serialized>).className === 'string' &&
    typeof (value as Partial<Serialized>).config === 'object'
  );
}

/**
 * What an identifier stands for: an object that has `method` is taken as it is, a name or a description is looked up in the table of makers.
 * Throws `ValueError` with the known names.
 */
export function resolveSerialized<V extends object>(
  kind: string,
  table: Readonly<Record<string, (options?: never) => V>>,
  identifier: unknown,
  method: keyof V & string,
): V {
  if (typeof identifier === 'object' && identifier !== null && method in identifier) return identifier as V;
  if (isSerialized(identifier)) {
    const config = Object.fromEntries(Object.entries(identifier.config).filter(([, value]) => value !== null));
    return lookupByName(table, identifier.className, kind)(config as never);
  }
  if (typeof identifier === 'function')
    throw new ValueError(
      `${kind}: expected a name or an object, received ${describeValue(identifier)}. Call it: ${identifier.name}().`,
    );
  return lookupByName(table, identifier, kind, `or an object with ${method}()`)();
}
