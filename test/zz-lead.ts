import { Lab } from './lab/lab.ts';
import { readFileSync } from 'node:fs';
const lab = await Lab.create({ defaultAction: 'deny', rules: readFileSync('/tmp/w/r.toml', 'utf8'), mode: 'enforcing' } as never);
const sh = async (s: string, as: 'user' | 'root' = 'user') => { const r = await lab.run(['bash', '-c', s], { as, timeoutMs: 30000 }); return (r.stdout + r.stderr).trim(); };
const curl = `curl -s -m 3 -o /dev/null -w '%{http_code} %{time_total}' http://$BASTION_PEER4/`;
const py = `python3 - <<'P'
import socket,os
for f,a in ((socket.AF_INET,os.environ['BASTION_PEER4']),(socket.AF_INET6,os.environ['BASTION_PEER6'])):
  s=socket.socket(f); s.settimeout(1.2)
  try: s.connect((a,80)); print('LEAK tcp')
  except Exception as e: print('tcp',e)
  s=socket.socket(f,socket.SOCK_DGRAM); s.settimeout(0.7)
  try: s.sendto(b'x',(a,7)); print('LEAK udp' , s.recv(10))
  except Exception as e: print('udp',e)
P`;
console.log('1', await sh(curl)); console.log(await sh(py));
await lab.stopHelper('SIGKILL');
console.log('killed', await sh(curl)); console.log(await sh(py));
console.log(await sh('nft flush ruleset', 'root'));
console.log('flushed', await sh(curl)); console.log(await sh(py));
await lab.startHelper();
console.log('restarted', await sh(curl)); console.log(await sh(py));
console.log(await sh('ping -c1 -W1 $BASTION_PEER4 | tail -2'));
console.log(await sh('$BASTION_CTL status'));
console.log(lab.logText().slice(-1500));
await lab.dispose();
