import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * Unfinished files lie beside their target, under names that say which process of which machine writes them. So the next start can remove what
 * a process left that was killed outright (`kill -9`, power loss), and nothing that another one is writing.
 */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const NAME = /^\.text-classifier-([0-9a-f]{8})-(\d+)-\d+\.tmp$/;
/** What another machine left in a shared folder is taken for abandoned after a day: whether its process lives cannot be asked from here. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;
let count = 0;

/** A name that no other process and no earlier call took. Short, however long the target's is. */
export function temporaryIn(folder: string): string {
  return join(folder, `.text-classifier-${HOST}-${process.pid}-${count++}.tmp`);
}

/** Removes a file if it is there; for places where another error matters more. */
export function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder is gone, or no folder: then there is no such file either.
  }
}

/** Removes the unfinished files that processes left in the folder which are no more. Call before this process writes there. */
export function removeAbandoned(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const found = NAME.exec(name);
    if (found && isAbandoned(join(folder, name), found[1]!, Number(found[2]))) discard(join(folder, name));
  }
}

function isAbandoned(path: string, host: string, pid: number): boolean {
  if (host === HOST) return pid === process.pid || !lives(pid);
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > ABANDONED_MS;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another person's process cannot be asked, but is there.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
