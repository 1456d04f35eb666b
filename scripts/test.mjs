/** `npm test`: sets everything up on a machine with Node alone, then runs all tests (arguments go to Jest). */
import { pnpm, setUp } from './setup.mjs';

setUp();
pnpm(['exec', 'jest', ...process.argv.slice(2)]);
