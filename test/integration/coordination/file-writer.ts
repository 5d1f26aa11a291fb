/**
 * A process of its own that works on an embedded store: `file-writer.ts <file> raise <key> <times>` raises a counter by
 * compare-and-set, `... put <key> <value>` writes once, `... beat <key>` writes for ever.
 */
import { openFileStore } from '../../../src/coordination/file-store.ts';
import type { Bucket } from '../../../src/coordination/ports.ts';

const [, , file = '', action, key = '', argument = ''] = process.argv;

const raise = async (bucket: Bucket, times: number): Promise<void> => {
  for (let done = 0; done < times;) {
    const entry = await bucket.get(key);
    const next = `${Number(entry?.value ?? 0) + 1}`;
    if ((await bucket.update(key, next, entry?.revision ?? 0)).ok) done++;
  }
};

const { config, live } = await openFileStore({ file });
if (action === 'raise') await raise(config, Number(argument));
if (action === 'put') await config.put(key, argument);
for (let i = 0; action === 'beat'; i++) {
  await config.put(key, 'x'.repeat(50_000) + i);
  await live.put(key, `${i}`);
  if (i === 5) process.stdout.write('beating\n');
}
