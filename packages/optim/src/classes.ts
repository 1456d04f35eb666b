/**
 * The optimizers, a line each: what stands here is exported, known by the name of its class in lower case, read from data, and replayed
 * against Keras.
 */
export { Adadelta, type AdadeltaOptions } from './adadelta.js';
export { Adafactor, type AdafactorOptions } from './adafactor.js';
export { Adagrad, type AdagradOptions } from './adagrad.js';
export { Adam, type AmsgradOptions } from './adam.js';
export { Adamax } from './adamax.js';
export { AdamW } from './adamw.js';
export { Ftrl, type FtrlOptions } from './ftrl.js';
export { Lamb } from './lamb.js';
export { Lion, type LionOptions } from './lion.js';
export { Muon, type MuonOptions } from './muon.js';
export { Nadam } from './nadam.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { ScheduleFreeAdamW, type ScheduleFreeOptions } from './schedule-free-adamw.js';
export { SGD, type SGDOptions } from './sgd.js';
