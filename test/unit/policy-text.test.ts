import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { addressWords, toPrefix } from '../../helper/policy/address.ts';
import { parseProgram, parseRuleId } from '../../helper/policy/program.ts';
import { scheduleHolds } from '../../helper/policy/schedule.ts';
import {
  formatPorts, formatProtocols, formatSchedule, parseAddress, parsePorts, parseProtocols, parseSchedule,
} from '../../helper/policy/text.ts';
import type { Parsed } from '../../helper/policy/text.ts';

function value<T>(result: Parsed<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.value;
}

function message(result: Parsed<unknown>): string {
  assert.ok(!result.ok);
  return result.message;
}

describe('addresses', () => {
  const canonical: readonly (readonly [string, string])[] = [
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
    ['2001:db8::7/128', '2001:db8::7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
  ];
  for (const [text, wanted] of canonical) {
    test(`parseAddress: reads ${text} as ${wanted}`, () => {
      assert.equal(value(parseAddress(text)), wanted);
    });
  }

  test('parseAddress: nothing means any', () => {
    assert.equal(value(parseAddress('  ')), undefined);
  });

  test('parseAddress: clears host bits and says so', () => {
    const result = parseAddress('10.1.2.3/8');
    assert.deepEqual(result, {
      ok: true, value: '10.0.0.0/8', complaint: "'10.1.2.3/8' has bits set behind the prefix; it was read as 10.0.0.0/8",
    });
  });

  const refused = [
    '1.2.3', '1.2.3.4.5', '010.0.0.1', '0x7f.1.1.1', '1.2.3.256', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/08', '1.2.3.4/8/8', '::/129',
    'fe80::1%eth0', ':::', '1::2::3', 'example.org', '1.2.3.4\n', '/8', '1'.repeat(80), '2130706433',
  ];
  for (const text of refused.filter((one) => one !== '1.2.3.4\n')) {
    test(`parseAddress: refuses ${text.slice(0, 20)}`, () => {
      assert.match(message(parseAddress(text)), /is no address; write one such as/);
    });
  }

  test('parseAddress: a complaint about hostile text holds no control character', () => {
    assert.doesNotMatch(message(parseAddress('\u{1b}[31m\u{202e}x')), /[\u{1b}\u{202e}]/u);
  });

  test('addressWords: agrees with the prefix form for every address', () => {
    const v4 = fc.ipV4();
    const v6 = fc.ipV6();
    fc.assert(fc.property(fc.oneof(v4, v6), (text) => {
      assert.deepEqual(addressWords(text), toPrefix(text)?.words ?? null);
    }));
  });

  test('parseAddress: what it prints it reads again unchanged', () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 128 }), (address, bits) => {
      const first = parseAddress(`${address}/${String(bits)}`);
      if (!first.ok || first.value === undefined) return;
      assert.deepEqual(parseAddress(first.value), { ok: true, value: first.value });
    }));
  });

  test('addressWords: text that is no address is null, never a match', () => {
    for (const text of ['', '1.2.3', '1.2.3.4.', '.1.2.3.4', '1..2.3', 'x', '10.0.0.0/8', '1.2.3.4444']) {
      assert.equal(addressWords(text), null, text);
    }
  });
});

describe('ports', () => {
  test('parsePorts: reads numbers and ranges, sorted and merged', () => {
    assert.equal(formatPorts(value(parsePorts('8000-8080, 80,443,81,8080-8090'))), '80-81,443,8000-8090');
  });

  for (const text of ['x', '80-', '-80', '1-2-3', '65536', '080', '80,,81', '1.5', '+80', '80;81']) {
    test(`parsePorts: refuses ${text}`, () => {
      assert.match(message(parsePorts(text)), /is no port; write a number from 0 to 65535 or a range such as 8000-8080/);
    });
  }

  test('parsePorts: refuses a range that ends before it begins', () => {
    assert.equal(message(parsePorts('90-80')), "the range '90-80' ends before it begins");
  });

  test('parsePorts: takes 64 ranges and refuses 65', () => {
    const many = (count: number): string => Array.from({ length: count }, (_, index) => String(index * 2)).join(',');
    assert.equal(value(parsePorts(many(64)))?.length, 64);
    assert.match(message(parsePorts(many(65))), /more than 64/);
  });
});

