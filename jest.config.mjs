import { availableParallelism } from 'node:os';

/** Packages that are published as ES modules alone: Jest runs CommonJS. */
const ESM = [
  'h5wasm',
  'hyparquet',
  'hyparquet-writer',
  '@noble+hashes',
  'leven',
  'string-width',
  'strip-ansi',
  'ansi-regex',
  'get-east-asian-width',
];
const swc = (parser) => [
  '@swc/jest',
  { jsc: { parser, target: 'es2022' }, module: { type: 'commonjs' }, sourceMaps: 'inline' },
];

const cores = availableParallelism();

/** Tests resolve sibling packages from source (the "@recurra/source" condition): no build between edit and test. */
export default {
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/docs'],
  testMatch: ['**/*.test.ts'],
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@recurra/source', 'node', 'require', 'default'] },
  transform: {
    '^.+\\.ts$': swc({ syntax: 'typescript' }),
    '/node_modules/.+\\.js$': swc({ syntax: 'ecmascript' }),
  },
  transformIgnorePatterns: [`/node_modules/\\.pnpm/(?!(${ESM.map((n) => n.replace('+', '\\+')).join('|')})@)`],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // It has no entry for CommonJS.
    '^h5wasm$': '<rootDir>/packages/formats/node_modules/h5wasm/dist/esm/hdf5_hl.js',
  },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/docs/.vitepress/'],
  testTimeout: 120_000,
  // Jest leaves one core to itself, which has little to do: of two it would use one.
  maxWorkers: cores > 2 ? cores - 1 : cores,
};
