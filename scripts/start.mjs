/** `npm start`: sets everything up on a machine with Node alone, then trains the text classifier on its own sentences. */
import { run, setUp } from './setup.mjs';

setUp();
run(process.execPath, ['apps/text-classifier/bin/text-classifier.js', 'demo', ...process.argv.slice(2)]);
