import { ValueError } from '@recurra/tensor';
import { customObject, describeValue, isSerialized, lookupByName, type Serialized } from '@recurra/tensor/extend';

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
  const { className, registeredName } = (isSerialized(identifier) ? identifier : {}) as Partial<Serialized>;
  const own =
    className !== undefined || typeof identifier === 'string'
      ? customObject(className ?? (identifier as string), registeredName)
      : null;
  if (own) {
    const given = isSerialized(identifier) ? identifier.config : {};
    const made: unknown =
      'fromConfig' in own ? own.fromConfig(given as never) : (own as (c: unknown) => unknown)(given);
    if (typeof made !== 'object' || made === null || !(method in made))
      throw new ValueError(
        `${kind}: expected "${className ?? identifier}" to make an object with ${method}(), received ${describeValue(made)}`,
      );
    return made as V;
  }
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
