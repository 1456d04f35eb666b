import { parentPort, workerData } from 'node:worker_threads';
import { main } from './cli.js';
import type { Message, Start } from './supervisor.js';

/** Runs the command line beside the supervisor: see there. */
const { args, isTTY, columns } = workerData as Start;
const tell = (message: Message): void => parentPort!.postMessage(message);
// The streams of a worker deliver when its event loop turns: not in the middle of a step. Messages are there at once, and in one order.
for (const stream of ['stdout', 'stderr'] as const)
  Object.defineProperty(process, stream, {
    value: {
      isTTY: stream === 'stdout' && isTTY,
      columns,
      write: (text: string): boolean => {
        tell({ kind: 'write', stream, text });
        return true;
      },
    },
  });
const code = await main(args, {
  temporary: (path) => tell({ kind: 'temporary', path }),
  saved: (path) => tell({ kind: 'saved', path }),
});
tell({ kind: 'done', code });
