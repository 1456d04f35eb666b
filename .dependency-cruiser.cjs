/**
 * The package graph of docs/architecture.md: arrows point down only. A package may import itself and what stands below it.
 */
const BELOW = {
  kernels: [],
  native: [],
  tensor: [],
  autograd: ['tensor'],
  compiler: ['kernels', 'tensor', 'autograd'],
  cells: ['kernels', 'tensor', 'autograd', 'compiler'],
  optim: ['tensor', 'autograd'],
  preprocessing: ['tensor'],
  formats: ['tensor'],
  layers: ['tensor', 'autograd', 'compiler', 'cells', 'optim', 'preprocessing', 'formats'],
  recurra: ['tensor', 'autograd', 'compiler', 'cells', 'optim', 'preprocessing', 'formats', 'layers'],
  testing: [
    'kernels',
    'tensor',
    'autograd',
    'compiler',
    'cells',
    'optim',
    'preprocessing',
    'formats',
    'layers',
    'recurra',
  ],
};

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Modules do not depend on each other in a circle; types alone may, and what is loaded on demand.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    ...Object.entries(BELOW).map(([name, below]) => ({
      name: `graph-${name}`,
      comment: `${name} may import ${below.join(', ') || 'no other package'} alone.`,
      severity: 'error',
      from: { path: `^packages/${name}/src`, pathNot: '\\.test\\.ts$' },
      to: { path: '^(packages|apps)/', pathNot: `^packages/(${[name, ...below].join('|')})/` },
    })),
    {
      name: 'apps-use-the-surface',
      comment: 'Apps import what users import, not sources of packages.',
      severity: 'error',
      from: { path: '^apps/' },
      to: { path: '^packages/', pathNot: '^packages/recurra/' },
    },
    {
      name: 'no-unresolved',
      comment: 'Every import resolves.',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { couldNotResolve: true },
    },
    {
      name: 'internal-stays-internal',
      comment: 'src/internal of a package is imported by that package alone.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '/src/internal/', pathNot: '^packages/$1/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: {
      path: ['/dist/', '/generated/', 'packages/kernels/assembly/', 'apps/benchmark/peers/', 'golden/.*\\.json$'],
    },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@recurra/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
