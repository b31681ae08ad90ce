/** docs/dbus.md is what the contract says, all of it, and the contract's comments say what a caller has to know. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERRORS } from '../../helper/contract/errors.ts';
import { REFERENCE_FILE, reference, referenceOf } from '../../tools/dbus-reference.ts';
import { contractXml, readContract } from '../../tools/dbus/contract.ts';
import { wordingOf } from '../../tools/dbus/wording.ts';

const CONTRACT = readContract(contractXml());
const OWN = CONTRACT.interfaces.filter(({ name }) => !name.startsWith('org.freedesktop.'));
const MEMBERS = OWN.flatMap(({ name, members }) => members.map((member) => ({ where: `${name}.${member.name}`, member })));
const DICTIONARIES = CONTRACT.dictionaries.map(({ name }) => name);

test('dbus-reference: docs/dbus.md is made of the contract as it is', () => {
  assert.equal(readFileSync(REFERENCE_FILE, 'utf8'), reference(), 'run: node tools/dbus-reference.ts');
});

test('dbus-reference: no line about a dictionary is lost', () => {
  const header = /<!--([\s\S]*?)-->/u.exec(contractXml())?.[1] ?? '';
  const written = header.slice(header.indexOf('  Dictionaries\n')).split('\n').slice(1).filter((line) => line.trim() !== '');
  const read = CONTRACT.dictionaries.reduce((lines, { keys }) => lines + 1 + keys.reduce((sum, { text }) => sum + text.split('\n').length, 0), 0);
  assert.equal(read, written.length);
});

test('dbus-reference: every member says what it does, and which dictionaries it takes and gives', () => {
  assert.ok(MEMBERS.length > 50);
  for (const { where, member } of MEMBERS) {
    const { text, notes } = wordingOf(member);
    assert.match(text, /^\S.*\.$/u, where);
    const tables = member.kind === 'method'
      ? member.arguments.filter(({ signature }) => signature.endsWith('a{sv}')).map(({ name }) => notes.get(name) ?? '')
      : [...member.arguments, { name: '', signature: member.signature }].filter(({ signature }) => signature.endsWith('a{sv}')).map(() => text);
    for (const said of tables) {
      assert.ok(DICTIONARIES.some((name) => new RegExp(`^${name}\\b`, 'u').test(said)) || said.startsWith('as in '), `${where}: "${said}" names no dictionary`);
    }
  }
});

test('dbus-reference: what a method raises is an error of the helper, or what another method raises', () => {
  const known = new Set([...Object.keys(ERRORS), ...MEMBERS.map(({ member }) => member.name)]);
  for (const { where, member } of MEMBERS) {
    for (const word of wordingOf(member).errors.match(/\b[A-Z]\w+/gu) ?? []) assert.ok(known.has(word), `${where} raises ${word}`);
  }
});

test('dbus-reference: a comment is taken apart into text, action, errors and arguments', () => {
  const [member] = readContract(`<interface name="a.B">
    <!--
      Do: does it. It says: no more.
      Action view; view-all for others. Since 3.1. one: text; kept, with one.
      two, three: as elsewhere
      Raises
      Busy, and Failed where it fails (3.0).
    -->
    <method name="Do"><arg name="one" type="s" direction="in"/><arg name="two" type="u" direction="in"/><arg name="three" type="u" direction="out"/></method>
  </interface>`).interfaces[0]?.members ?? [];
  assert.ok(member !== undefined);
  assert.deepEqual(wordingOf(member), {
    text: 'does it. It says: no more.', since: '3.1', action: 'view; view-all for others', errors: 'Busy, and Failed where it fails (3.0)',
    notes: new Map([['one', 'text; kept, with one'], ['two', 'as elsewhere'], ['three', 'as elsewhere']]),
  });
});

test('dbus-reference: a text breaks no table and is no markup', () => {
  const text = referenceOf(readContract(`<!-- A contract.

  Dictionaries

  Dictionary thing: a <b>thing</b>.
    other (a{sv}, since 3.0, optional): thing; no other thing
    key_ms (s, since 3.2): a | b, as *.example.org or _ms
-->`), '');
  assert.match(text, /\| `key_ms` \| `s` \| \| a \\\| b, as \\\*\.example\.org or \\_ms \(since 3\.2\) \|/u);
  assert.match(text, /\| `other` \| `a\{sv\}` \| may be absent \| \[thing\]\(#thing\); no other thing \|/u);
  assert.match(text, /A \\<b\\>thing\\<\/b\\>\./u);
});
