import { Tensor, ValueError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import { identityOf } from './identity.js';
import { Variable } from './variable.js';

/**
 * The signature of arguments: shapes and dtypes of the tensors of a tree (which go to `leaves`), and everything else by its content: equal
 * texts, equal plans. What stays itself while its content changes unseen is refused, since a plan made of it would go on with what it held
 * when it was compiled.
 */
function signatureOf(node: unknown, leaves: Tensor[], name: string): string {
  if (node instanceof Tensor) {
    leaves.push(node);
    return `${node.dtype}[${node.shape.join()}]`;
  }
  if (Array.isArray(node)) {
    let text = '(';
    for (const child of node) text += `${signatureOf(child, leaves, name)},`;
    return `${text})`;
  }
  switch (typeof node) {
    case 'object':
      return node === null ? 'null' : signatureOfObject(node, leaves, name);
    case 'function':
    case 'symbol':
      return identityOf(node);
    case 'string':
      return JSON.stringify(node);
    case 'number':
      return Object.is(node, -0) ? '-0' : String(node);
    default:
      return `${typeof node} ${String(node)}`;
  }
}

/** {@link signatureOf}; throws `ValueError` for arguments that contain themselves. */
export function finiteSignature(args: readonly unknown[], leaves: Tensor[], name: string): string {
  try {
    return signatureOf(args, leaves, name);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ValueError(
      `${name}: expected arguments nested to a depth that the stack holds, received one that is deeper, or contains itself. Pass what is needed of it.`,
    );
  }
}

function signatureOfObject(node: object, leaves: Tensor[], name: string): string {
  if (isRecord(node)) {
    let text = '{';
    for (const key of Object.keys(node)) text += `${JSON.stringify(key)}:${signatureOf(node[key], leaves, name)},`;
    return `${text}}`;
  }
  if (ArrayBuffer.isView(node) || node instanceof ArrayBuffer)
    throw new ValueError(
      `${name}: expected tensors and static values as arguments, received a ${node.constructor.name}, whose elements would be constants of the compiled code. Pass tensor(...) of it.`,
    );
  // Trees do not look into these: they are static, and so must be all that they hold.
  const inside = (value: unknown): string => {
    const found: Tensor[] = [];
    const text = signatureOf(value, found, name);
    if (found.length > 0)
      throw new ValueError(
        `${name}: expected tensors in arrays and plain objects, received one inside of a ${node.constructor.name}, where it would be a constant of the compiled code. Pass [...values] or Object.fromEntries(map).`,
      );
    return text;
  };
  if (node instanceof Map) return `Map(${[...node].map(([k, v]) => `${inside(k)}=>${inside(v)}`).join()})`;
  if (node instanceof Set) return `Set(${[...node].map(inside).join()})`;
  if (node instanceof Date) return `Date(${node.getTime()})`;
  if (node instanceof RegExp) return `RegExp(${node})`;
  // A variable's value is read in every run; what is frozen does not change.
  if (node instanceof Variable) return identityOf(node);
  if (Object.isFrozen(node)) return `${identityOf(node)}(${Object.values(node).map(inside).join()})`;
  throw new ValueError(
    `${name}: expected tensors, plain objects, arrays and static values as arguments, received a ${node.constructor?.name ?? 'object'}: what changes inside of it would not be seen by the compiled code. Pass what is needed of it as a plain object, freeze it (Object.freeze), or let the function close over it.`,
  );
}
