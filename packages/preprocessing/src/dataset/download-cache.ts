import { builtin } from '../internal/builtin.js';
import { sha256, sha256OfText } from '../internal/sha256.js';
import { messageOf, ReadError, type ReadOptions, readError } from './read-options.js';

/** Reads all of a URL; ends with an error where it is not whole, or not what was asked for. */
export type Fetch = () => Promise<AsyncIterable<Uint8Array>>;

/** A copy of a URL's file, and whether it was fetched just now. */
export interface Kept<T> {
  readonly copy: T;
  readonly fresh: boolean;
}

/** What a file is kept under: another one for each URL and each set of headers, as who asks may decide what is given. */
async function keyOf(url: string, options: ReadOptions): Promise<string> {
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return sha256OfText(JSON.stringify([url, headers.sort(([a], [b]) => (a! < b! ? -1 : a! > b! ? 1 : 0))]));
}

/** Files that were found whole in this process, as their folder entries were then: not hashed again in each epoch. */
const checked = new Map<string, string>();

const DAY = 86_400_000;

/**
 * The path of a URL's file in a folder of kept files. Its name holds its SHA-256: what does not match is thrown away, and fetched again. It is written
 * beside and renamed when it is whole. Node.
 */
export async function keptFile(url: string, options: ReadOptions, fetchAll: Fetch): Promise<Kept<string>> {
  const fs = builtin('node:fs')!.promises;
  const path = builtin('node:path')!;
  const folder = options.cache!;
  const key = await keyOf(url, options);
  const failed = (error: unknown): never => {
    throw readError(
      `${url}: expected a folder for its copy, "${folder}", that can be written, received ${messageOf(error)}`,
      error,
    );
  };
  await fs.mkdir(folder, { recursive: true }).catch(failed);
  const names = await fs.readdir(folder).catch(failed);
  const stateOf = async (file: string): Promise<string> => {
    const { ino, size, mtimeMs } = await fs.stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  };
  for (const name of names as string[]) {
    if (!name.startsWith(`${key}.`)) continue;
    const file = path.join(folder, name);
    const digest = name.slice(key.length + 1);
    if (digest.endsWith('.part')) continue;
    const state = await stateOf(file).catch(() => null);
    if (state === null) continue;
    if (checked.get(file) !== state) {
      const hash = await sha256();
      try {
        for await (const chunk of builtin('node:fs')!.createReadStream(file, {
          highWaterMark: 1 << 18,
          ...(options.signal ? { signal: options.signal } : {}),
        }))
          hash.update(chunk as Uint8Array);
      } catch (error) {
        options.signal?.throwIfAborted();
        throw readError(`${url}: expected a copy that can be read, "${file}", received ${messageOf(error)}`, error);
      }
      if (hash.hex() !== digest) {
        await fs.rm(file, { force: true });
        continue;
      }
      checked.set(file, state);
    }
    // The file behind the URL may be another one by now.
    if (options.sha256 === undefined || options.sha256.toLowerCase() === digest) return { copy: file, fresh: false };
  }
  for (const name of names as string[])
    if (name.startsWith(`${key}.`) && name.endsWith('.part')) {
      // Of a process that was killed, when it is old.
      const stat = await fs.stat(path.join(folder, name)).catch(() => null);
      if (stat && Date.now() - stat.mtimeMs > DAY) await fs.rm(path.join(folder, name), { force: true });
    }
  const beside = path.join(folder, `${key}.${Math.random().toString(36).slice(2)}.part`);
  const out = await fs.open(beside, 'wx').catch(failed);
  try {
    const hash = await sha256();
    for await (const chunk of await fetchAll()) {
      hash.update(chunk);
      await out.appendFile(chunk).catch(failed);
    }
    await out.close();
    const file = path.join(folder, `${key}.${hash.hex()}`);
    const state = await stateOf(beside);
    await fs.rename(beside, file).catch(failed);
    checked.set(file, state);
    // Of one URL, one copy.
    for (const name of names as string[])
      if (name.startsWith(`${key}.`) && !name.endsWith('.part') && path.join(folder, name) !== file)
        await fs.rm(path.join(folder, name), { force: true });
    return { copy: file, fresh: true };
  } catch (error) {
    await out.close().catch(() => {});
    await fs.rm(beside, { force: true });
    throw error;
  }
}

/** The name of the header that holds the SHA-256 of a kept answer. */
const DIGEST = 'x-recurra-sha256';

/** The file of a URL by way of the browser's cache: whole, as its SHA-256 there says, else fetched again. */
export async function keptBlob(url: string, options: ReadOptions, fetchAll: Fetch): Promise<Kept<Blob>> {
  if (typeof caches === 'undefined')
    throw new ReadError(
      `${url}: expected a browser's cache for its copy, "${options.cache}", and there is none here (pages need https). Leave out \`cache\`.`,
    );
  const cache = await caches.open(options.cache!);
  // Answers are kept by their URL alone: one for each set of headers.
  const key = `https://kept.invalid/${await keyOf(url, options)}`;
  const kept = await cache.match(key);
  if (kept) {
    const blob = await kept.blob();
    const hash = await sha256();
    for (let at = 0; at < blob.size; at += 1 << 22)
      hash.update(new Uint8Array(await blob.slice(at, at + (1 << 22)).arrayBuffer()));
    const digest = hash.hex();
    if (
      digest === kept.headers.get(DIGEST) &&
      (options.sha256 === undefined || options.sha256.toLowerCase() === digest)
    )
      return { copy: blob, fresh: false };
    await cache.delete(key);
  }
  const parts: BlobPart[] = [];
  const hash = await sha256();
  for await (const chunk of await fetchAll()) {
    hash.update(chunk);
    parts.push(chunk as BlobPart);
  }
  const blob = new Blob(parts);
  await cache.put(key, new Response(blob, { headers: { [DIGEST]: hash.hex() } }));
  return { copy: blob, fresh: true };
}
