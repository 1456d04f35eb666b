/** For those who write codecs: what files of all formats share, beside what users call (`@recurra/formats`). */
export { emptyGroup, tensorsOf } from './model-file.js';
