/** Types, layers and habits as errors; there are no warnings and no exemptions. `npm run lint` runs it with tsc. */
import { builtinRules } from 'eslint/use-at-your-own-risk';
import boundaries from 'eslint-plugin-boundaries';
import tseslint from 'typescript-eslint';

/** Layer -> its files, and the layers it may import besides itself. Nothing else may be imported of the project. */
const LAYERS = {
  contract: { files: ['helper/contract/**'], imports: [] },
  pure: { files: ['helper/{policy,flow,health,safeguard}/**'], imports: ['contract'] },
  zones: { files: ['helper/zones/**'], imports: ['pure', 'ports', 'contract'] },
  insight: { files: ['helper/insight/**'], imports: ['pure', 'contract'] },
  prompt: { files: ['helper/prompt/**'], imports: ['pure', 'contract'] },
  ports: { files: ['helper/{ports,engine-api}.ts', 'helper/ports/**'], imports: ['contract'] },
  engine: { files: ['helper/engine.ts', 'helper/engine/**'], imports: ['pure', 'zones', 'insight', 'prompt', 'ports', 'contract'] },
  import: { files: ['helper/{import,migrations}/**'], imports: ['pure', 'contract'] },
  lists: { files: ['helper/lists/**'], imports: ['pure', 'contract'] },
  native: { files: ['native/**'], imports: [] },
  adapters: { files: ['helper/adapters/**'], imports: ['ports', 'contract', 'native', 'lists'] },
  service: { files: ['helper/service/**'], imports: ['ports', 'contract'] },
  ctl: { files: ['helper/ctl/**'], imports: ['contract', 'adapters'] },
  main: {
    files: ['helper/!(ports|engine-api|engine).ts'],
    imports: ['contract', 'pure', 'zones', 'insight', 'prompt', 'ports', 'engine', 'import', 'lists', 'native', 'adapters', 'service', 'ctl'],
  },
  desktop: { files: ['desktop/**'], imports: ['contract'] },
  test: { files: ['test/**'], imports: ['*'] },
  tools: { files: ['tools/**'], imports: ['*'] },
};

const PURE_FILES = ['helper/{policy,flow,health,safeguard,zones,prompt,insight}/**/*.ts'];

const layerPolicies = Object.entries(LAYERS).map(([name, layer]) => ({
  from: { file: { categories: name } },
  allow: { to: { file: { categories: { anyOf: [name, ...layer.imports] } } } },
}));

const BANNED_SYNTAX = [
  { selector: 'TSEnumDeclaration', message: 'Use a const union.' },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'Use a module.' },
];

const CLOCK_SYNTAX = [
  { selector: 'MemberExpression[object.name="Date"][property.name="now"]', message: 'Take `now` as an argument.' },
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Take `now` as an argument.' },
  { selector: 'MemberExpression[object.name="Math"][property.name="random"]', message: 'Take randomness as an argument.' },
];

/** What the package @eslint/js would list: it is no dependency of ESLint any more. */
const RECOMMENDED = Object.fromEntries(
  [...builtinRules].filter(([, rule]) => rule.meta?.docs?.recommended === true).map(([name]) => [name, 'error']),
);

const GTK_BAN = { regex: '^node-gtk(/|$)', message: 'Only desktop/gtk.ts and desktop/glib.ts import node-gtk.' };
/** What the light process of the session is made of: the toolkit alone would take more memory than it may have. */
const WITHOUT_TOOLKIT = ['desktop/{session,tray,notify,client,model}/**/*.ts', 'desktop/{assets,channel,glib,glib-types,i18n,options,sandbox}.ts'];
const TOOLKIT_BAN = {
  regex: '(^|/)(gtk(-\\w+)*|adw-types)\\.ts$|/(ui|window)/', message: 'The process of the session has no toolkit; only ui/ and window/ use it.',
};

export default tseslint.config(
  { ignores: ['build/**', 'node_modules/**', 'coverage/**', '**/*.d.ts'] },
  { linterOptions: { noInlineConfig: true } },
  { rules: RECOMMENDED },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: { process: 'readonly', performance: 'readonly', setTimeout: 'readonly' },
    },
  },
  {
    // Run by gjs, the first one inside GNOME Shell.
    files: ['test/desktop/in-shell.js', 'test/desktop/writer.js'],
    languageOptions: { sourceType: 'script', globals: { imports: 'readonly', global: 'readonly', print: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { boundaries },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'boundaries/files': Object.entries(LAYERS).map(([category, { files }]) => ({ category, pattern: files })),
      'boundaries/elements': [],
      'import/resolver': { node: { extensions: ['.ts', '.mjs', '.js', '.json'] } },
    },
    rules: {
      'boundaries/dependencies': ['error', {
        default: 'disallow',
        message: 'The layer {{from.file.categories}} may not import {{to.file.path}}.',
        policies: [{ allow: { to: { module: { origin: ['external', 'core'] } } } }, ...layerPolicies],
      }],
      'boundaries/no-unknown-files': 'error',
      'boundaries/no-ignored-dependencies': 'error',
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX],
      'no-restricted-imports': ['error', { patterns: [GTK_BAN] }],
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      // Escaping text from outside means naming control characters.
      'no-control-regex': 'off',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      // `catch (error: unknown)` is what the compiler does already; a `void f()` is the mark of a promise left on purpose.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true, boolean: true } }],
      '@typescript-eslint/no-invalid-void-type': ['error', { allowAsThisParameter: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: PURE_FILES,
    rules: {
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX, ...CLOCK_SYNTAX],
      'no-restricted-imports': ['error', {
        patterns: [GTK_BAN, { regex: '^node:', message: 'Pure code touches no file, process or network.' }],
      }],
      'no-restricted-globals': [
        'error', 'process', 'console', 'performance', 'fetch', 'Buffer',
        'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask',
      ],
    },
  },
  {
    files: ['helper/ports.ts', 'helper/engine-api.ts'],
    rules: {
      'no-restricted-syntax': [
        'error', ...BANNED_SYNTAX,
        { selector: 'ImportDeclaration[importKind!="type"]', message: 'This file holds types only.' },
        {
          selector: 'ExportNamedDeclaration > :matches(VariableDeclaration, FunctionDeclaration, ClassDeclaration)',
          message: 'This file holds types only.',
        },
      ],
    },
  },
  { files: WITHOUT_TOOLKIT, rules: { 'no-restricted-imports': ['error', { patterns: [GTK_BAN, TOOLKIT_BAN] }] } },
  { files: ['desktop/{gtk,glib}.ts'], rules: { 'no-restricted-imports': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test's `test` and `describe` return promises that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafeCalls: [
          { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite', 'before', 'after'] },
        ],
      }],
      'no-restricted-imports': 'off',
    },
  },
);