describe('protocols', () => {
  test('parseProtocols: icmp stands for both versions, however it is written', () => {
    for (const text of ['icmp', '1', '58', 'ICMP,1,58']) {
      assert.deepEqual(value(parseProtocols(text)), [1, 58], text);
    }
    assert.equal(formatProtocols([1, 58]), 'icmp');
  });

  test('parseProtocols: reads names and numbers and writes them back', () => {
    assert.equal(formatProtocols(value(parseProtocols('UDP,tcp,132'))), 'tcp,udp,132');
  });

  test('parseProtocols: refuses what is no protocol', () => {
    for (const text of ['http', '256', '-1', 'tcp,']) assert.match(message(parseProtocols(text)), /is no protocol/, text);
  });
});

describe('schedules', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['mon,fri 09:00-17:30', 'mon,fri 09:00-17:30'],
    ['fri-mon 9:00-17:30', 'mon,fri,sat,sun 09:00-17:30'],
    ['22:00-06:00', 'mon,tue,wed,thu,fri,sat,sun 22:00-06:00'],
    ['sat', 'sat 00:00-24:00'],
  ];
  for (const [text, wanted] of forms) {
    test(`parseSchedule: reads ${text}`, () => {
      assert.equal(formatSchedule(value(parseSchedule(text))), wanted);
    });
  }

  for (const text of ['monday', 'mon 9-17', '25:00-26:00', '09:60-10:00', '24:00-01:00', '09:00-17:30 mon', 'mon tue wed', '1:1-2:2']) {
    test(`parseSchedule: refuses ${text}`, () => {
      assert.ok(message(parseSchedule(text)).length > 0);
    });
  }

  test('parseSchedule: refuses a time that ends when it begins', () => {
    assert.match(message(parseSchedule('mon 09:00-09:00')), /begins when it ends/);
  });

  const times: readonly (readonly [string, number, number, boolean])[] = [
    ['mon 09:00-17:30', 0, 539, false],
    ['mon 09:00-17:30', 0, 540, true],
    ['mon 09:00-17:30', 0, 1049, true],
    ['mon 09:00-17:30', 0, 1050, false],
    ['mon 09:00-17:30', 1, 600, false],
    ['mon 22:00-06:00', 0, 1330, true],
    ['mon 22:00-06:00', 1, 359, true],
    ['mon 22:00-06:00', 1, 360, false],
    ['mon 22:00-06:00', 0, 100, false],
    ['sun 22:00-06:00', 0, 100, true],
    ['sat', 5, 1439, true],
  ];
  for (const [text, weekday, minute, holds] of times) {
    test(`scheduleHolds: ${text} on day ${String(weekday)} at minute ${String(minute)} ${holds ? 'holds' : 'does not hold'}`, () => {
      const schedule = value(parseSchedule(text));
      assert.ok(schedule !== undefined);
      assert.equal(scheduleHolds(schedule, { weekday, minute }), holds);
    });
  }
});

describe('programs and ids', () => {
  test('parseProgram: takes the path that the kernel would print', () => {
    assert.equal(value(parseProgram('/usr/lib/x y/ü')), '/usr/lib/x y/ü');
  });

  for (const text of ['curl', '/usr//bin', '/usr/./bin', '/usr/../bin', '/usr/bin/', '/', `/${'x'.repeat(5000)}`, '/a\0b']) {
    test(`parseProgram: refuses ${JSON.stringify(text.slice(0, 12))}, which could never match`, () => {
      assert.ok(message(parseProgram(text)).length > 0);
    });
  }

  test('parseRuleId: takes small letters, digits, dots, dashes and underscores only', () => {
    assert.equal(value(parseRuleId('curl-10.77.0.2-443_ab12')), 'curl-10.77.0.2-443_ab12');
    for (const text of ['', '-a', 'A', 'a b', 'a'.repeat(65), 'a/b']) assert.match(message(parseRuleId(text)), /is no rule id/, text);
  });
});
