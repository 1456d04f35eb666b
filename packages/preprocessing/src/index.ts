export * from './labels.js';
export * from './pad-sequences.js';
export * from './split.js';
export * from './tokenizer.js';
export * from './words.js';
