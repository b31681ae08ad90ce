/** Which network this machine is in, out of the kernel's tables. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gatewaysOf } from '../../helper/adapters/networks.ts';

const ROUTE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0
wlan0\t00000A0A\t0201A8C0\t0003\t0\t0\t600\t0000FFFF\t0\t0\t0
`;
const ROUTE6 = `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;
const ARP = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         A4:2B:B0:11:22:33     *        wlan0
192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        wlan0
`;

describe('gatewaysOf', () => {
  test('a default route with a gateway counts, one of a tunnel or to a single network does not', () => {
    assert.deepEqual(gatewaysOf(ROUTE, ROUTE6, ARP), [
      { address: '192.168.1.1', mac: 'a4:2b:b0:11:22:33' }, { address: 'fe80::1', mac: null },
    ]);
  });

  test('a hardware address that the kernel has not found out yet is none', () => {
    const asked = ARP.replace('0x2', '0x0');
    assert.deepEqual(gatewaysOf(ROUTE, '', asked), [{ address: '192.168.1.1', mac: null }]);
  });

  test('tables that are empty, cut off or full of something else name no gateway', () => {
    for (const bad of ['', 'x', '\n\n', 'a b c\nwlan0 00000000', `${ROUTE.split('\n')[0] ?? ''}\nwlan0\t00000000\tZZ\t0003\t0\t0\t0\t00000000`]) {
      assert.deepEqual(gatewaysOf(bad, bad, bad), []);
    }
  });

  test('of endless default routes no more are kept than a profile could need', () => {
    const line = (at: number): string => `e\t00000000\t${at.toString(16).padStart(8, '0').toUpperCase()}\t0003\t0\t0\t0\t00000000\n`;
    assert.equal(gatewaysOf(`heading\n${Array.from({ length: 3000 }, (_, at) => line(at + 1)).join('')}`, '', '').length, 32);
  });
});
