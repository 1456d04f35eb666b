/**
 * What the words of commands are. Every word has four bytes; a pointer is an address in the memory of the engine, and 0 where an optional
 * one is absent.
 *
 * @typedef {{
 *   readonly kind: 'i32' | 'u32' | 'f32' | 'pointer',
 *   readonly optional: boolean,
 *   readonly doc: string,
 *   readonly sized?: 'given' | 'own',
 *   readonly filled?: boolean,
 * }} Field
 */

/** @type {(kind: Field['kind'], optional: boolean) => (doc: string) => Field} */
const field = (kind, optional) => (doc) => ({ kind, optional, doc });

export const i32 = field('i32', false);
/** A word without a sign. */
export const u32 = field('u32', false);
export const f32 = field('f32', false);
export const pointer = field('pointer', false);
/** A pointer that may be absent: 0. */
export const optional = field('pointer', true);
/** A block that the engine sizes, and that others read later; it may be absent. */
export const residual = (doc) => ({ ...optional(doc), sized: 'given' });
/** A block that the engine sizes, for this command alone: the compiler makes it. */
export const scratch = (doc) => ({ ...pointer(doc), sized: 'own' });
/** An i32 that is 0 or 1. */
export const flag = field('i32', false);
/** An i32 that whoever assembles the command fills in: lengths of its lists, and what an engine notes for itself. */
export const filled = (doc) => ({ ...i32(doc), filled: true });
