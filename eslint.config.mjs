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

/**
 * Ways in which outside input becomes code, a file or a command, in what is shipped. eslint-plugin-security is not used: it
 * reports each computed property and each path that is no literal, and what else it knows the types or these rules say already.
 */
const CARELESS_SYNTAX = [
  {
    selector: 'ImportDeclaration[source.value="node:child_process"] > :matches(ImportSpecifier[imported.name=/^exec(Sync)?$/], ImportDefaultSpecifier, ImportNamespaceSpecifier)',
    message: 'A shell would read the text: use execFile or spawn, with words.',
  },
  {
    selector: 'CallExpression[callee.name=/^(spawn|execFile|fork|run)/i] > ObjectExpression > Property[key.name="shell"]',
    message: 'A shell would read the text: give the program and its words.',
  },
  { selector: 'ImportDeclaration[source.value=/^(node:)?(vm|repl|inspector)$/]', message: 'Text does not become code here.' },
  { selector: 'ImportExpression:not([source.type="Literal"])', message: 'Name the module: text does not become code here.' },
  {
    selector: 'TSAsExpression:not([typeAnnotation.type="TSUnknownKeyword"]) > CallExpression[callee.object.name="JSON"][callee.property.name="parse"]',
    message: 'What was read is unknown: look at its form, with zod or by hand.',
  },
  { selector: 'MemberExpression[object.name="Math"][property.name="random"]', message: 'It can be foretold: use node:crypto.' },
  { selector: 'Property[key.name="rejectUnauthorized"]', message: 'Certificates are always checked.' },
];

/** In what runs as root: it writes whole or not at all, and through no link that somebody planted. */
const CARELESS_AS_ROOT = [
  { selector: ':function :matches(NewExpression, CallExpression)[callee.name="RegExp"]', message: 'Patterns are constants of their module: what is outside becomes none.' },
  {
    selector: 'ImportDeclaration[source.value=/^node:fs/] > ImportSpecifier[imported.name=/^(writeFile|appendFile|copyFile|cp|createWriteStream|truncate)(Sync)?$/]',
    message: 'Write by helper/adapters/atomic-file.ts.',
  },
  { selector: 'CallExpression[callee.name=/^open(Sync)?$/] > Literal[value=/^[wa][+]?$/]', message: 'It would go through a link: use "wx", or O_NOFOLLOW.' },
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
  { ignores: ['build/**', 'node_modules/**', 'coverage/**', 'debian/**', '**/*.d.ts'] },
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
      'no-eval': 'error',
      'no-new-func': 'error',
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
  { files: ['helper/**/*.ts', 'desktop/**/*.ts'], rules: { 'no-restricted-syntax': ['error', ...BANNED_SYNTAX, ...CARELESS_SYNTAX] } },
  {
    // bastionctl writes what its caller names.
    files: ['helper/**/*.ts'],
    ignores: ['helper/ctl/**', 'helper/adapters/atomic-file.ts'],
    rules: { 'no-restricted-syntax': ['error', ...BANNED_SYNTAX, ...CARELESS_SYNTAX, ...CARELESS_AS_ROOT] },
  },
  {
    files: PURE_FILES,
    rules: {
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX, ...CARELESS_SYNTAX, ...CLOCK_SYNTAX],
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
