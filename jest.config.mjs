/** Tests resolve sibling packages from source (the "@recurra/source" condition): no build between edit and test. */
export default {
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/docs'],
  testMatch: ['**/*.test.ts'],
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@recurra/source', 'node', 'require', 'default'] },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/docs/.vitepress/'],
  testTimeout: 120_000,
};
